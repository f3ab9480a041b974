"""Short ways to a recorded scan."""

from collections.abc import Callable, Sequence

import pytest

from db.ledger import Ledger
from db.listing import FoundImage, record_batches
from db.scans import count_found, create_scan, end_listing

Record = Callable[..., int]


@pytest.fixture
def record(ledger: Ledger) -> Record:
    """Record a listed scan of named images, `batch_images` to a batch; gives its number."""

    def record_scan(
        names: Sequence[str], *, batch_images: int = 4, model: str = "m-1", priority: str = "bulk"
    ) -> int:
        with ledger.write() as connection:
            scan_id = create_scan(
                connection, sources={}, model_version=model, priority=priority, rescan=False
            )
            images = [FoundImage(name, 10, 1.5) for name in names]
            record_batches(
                connection, scan_id, images, batch_images=batch_images, priority=priority
            )
            count_found(connection, scan_id, images=len(images))
            end_listing(connection, scan_id, [])
        return scan_id

    return record_scan
