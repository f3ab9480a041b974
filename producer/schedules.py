"""Scans at the times of a cron line: what is due, and how a run begins its scan.

Times are those of the setting `time_zone`. Any number of processes may look: the ledger gives each due
moment to one of them. Of moments that went by while nobody looked the last one is made up for.
"""

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice, takewhile
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from db.ledger import Ledger
from db.schedules import (
    Run,
    Schedule,
    latest_run,
    list_schedules,
    note_run,
    open_scan_of,
    put_schedule,
    remove_schedule,
    take_run,
)
from fakesweep.errors import FakesweepError, SourceError
from fakesweep.settings import Settings
from producer.scan import OpenedScan, begin_scan, reopen_scan
from producer.sources import Sources, absolute_sources

log = logging.getLogger(__name__)

COMMAND, FILE = "command", "file"
COUNTED = 1000  # missed moments are counted up to so many


@dataclass(frozen=True)
class DueRun:
    """A run that this process has taken."""

    run_id: int
    schedule: Schedule
    due_at: datetime
    missed: int


@dataclass(frozen=True)
class ScheduleState:
    """A schedule, when it is due next, and its newest run."""

    schedule: Schedule
    next_at: datetime | None
    run: Run | None


def check_cron(cron: str) -> None:
    """Make sure that a cron line has times.

    Raises:
        SourceError: It is malformed, or never comes.
    """
    try:
        next(CronSim(cron, datetime.now(UTC)))
    except (CronSimError, StopIteration) as error:
        raise SourceError(
            f"cron line {cron!r}: expected minute, hour, day of month, month and day of week,"
            f" like '0 2 * * *': {error or 'it never comes'}"
        ) from error


def add_schedule(ledger: Ledger, name: str, cron: str, sources: Sources, *, priority: str) -> None:
    """Record a schedule whose times count from now on.

    Raises:
        SourceError: The cron line is malformed, the name is taken or empty, or the sources cannot be
            read again.
    """
    check_cron(cron)
    if not name or not name.isprintable():
        raise SourceError(f"expected a name for the schedule. Received: {name!r}")
    if not sources.repeatable:
        raise SourceError("a schedule reads its sources again and again; it cannot read a pipe")
    with ledger.write() as connection:
        if any(known.name == name for known in list_schedules(connection)):
            raise SourceError(
                f"there is a schedule {name} already; remove it first: fakesweep schedule remove"
                f" {name}"
            )
        put_schedule(
            connection,
            Schedule(name, cron, sources.to_json(), priority, COMMAND, datetime.now(UTC)),
        )


def read_settings(ledger: Ledger, settings: Settings) -> None:
    """Bring the schedules of the settings file into the ledger, and forget those that left it.

    Raises:
        SourceError: A cron line is malformed, or a name is that of a schedule made by command.
    """
    now = datetime.now(UTC)
    with ledger.write() as connection:
        known = {schedule.name: schedule for schedule in list_schedules(connection)}
        for name, scheduled in settings.schedules.items():
            check_cron(scheduled.cron)
            before = known.get(name)
            if before is not None and before.origin == COMMAND:
                raise SourceError(
                    f"schedule {name} is in the settings file and was made by command, too; remove"
                    " one of them"
                )
            sources = json.loads(json.dumps(absolute_sources(scheduled.sources).to_json()))
            said = (scheduled.cron, sources, scheduled.priority)
            if before is None or said != (before.cron, before.sources, before.priority):
                put_schedule(connection, Schedule(name, *said, FILE, now))
        for name, before in known.items():
            if before.origin == FILE and name not in settings.schedules:
                remove_schedule(connection, name)


def list_states(ledger: Ledger, settings: Settings) -> list[ScheduleState]:
    """List all schedules with their next time and newest run."""
    now = datetime.now(UTC)
    with ledger.read() as connection:
        return [
            ScheduleState(
                schedule,
                next(_times(schedule.cron, now, settings), None),
                latest_run(connection, schedule.name),
            )
            for schedule in list_schedules(connection)
        ]


def take_due(ledger: Ledger, settings: Settings, now: datetime) -> list[DueRun]:
    """Take all runs that are due now and that no other process has taken."""
    with ledger.read() as connection:
        looked = [
            (schedule, latest_run(connection, schedule.name))
            for schedule in list_schedules(connection)
        ]
    taken = []
    for schedule, last in looked:
        began = max(schedule.since, last.due_at) if last is not None else schedule.since
        due = list(
            islice(
                takewhile(lambda moment: moment <= now, _times(schedule.cron, began, settings)),
                COUNTED,
            )
        )
        if due:
            due_at, missed = _last_before(schedule.cron, now, settings), len(due) - 1
        elif last is not None and last.scan_id is None and last.note is None:
            due_at, missed = last.due_at, last.missed  # taken, and nothing came of it
        else:
            continue
        with ledger.write() as connection:
            run_id = take_run(connection, schedule.name, due_at, missed=missed, now=now)
        if run_id is not None:
            if missed:
                log.warning(
                    "schedule %s: %d runs were missed; one is made up for", schedule.name, missed
                )
            taken.append(DueRun(run_id, schedule, due_at, missed))
    return taken


def begin_run(
    ledger: Ledger, name: str, run_id: int, *, settings: Settings, broker_holds: int = 0
) -> OpenedScan | None:
    """Begin the scan of a run; None where one of the same schedule is still under way.

    The scan of an earlier run whose listing broke off goes on in place of a new one.

    Raises:
        FakesweepError: It cannot begin; the run keeps the reason.
    """
    with ledger.read() as connection:
        schedule = next((s for s in list_schedules(connection) if s.name == name), None)
        before = open_scan_of(connection, name)
    if schedule is None:
        raise SourceError(f"no schedule {name}; `fakesweep schedule list` shows all")
    try:
        if before is not None:
            reopened = reopen_scan(ledger, before, settings=settings, broker_holds=broker_holds)
            if reopened.images is not None:
                _note(ledger, run_id, f"the listing of scan {before} went on")
                return reopened
            _note(ledger, run_id, f"scan {before} of an earlier run is still under way")
            return None
        return begin_scan(
            ledger,
            Sources.from_json(schedule.sources),
            settings=settings,
            model=None,
            rescan=False,
            priority=schedule.priority,
            schedule_run=run_id,
        )
    except FakesweepError as error:
        _note(ledger, run_id, str(error))
        raise


def _note(ledger: Ledger, run_id: int, note: str) -> None:
    with ledger.write() as connection:
        note_run(connection, run_id, note)


def _times(cron: str, after: datetime, settings: Settings) -> Iterator[datetime]:
    zone = ZoneInfo(settings.time_zone)
    for moment in CronSim(cron, after.astimezone(zone)):
        yield moment.astimezone(UTC)


def _last_before(cron: str, now: datetime, settings: Settings) -> datetime:
    """The last due moment up to now."""
    zone = ZoneInfo(settings.time_zone)
    start = now.replace(second=0, microsecond=0)
    ahead = next(CronSim(cron, start.astimezone(zone), reverse=True)).astimezone(UTC)
    at = next(_times(cron, ahead, settings))
    return at if at <= now else ahead
