"""Statements that keep batches moving: send in bounded numbers, recover what was lost."""

import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, exists, func, select, update

from db.ledger import database_clock, take_turns
from db.listing import add_batch
from db.scans import OPEN, open_rows
from db.schema import batches, scans, verdicts
from fakesweep.errors import CrashedImage

log = logging.getLogger(__name__)

FEEDING = 7_240_311_903  # key of the lock that feeders take, so that together they keep the mark
ATTEMPTS = 2  # a batch that dies this often is halved; a single image is given up
CARRIED = ATTEMPTS - 1  # attempts that each half begins with; an image's own count holds the rest


@dataclass(frozen=True)
class UnsentBatch:
    """A batch to send: its message."""

    batch_id: int
    scan_id: int
    priority: str
    model_version: str
    images: list[str]


def take_unsent(connection: Connection, high_water: int) -> list[UnsentBatch]:
    """Mark as sent as many batches as the broker may take, high priority first.

    The caller commits, then sends; `take_back` undoes the mark of what could not be sent.
    """
    take_turns(connection, FEEDING)
    waiting = count_waiting(connection)
    if waiting >= high_water:
        return []
    going = exists(
        select(1).where(scans.c.id == batches.c.scan_id, scans.c.status.in_(OPEN), ~scans.c.paused)
    )
    chosen = (
        select(batches.c.id)
        .where(batches.c.status == "queued", batches.c.sent_at.is_(None), going)
        .order_by(batches.c.priority.desc(), batches.c.id)  # "high" sorts after "bulk"
        .limit(high_water - waiting)
        .with_for_update(skip_locked=True)
    )
    marked = connection.execute(
        update(batches)
        .where(batches.c.id.in_(chosen), batches.c.sent_at.is_(None))
        .values(sent_at=database_clock())
        .returning(batches.c.id, batches.c.scan_id, batches.c.priority)
    ).all()
    versions = {
        row.id: row.model_version
        for row in connection.execute(
            select(scans.c.id, scans.c.model_version).where(
                scans.c.id.in_({row.scan_id for row in marked})
            )
        )
    }
    order = sorted(marked, key=lambda row: (row.priority != "high", row.id))
    return [
        UnsentBatch(
            row.id,
            row.scan_id,
            row.priority,
            versions[row.scan_id],
            _open_uris(connection, row.scan_id, row.id),
        )
        for row in order
    ]


def count_waiting(connection: Connection) -> int:
    """Count the batches that were sent and are not claimed: what the broker should hold."""
    return int(
        connection.execute(
            select(func.count())
            .select_from(batches)
            .where(batches.c.status == "queued", batches.c.sent_at.is_not(None))
        ).scalar_one()
    )


def _open_uris(connection: Connection, scan_id: int, batch_id: int) -> list[str]:
    return list(
        connection.execute(
            select(verdicts.c.uri).where(open_rows(scan_id, batch_id)).order_by(verdicts.c.id)
        ).scalars()
    )


def take_back(connection: Connection, batch_ids: list[int]) -> None:
    """Mark batches as not sent."""
    connection.execute(
        update(batches)
        .where(batches.c.id.in_(batch_ids), batches.c.status == "queued")
        .values(sent_at=None)
    )


def take_back_scan(connection: Connection, scan_id: int) -> int:
    """Mark every queued batch of a scan as not sent, whatever the broker holds; returns how many."""
    return connection.execute(
        update(batches)
        .where(
            batches.c.scan_id == scan_id,
            batches.c.status == "queued",
            batches.c.sent_at.is_not(None),
        )
        .values(sent_at=None)
    ).rowcount


def take_back_lost(connection: Connection, older_than_s: float) -> int:
    """Mark as not sent what was sent long ago and never claimed; for a broker that holds nothing."""
    return connection.execute(
        update(batches)
        .where(
            batches.c.status == "queued",
            batches.c.sent_at < database_clock() - older_than_s,
        )
        .values(sent_at=None)
    ).rowcount


def reap(connection: Connection) -> int:
    """Recover the batches whose lease has expired: their process is gone. Returns how many.

    After a first death a batch is queued again. After a second one it is halved, and each half has
    one attempt before it is halved in turn, until the image that ends its process stands alone and
    is recorded as `crashed`.
    """
    expired = connection.execute(
        select(batches, scans.c.status.label("scan_status"))
        .join(scans, scans.c.id == batches.c.scan_id)
        .where(batches.c.status == "running", batches.c.lease_until < database_clock())
        .with_for_update(of=batches, skip_locked=True)
    ).all()
    for batch in expired:
        _recover(connection, batch)
    return len(expired)


def expire_worker(connection: Connection, scan_id: int, worker: str) -> None:
    """End the leases of a process that is known to be gone."""
    connection.execute(
        update(batches)
        .where(
            batches.c.scan_id == scan_id,
            batches.c.status == "running",
            batches.c.worker == worker,
        )
        .values(lease_until=0.0)
    )


def running_workers(connection: Connection, scan_id: int) -> list[str]:
    """Name the processes that hold batches of a scan."""
    return list(
        connection.execute(
            select(batches.c.worker)
            .where(batches.c.scan_id == scan_id, batches.c.status == "running")
            .distinct()
        ).scalars()
    )


def has_open_batch(connection: Connection, scan_id: int) -> bool:
    """Tell whether a batch of a scan is still queued or running."""
    return bool(
        connection.execute(
            select(
                exists(select(1).where(batches.c.scan_id == scan_id, batches.c.status.in_(OPEN)))
            )
        ).scalar()
    )


def _recover(connection: Connection, batch: Row[Any]) -> None:
    in_batch = open_rows(batch.scan_id, batch.id)
    rows = list(
        connection.execute(select(verdicts.c.id).where(in_batch).order_by(verdicts.c.id)).scalars()
    )
    tried = verdicts.c.attempts + batch.attempts
    log.warning(
        "scan %d: batch %d of %d images was lost with %s in attempt %d",
        batch.scan_id, batch.id, len(rows), batch.worker, batch.attempts,
    )  # fmt: skip
    if batch.scan_status not in OPEN:
        connection.execute(
            update(verdicts).where(in_batch).values(status="cancelled", attempts=tried)
        )
        _set(connection, batch.id, status="cancelled")
    elif batch.attempts < ATTEMPTS:
        _set(connection, batch.id, status="queued", sent_at=None)
    elif len(rows) == 1:
        connection.execute(
            update(verdicts)
            .where(in_batch)
            .values(
                status="failed",
                attempts=tried,
                error_code=CrashedImage.code,
                error_message="every process that tried this image ended or hung before it had a verdict",
                decided_at=datetime.now(UTC),
                model_version=select(scans.c.model_version)
                .where(scans.c.id == batch.scan_id)
                .scalar_subquery(),
            )
        )
        _set(connection, batch.id, status="failed", failed=1, closed_at=database_clock())
    else:
        middle = (len(rows) + 1) // 2
        for half in (rows[:middle], rows[middle:]):
            if half:
                child = add_batch(
                    connection,
                    batch.scan_id,
                    len(half),
                    batch.priority,
                    parent_id=batch.id,
                    attempts=CARRIED,
                )
                connection.execute(
                    update(verdicts)
                    .where(verdicts.c.id.in_(half))
                    .values(batch_id=child, attempts=tried - CARRIED)
                )
        _set(connection, batch.id, status="failed", images=0, closed_at=database_clock())


def _set(connection: Connection, batch_id: int, **values: object) -> None:
    connection.execute(
        update(batches)
        .where(batches.c.id == batch_id)
        .values(lease_token=None, lease_until=None, **values)
    )
