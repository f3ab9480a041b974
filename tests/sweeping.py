"""Short ways to a scan inside this process."""

from pathlib import Path

from sqlalchemy import select

from db.counts import Progress, read_progress
from db.ledger import Ledger
from db.schema import verdicts
from fakesweep.settings import Settings
from producer.here import sweep_here
from producer.listing import record_images
from producer.scan import OpenedScan, begin_scan
from producer.sources import local_sources


def sweep(
    ledger: Ledger,
    settings: Settings,
    *paths: Path,
    rescan: bool = False,
    model: str | None = None,
) -> Progress:
    opened = begin_scan(
        ledger,
        local_sources([str(path) for path in paths], None),
        settings=settings,
        model=model,
        rescan=rescan,
        priority="bulk",
    )
    sweep_here(ledger, opened, settings=settings, observe=lambda: None)
    with ledger.read() as connection:
        return read_progress(connection, opened.scan.id)


def begin(ledger: Ledger, settings: Settings, folder: Path) -> OpenedScan:
    return begin_scan(
        ledger,
        local_sources([str(folder)], None),
        settings=settings,
        model=None,
        rescan=False,
        priority="bulk",
    )


def record_all(ledger: Ledger, settings: Settings, opened: OpenedScan) -> None:
    assert opened.images is not None
    record_images(ledger, opened.scan, opened.images, opened.findings, settings=settings)
    opened.images = None


def rows(ledger: Ledger, scan_id: int) -> dict[str, dict[str, object]]:
    with ledger.read() as connection:
        found = connection.execute(select(verdicts).where(verdicts.c.scan_id == scan_id))
        return {row.uri: dict(row._mapping) for row in found}
