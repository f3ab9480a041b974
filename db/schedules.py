"""Statements about schedules: what is due, and who took it."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, exists, func, insert, select, update

from db.ledger import take_turns
from db.scans import OPEN
from db.schema import scans, schedule_runs, schedules

SCHEDULING = 7_240_311_904  # key of the lock under which runs are taken
TAKEN_FOR = timedelta(minutes=5)  # a run that began no scan by then is taken again


@dataclass(frozen=True)
class Schedule:
    """Sources to scan at the times of a cron line; times count from `since` on."""

    name: str
    cron: str
    sources: dict[str, Any]
    priority: str
    origin: str
    since: datetime


@dataclass(frozen=True)
class Run:
    """A moment at which a schedule was due, UTC.

    Attributes:
        missed: Due moments before it that nobody took.
        note: Why it began no scan.
        scan_id: The scan that it began.
        scan_status: Of that scan.
    """

    id: int
    schedule: str
    due_at: datetime
    claimed_at: datetime
    missed: int
    note: str | None
    scan_id: int | None = None
    scan_status: str | None = None


def list_schedules(connection: Connection) -> list[Schedule]:
    """List all schedules by name."""
    rows = connection.execute(select(schedules).order_by(schedules.c.name))
    return [Schedule(**{**row._mapping, "sources": json.loads(row.sources)}) for row in rows]


def put_schedule(connection: Connection, schedule: Schedule) -> None:
    """Record a schedule in place of one of the same name."""
    connection.execute(delete(schedules).where(schedules.c.name == schedule.name))
    fields = {**vars(schedule), "sources": json.dumps(schedule.sources)}
    connection.execute(insert(schedules).values(fields))


def remove_schedule(connection: Connection, name: str) -> bool:
    """Forget a schedule; its runs and scans stay. False: there is none of this name."""
    return bool(connection.execute(delete(schedules).where(schedules.c.name == name)).rowcount)


def latest_run(connection: Connection, name: str) -> Run | None:
    """Look up the newest run of a schedule, with its scan."""
    row = connection.execute(
        select(schedule_runs, scans.c.id.label("scan_id"), scans.c.status.label("scan_status"))
        .join(scans, scans.c.schedule_run == schedule_runs.c.id, isouter=True)
        .where(schedule_runs.c.schedule == name)
        .order_by(schedule_runs.c.due_at.desc(), scans.c.id.desc())
        .limit(1)
    ).one_or_none()
    return None if row is None else Run(**row._mapping)


def take_run(
    connection: Connection, name: str, due_at: datetime, *, missed: int, now: datetime
) -> int | None:
    """Take a due moment, once among all processes; None when another one has it.

    A run that was taken and began no scan within `TAKEN_FOR`, and does not say why, is taken again.
    """
    take_turns(connection, SCHEDULING)
    row = connection.execute(
        select(schedule_runs).where(
            schedule_runs.c.schedule == name, schedule_runs.c.due_at == due_at
        )
    ).one_or_none()
    if row is None:
        values = {
            "schedule": name,
            "due_at": due_at,
            "claimed_at": now,
            "missed": missed,
        }
        return int(
            connection.execute(
                insert(schedule_runs).values(values).returning(schedule_runs.c.id)
            ).scalar_one()
        )
    begun = connection.execute(
        select(exists(select(1).where(scans.c.schedule_run == row.id)))
    ).scalar()
    if begun or row.note is not None or row.claimed_at > now - TAKEN_FOR:
        return None
    connection.execute(
        update(schedule_runs).where(schedule_runs.c.id == row.id).values(claimed_at=now)
    )
    return int(row.id)


def note_run(connection: Connection, run_id: int, note: str) -> None:
    """Keep why a run began no scan."""
    connection.execute(update(schedule_runs).where(schedule_runs.c.id == run_id).values(note=note))


def open_scan_of(connection: Connection, name: str) -> int | None:
    """Number of the newest open scan that a schedule began."""
    return connection.execute(
        select(func.max(scans.c.id))
        .join(schedule_runs, schedule_runs.c.id == scans.c.schedule_run)
        .where(schedule_runs.c.schedule == name, scans.c.status.in_(OPEN))
    ).scalar()
