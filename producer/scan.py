"""Begin a scan, or take up an interrupted one."""

import logging
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path

from db.again import freeze
from db.ledger import Ledger
from db.listing import FoundImage
from db.scans import Scan, create_scan, get_scan, restart_listing, set_paused
from db.tending import count_waiting, expire_worker, reap, running_workers, take_back_scan
from db.unreachable import requeue_unreachable
from fakesweep.errors import NothingToJudge, SourceError
from fakesweep.settings import Settings
from producer.again import find_judged
from producer.findings import Findings
from producer.sources import Sources, check_again
from producer.walk import find_images
from worker.models import check_model
from worker.read import archive_limits

log = logging.getLogger(__name__)


@dataclass
class OpenedScan:
    """A scan that is recorded, and its images that are still to be listed."""

    scan: Scan
    images: Iterator[FoundImage | None] | None  # None: the listing is complete
    findings: Findings = field(default_factory=Findings)


def begin_scan(
    ledger: Ledger,
    sources: Sources,
    *,
    settings: Settings,
    model: str | None,
    rescan: bool,
    priority: str,
    schedule_run: int | None = None,
) -> OpenedScan:
    """Check everything that can be wrong, then record a new scan.

    Raises:
        ModelError: The model version is unknown, or its file is missing or altered.
        SourceError: The sources hold no image; nothing is recorded.
        NothingToJudge: No latest verdict meets the condition of the sources; nothing is recorded.
        QueryRefused: The condition is wrong, or would do more than read; nothing is recorded.
    """
    version = check_model(settings, model)
    if sources.where is not None:
        sources = replace(sources, where=freeze(ledger, sources.where.sql, version))
    findings = Findings()
    images = _list(ledger, sources, findings, settings)
    first = next((image for image in images if image is not None), None)
    if first is None and sources.where is not None:
        below = f" below {', '.join(sources.paths)}" if sources.paths else ""
        raise NothingToJudge(
            f"no latest verdict{below} meets the condition {sources.where.sql!r}; nothing to judge"
        )
    if first is None:
        raise SourceError(_no_image(sources, findings))
    with ledger.write() as connection:
        scan_id = create_scan(
            connection,
            sources=sources.to_json(),
            model_version=version,
            priority=priority,
            rescan=rescan,
            schedule_run=schedule_run,
        )
        scan = get_scan(connection, scan_id)
    return OpenedScan(scan, chain([first], images), findings)


def _list(
    ledger: Ledger,
    sources: Sources,
    findings: Findings,
    settings: Settings,
    *,
    names: bool = True,
) -> Iterator[FoundImage | None]:
    if sources.where is not None:
        return find_judged(ledger, sources.where, sources.paths)
    return find_images(sources, findings, archive_limits(settings), names=names)


def _no_image(sources: Sources, findings: Findings) -> str:
    names = ", ".join(sources.paths) or f"the names of {sources.files_from}"
    reasons = findings.in_words()
    if findings.passed_over:
        reasons.append(
            f"{findings.passed_over} files were passed over"
            " (no image by name or content, hidden, or links)"
        )
    return f"no image in {names}{': ' if reasons else ''}{'; '.join(reasons)}"


def reopen_scan(
    ledger: Ledger, scan_id: int, *, settings: Settings, broker_holds: int = 0
) -> OpenedScan:
    """Let an open scan go on: unpause it, recover what was lost, list the rest of its sources.

    A scan that is done is opened again for its images that were out of reach.

    Args:
        broker_holds: Messages that wait in the broker. Where they are fewer than the ledger says,
            messages were lost, and every batch of the scan that is not claimed is sent again.

    Raises:
        UnknownScan: No scan has this number.
        ModelError: Its model version is not here any more.
        SourceError: Its listing is not complete, and a source is gone; nothing is changed.
    """
    with ledger.write() as connection:
        get_scan(connection, scan_id)
        again = requeue_unreachable(connection, scan_id, batch_images=settings.message_images)
        scan = get_scan(connection, scan_id)
    if again:
        log.info("scan %d: %d images that were out of reach to try again", scan_id, again)
    if not scan.open:
        return OpenedScan(scan, None)
    check_model(settings, scan.model_version)
    findings = Findings()
    sources = Sources.from_json(scan.sources)
    if scan.listed_at is None:
        check_again(sources)
    with ledger.write() as connection:
        set_paused(connection, scan_id, False)
        for worker in running_workers(connection, scan_id):
            if _is_gone(worker):
                expire_worker(connection, scan_id, worker)
        reap(connection)
        if broker_holds < count_waiting(connection):
            sent_again = take_back_scan(connection, scan_id)
            log.info("scan %d: %d batches to send again", scan_id, sent_again)
        scan = get_scan(connection, scan_id)
        if scan.listed_at is None:
            restart_listing(connection, scan_id)
            scan = get_scan(connection, scan_id)
    if scan.listed_at is not None:
        return OpenedScan(scan, None)
    if not sources.repeatable:
        findings.add_problem("its list of names came through a pipe and cannot be read to its end")
    images = _list(ledger, sources, findings, settings, names=sources.repeatable)
    return OpenedScan(scan, images, findings)


def _is_gone(worker: str) -> bool:
    """Tell whether a process of this host has ended; of other hosts nothing is known."""
    host, _, number = worker.rpartition(":")
    return (
        host == socket.gethostname()
        and number != str(os.getpid())
        and not Path(f"/proc/{number}").exists()
    )
