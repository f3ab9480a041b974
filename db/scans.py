"""Statements about scans: create, look up, pause, cancel, finish."""

import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    and_,
    case,
    exists,
    func,
    insert,
    select,
    update,
)

from db.ledger import database_clock
from db.schema import batches, scans, verdicts
from fakesweep.errors import UnknownScan

OPEN = ("queued", "running")
LARGEST_ID = 2**63 - 1
WITHOUT_MODEL = "no worker can load model version"


@dataclass(frozen=True)
class Scan:
    """One request to judge sources with one model version."""

    id: int
    status: str
    paused: bool
    priority: str
    model_version: str
    rescan: bool
    sources: dict[str, Any]
    listing_token: str | None
    images: int
    unchanged: int
    unchanged_fake: int
    passed_over: int
    created_at: datetime
    listed_at: datetime | None
    finished_at: datetime | None
    error_message: str | None
    schedule_run: int | None
    notify_at: float | None
    notify_tries: int

    @property
    def open(self) -> bool:
        """Whether images may still be waiting."""
        return self.status in OPEN


def scan_of_row(row: Row[Any]) -> Scan:
    """Turn a row of `scans` into a scan."""
    facts = dict(row._mapping)
    return Scan(**{**facts, "sources": json.loads(facts["sources"])})


def open_rows(
    scan_id: int | ColumnElement[int], batch_id: int | ColumnElement[int]
) -> ColumnElement[bool]:
    """Build the condition on the rows of a batch that have no outcome yet.

    The scan is named for the index, which serves both its rows and those of one of its batches.
    """
    return and_(
        verdicts.c.scan_id == scan_id, verdicts.c.batch_id == batch_id, verdicts.c.status.in_(OPEN)
    )


def create_scan(
    connection: Connection,
    *,
    sources: dict[str, Any],
    model_version: str,
    priority: str,
    rescan: bool,
    schedule_run: int | None = None,
) -> int:
    """Record a new scan and return its number."""
    row = {
        "status": "running",
        "paused": False,
        "priority": priority,
        "model_version": model_version,
        "rescan": rescan,
        "sources": json.dumps(sources),
        "listing_token": secrets.token_hex(8),
        "images": 0,
        "unchanged": 0,
        "unchanged_fake": 0,
        "passed_over": 0,
        "created_at": datetime.now(UTC),
        "schedule_run": schedule_run,
        "notify_tries": 0,
    }
    return int(connection.execute(insert(scans).values(row).returning(scans.c.id)).scalar_one())


def get_scan(connection: Connection, scan_id: int) -> Scan:
    """Look up one scan.

    Raises:
        UnknownScan: No scan has this number.
    """
    row = None
    if 0 < scan_id <= LARGEST_ID:
        row = connection.execute(select(scans).where(scans.c.id == scan_id)).one_or_none()
    if row is None:
        newest = connection.execute(select(func.max(scans.c.id))).scalar()
        known = f"the newest scan is {newest}" if newest else "there is no scan yet"
        raise UnknownScan(f"no scan {scan_id}; {known}")
    return scan_of_row(row)


def list_scans(connection: Connection, limit: int) -> list[Scan]:
    """List the newest scans first."""
    return [
        scan_of_row(row)
        for row in connection.execute(select(scans).order_by(scans.c.id.desc()).limit(limit))
    ]


def latest_open_scan(connection: Connection) -> int | None:
    """Number of the newest scan that is not closed; None when all are."""
    return connection.execute(select(func.max(scans.c.id)).where(scans.c.status.in_(OPEN))).scalar()


def other_scan_with_model(connection: Connection, scan: Scan) -> bool:
    """Tell whether another scan ran with the same model version."""
    return bool(
        connection.execute(
            select(
                exists(
                    select(1).where(
                        scans.c.model_version == scan.model_version, scans.c.id != scan.id
                    )
                )
            )
        ).scalar()
    )


def hold_listing(connection: Connection, scan: Scan) -> bool:
    """Lock a scan's row for the rest of the transaction, so that its producers take turns.

    Returns:
        False when this producer is to stop: the scan is closed, or another one lists it.
    """
    return bool(
        connection.execute(
            update(scans)
            .where(
                scans.c.id == scan.id,
                scans.c.status.in_(OPEN),
                scans.c.listing_token == scan.listing_token,
            )
            .values(images=scans.c.images)
        ).rowcount
    )


def count_found(
    connection: Connection,
    scan_id: int,
    *,
    images: int,
    unchanged: int = 0,
    unchanged_fake: int = 0,
    passed_over: int = 0,
) -> None:
    """Add to the counts of a scan's listing."""
    connection.execute(
        update(scans)
        .where(scans.c.id == scan_id)
        .values(
            images=scans.c.images + images,
            unchanged=scans.c.unchanged + unchanged,
            unchanged_fake=scans.c.unchanged_fake + unchanged_fake,
            passed_over=scans.c.passed_over + passed_over,
        )
    )


def restart_listing(connection: Connection, scan_id: int) -> None:
    """Set the counts of an interrupted listing back to what the ledger holds, and take it over."""
    recorded = connection.execute(
        select(func.count()).select_from(verdicts).where(verdicts.c.scan_id == scan_id)
    ).scalar_one()
    connection.execute(
        update(scans)
        .where(scans.c.id == scan_id)
        .values(
            images=recorded,
            unchanged=0,
            unchanged_fake=0,
            passed_over=0,
            error_message=None,
            listing_token=secrets.token_hex(8),
        )
    )


def end_listing(connection: Connection, scan_id: int, problems: Iterable[str]) -> None:
    """Record that every image of the sources is in the ledger, and what could not be listed."""
    connection.execute(
        update(scans)
        .where(scans.c.id == scan_id)
        .values(listed_at=datetime.now(UTC), error_message="; ".join(problems) or None)
    )


def note_missing_model(connection: Connection, scan_id: int, reason: str) -> None:
    """Let a scan say that a worker could not load its model, unless it has another fault to tell."""
    scan = get_scan(connection, scan_id)
    connection.execute(
        update(scans)
        .where(scans.c.id == scan_id, scans.c.status.in_(OPEN), scans.c.error_message.is_(None))
        .values(error_message=f"{WITHOUT_MODEL} {scan.model_version}: {reason}")
    )


def forget_missing_model(connection: Connection, scan_id: int) -> None:
    """Take that back: a worker has loaded the model."""
    connection.execute(
        update(scans)
        .where(scans.c.id == scan_id, scans.c.error_message.startswith(WITHOUT_MODEL))
        .values(error_message=None)
    )


def set_paused(connection: Connection, scan_id: int, paused: bool) -> None:
    """Pause a scan, or let it go on."""
    connection.execute(update(scans).where(scans.c.id == scan_id).values(paused=paused))


def cancel_scan(connection: Connection, scan_id: int) -> int:
    """Cancel what is still queued; running batches end by themselves. Returns the images cancelled."""
    connection.execute(
        update(scans)
        .where(scans.c.id == scan_id)
        .values(
            status="cancelled",
            finished_at=datetime.now(UTC),
            notify_at=database_clock(),
            notify_tries=0,
        )
    )
    # Batches before their images, as everywhere: one order of locks cannot end in a deadlock.
    connection.execute(
        update(batches)
        .where(batches.c.scan_id == scan_id, batches.c.status == "queued")
        .values(status="cancelled")
    )
    cancelled = select(batches.c.id).where(
        batches.c.scan_id == scan_id, batches.c.status == "cancelled"
    )
    return connection.execute(
        update(verdicts)
        .where(
            verdicts.c.scan_id == scan_id,
            verdicts.c.batch_id.in_(cancelled),
            verdicts.c.status.in_(OPEN),
        )
        .values(status="cancelled")
    ).rowcount


def finish_scans(connection: Connection) -> None:
    """Close every scan that is listed to its end and has no open batch."""
    waiting = select(1).where(batches.c.scan_id == scans.c.id, batches.c.status.in_(OPEN))
    connection.execute(
        update(scans)
        .where(scans.c.status.in_(OPEN), scans.c.listed_at.is_not(None), ~waiting.exists())
        .values(
            status="done",
            finished_at=datetime.now(UTC),
            notify_at=database_clock(),
            notify_tries=0,
            error_message=case(
                (scans.c.error_message.startswith(WITHOUT_MODEL), None),
                else_=scans.c.error_message,
            ),
        )
    )
