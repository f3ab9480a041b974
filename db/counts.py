"""How far a scan is: tallies, failures by code, and the workers that judge it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, func, select

from db.ledger import database_clock
from db.scans import Scan, get_scan
from db.schema import batches, verdicts

RECENT_S = 120.0  # a worker that closed or holds a batch within this time counts as seen


@dataclass(frozen=True)
class Progress:
    """A scan and its tallies at one moment."""

    scan: Scan
    fake: int
    real: int
    uncertain: int
    no_face: int
    failed: int
    cancelled: int
    workers: list[str]
    seconds: float
    images_per_s: float

    @property
    def judged(self) -> int:
        """Images with an outcome, failures included."""
        return self.fake + self.real + self.uncertain + self.no_face + self.failed

    @property
    def closed(self) -> int:
        """Images that need no more work: judged, unchanged or cancelled."""
        return self.judged + self.scan.unchanged + self.cancelled

    @property
    def eta_s(self) -> float | None:
        """Seconds left at the present rate; None while that is unknown."""
        if self.scan.listed_at is None or not self.images_per_s:
            return None
        return (self.scan.images - self.closed) / self.images_per_s


def read_progress(connection: Connection, scan_id: int) -> Progress:
    """Count the outcomes of a scan from its batches, a 256th of its rows.

    Raises:
        UnknownScan: No scan has this number.
    """
    scan = get_scan(connection, scan_id)
    mine = batches.c.scan_id == scan_id
    names = ("fake", "real", "uncertain", "no_face", "failed")
    row = connection.execute(
        select(*(func.coalesce(func.sum(batches.c[name]), 0).label(name) for name in names)).where(
            mine
        )
    ).one()
    cancelled = connection.execute(
        select(func.coalesce(func.sum(batches.c.images), 0)).where(
            mine, batches.c.status == "cancelled"
        )
    ).scalar_one()
    seen = (batches.c.closed_at > database_clock() - RECENT_S) | (batches.c.status == "running")
    workers = connection.execute(
        select(batches.c.worker).where(mine, seen, batches.c.worker.is_not(None)).distinct()
    ).scalars()
    tally = {name: int(row._mapping[name]) for name in names}
    seconds = ((scan.finished_at or datetime.now(UTC)) - scan.created_at).total_seconds()
    return Progress(
        scan=scan,
        **tally,
        cancelled=int(cancelled),
        workers=sorted(workers),
        seconds=seconds,
        images_per_s=_rate(connection, scan, sum(tally.values()), seconds),
    )


def scan_facts(progress: Progress) -> dict[str, Any]:
    """Give the counts of a scan under their glossary names."""
    return {
        "scan": progress.scan.id,
        "status": progress.scan.status,
        "images": progress.scan.images,
        "unchanged": progress.scan.unchanged,
        "fake": progress.fake,
        "real": progress.real,
        "uncertain": progress.uncertain,
        "no_face": progress.no_face,
        "failed": progress.failed,
        "seconds": round(progress.seconds, 3),
        "images_per_s": round(progress.images_per_s, 2),
        "unchanged_fake": progress.scan.unchanged_fake,
        "paused": progress.scan.paused,
        "model_version": progress.scan.model_version,
        "error_message": progress.scan.error_message,
    }


def _rate(connection: Connection, scan: Scan, judged: int, seconds: float) -> float:
    """Images a second: over the whole time of a closed scan, over the last minute of an open one."""
    if not scan.open:
        return judged / seconds if seconds > 0 else 0.0
    window_s = min(60.0, seconds) or 1.0
    recent = connection.execute(
        select(func.coalesce(func.sum(batches.c.images), 0)).where(
            batches.c.scan_id == scan.id, batches.c.closed_at > database_clock() - window_s
        )
    ).scalar_one()
    return float(recent) / window_s


def count_failures(connection: Connection, scan_id: int) -> dict[str, int]:
    """Count the failed images of a scan by error code, most frequent first."""
    rows = connection.execute(
        select(verdicts.c.error_code, func.count().label("images"))
        .where(verdicts.c.scan_id == scan_id, verdicts.c.error_code.is_not(None))
        .group_by(verdicts.c.error_code)
        .order_by(func.count().desc(), verdicts.c.error_code)
    )
    return {row.error_code: int(row.images) for row in rows}
