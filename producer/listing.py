"""From found images to queued rows: skip what is unchanged, record the rest in batches."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator

from db.ledger import Ledger
from db.listing import FoundImage, KnownVerdict, known_images, record_batches
from db.scans import Scan, count_found, end_listing, hold_listing, other_scan_with_model
from fakesweep.settings import Settings
from producer.findings import Findings

GROUP_BATCHES = 16  # batches recorded in one transaction
GROUP_S = 1.0  # a slow list is recorded at least this often


class ListingStopped(Exception):
    """The listing was told to stop before its end; what is recorded stays."""


def record_images(
    ledger: Ledger,
    scan: Scan,
    images: Iterable[FoundImage | None],
    findings: Findings,
    *,
    settings: Settings,
    recorded: Callable[[], None] = lambda: None,
    stop: threading.Event | None = None,
) -> None:
    """Record all images of a scan, group by group, and mark its listing as complete.

    Args:
        recorded: Called after each group is committed.
        stop: Set by another thread to end the listing early; what was found by then is recorded.

    Raises:
        ListingStopped: `stop` was set, the scan was cancelled, or another process lists it now.
        SourceError: The list of names cannot be read to its end; the scan can be resumed.
    """
    with ledger.read() as connection:
        compare = not scan.rescan and other_scan_with_model(connection, scan)
    passed_over = 0
    for group in _groups(images, GROUP_BATCHES * settings.message_images, stop):
        found_over = findings.passed_over
        _record_group(ledger, scan, group, found_over - passed_over, compare, settings)
        passed_over = found_over
        recorded()
    if stop is not None and stop.is_set():
        raise ListingStopped
    with ledger.write() as connection:
        if not hold_listing(connection, scan):
            raise ListingStopped
        count_found(connection, scan.id, images=0, passed_over=findings.passed_over - passed_over)
        end_listing(connection, scan.id, findings.in_words())
    recorded()


def _groups(
    images: Iterable[FoundImage | None], size: int, stop: threading.Event | None
) -> Iterator[list[FoundImage]]:
    """Collect images until they are enough, or old enough; end early when told to stop."""
    group: list[FoundImage] = []
    began = time.monotonic()
    for image in images:
        if image is not None:
            group.append(image)
        if len(group) >= size or (group and time.monotonic() - began > GROUP_S):
            yield group
            group, began = [], time.monotonic()
        if stop is not None and stop.is_set():
            break
    if group:
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
        if not hold_listing(connection, scan):
            raise ListingStopped
        found = {image.uri: image for image in group}  # what was found twice counts once
        recorded, known = known_images(
            connection,
            list(found),
            model_version=scan.model_version if compare else None,
            scan_id=scan.id,
        )
        for uri in recorded:
            del found[uri]
        changed: list[FoundImage] = []
        unchanged: list[str | None] = []
        for uri, image in found.items():
            before = known.get(uri)
            if is_unchanged(image, before):
                unchanged.append(before and before.verdict)
            else:
                changed.append(image)
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
            images=len(found),
            passed_over=passed_over,
            unchanged=len(unchanged),
            unchanged_fake=unchanged.count("fake"),
        )


def is_unchanged(
    image: FoundImage, known: KnownVerdict | None, *, failed_too: bool = False
) -> bool:
    """Tell whether an image is still what its newest outcome was made for.

    Args:
        failed_too: A failed image counts as unchanged, too; else it is tried again.
    """
    if known is None or (known.verdict is None and not failed_too):
        return False
    if image.mtime is None and image.etag is None:  # its place does not tell versions apart
        return False
    if image.etag is not None:
        return (image.size_bytes, image.etag) == (known.size_bytes, known.etag)
    return (image.size_bytes, image.mtime) == (known.size_bytes, known.mtime)
