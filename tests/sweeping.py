"""Short ways to a scan inside this process."""

from pathlib import Path

from sqlalchemy import select

from db.batches import claim_batch, next_batch
from db.counts import Progress, read_progress
from db.ledger import Ledger
from db.schema import verdicts
from fakesweep.settings import Settings
from producer.here import sweep_here
from producer.listing import record_images
from producer.scan import OpenedScan, begin_scan
from producer.sources import named_sources


def sweep(
    ledger: Ledger,
    settings: Settings,
    *paths: Path | str,
    rescan: bool = False,
    model: str | None = None,
) -> Progress:
    opened = begin_scan(
        ledger,
        named_sources([str(path) for path in paths], None),
        settings=settings,
        model=model,
        rescan=rescan,
        priority="bulk",
    )
    return finish(ledger, settings, opened)


def finish(ledger: Ledger, settings: Settings, opened: OpenedScan) -> Progress:
    sweep_here(ledger, opened, settings=settings, observe=lambda: None)
    with ledger.read() as connection:
        return read_progress(connection, opened.scan.id)


def claim_first(ledger: Ledger, opened: OpenedScan, *, worker: str, lease_s: float) -> None:
    with ledger.write() as connection:
        batch_id = next_batch(connection, opened.scan.id)
        assert batch_id is not None
        assert claim_batch(connection, batch_id, worker=worker, lease_s=lease_s)


def begin(ledger: Ledger, settings: Settings, folder: Path | str) -> OpenedScan:
    return begin_scan(
        ledger,
        named_sources([str(folder)], None),
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
