"""From found images to queued rows: skip what is unchanged, record the rest in batches."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator

from db.ledger import Ledger
from db.listing import FoundImage, KnownVerdict, known_verdicts, record_batches, without_recorded
from db.scans import Scan, count_found, end_listing, other_scan_with_model
from fakesweep.settings import Settings
from producer.walk import Findings

GROUP_BATCHES = 16  # batches recorded in one transaction
GROUP_S = 1.0  # a slow list is recorded at least this often


class ListingStopped(Exception):
    """The listing was told to stop before its end; what is recorded stays."""


def record_images(
    ledger: Ledger,
    scan: Scan,
    images: Iterable[FoundImage],
    findings: Findings,
    *,
    settings: Settings,
    recorded: Callable[[], None] = lambda: None,
    stop: threading.Event | None = None,
) -> None:
    """Record all images of a scan, group by group, and mark its listing as complete.

    Args:
        recorded: Called after each group is committed.
        stop: Set by another thread to end the listing early.

    Raises:
        ListingStopped: `stop` was set; the scan can be listed again.
    """
    with ledger.read() as connection:
        compare = not scan.rescan and other_scan_with_model(connection, scan)
    passed_over = 0
    for group in _groups(images, GROUP_BATCHES * settings.message_images):
        if stop is not None and stop.is_set():
            raise ListingStopped
        _record_group(ledger, scan, group, findings.passed_over - passed_over, compare, settings)
        passed_over = findings.passed_over
        recorded()
    with ledger.write() as connection:
        count_found(connection, scan.id, images=0, passed_over=findings.passed_over - passed_over)
        end_listing(connection, scan.id, findings.in_words())
    recorded()


def _groups(images: Iterable[FoundImage], size: int) -> Iterator[list[FoundImage]]:
    iterator = iter(images)
    for first in iterator:
        group = [first]
        began = time.monotonic()
        for image in iterator:
            group.append(image)
            if len(group) >= size or time.monotonic() - began > GROUP_S:
                break
        yield group


def _record_group(
    ledger: Ledger,
    scan: Scan,
    group: list[FoundImage],
    passed_over: int,
    compare: bool,
    settings: Settings,
) -> None:
    with ledger.write() as connection:
        # First the scan's own row: it is locked from here on, so that two producers that list the
        # same scan take turns.
        count_found(connection, scan.id, images=0, passed_over=passed_over)
        new = without_recorded(connection, scan.id, group)
        known = (
            known_verdicts(connection, [image.uri for image in new], scan.model_version)
            if compare
            else {}
        )
        changed = [image for image in new if not _is_unchanged(image, known.get(image.uri))]
        unchanged = [known[image.uri].verdict for image in set(new).difference(changed)]
        record_batches(
            connection,
            scan.id,
            changed,
            batch_images=settings.message_images,
            priority=scan.priority,
        )
        count_found(
            connection,
            scan.id,
            images=len(new),
            unchanged=len(unchanged),
            unchanged_fake=unchanged.count("fake"),
        )


def _is_unchanged(image: FoundImage, known: KnownVerdict | None) -> bool:
    return known is not None and (image.size_bytes, image.mtime) == (known.size_bytes, known.mtime)
