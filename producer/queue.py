"""Sweep a scan through the queue: record, feed, and wait for the workers."""

import logging
import time
from collections.abc import Callable

from celery import Celery

from db.ledger import Ledger
from db.scans import get_scan
from fakesweep.errors import BrokerError, LedgerError
from fakesweep.settings import Settings
from producer.listing import ListingStopped, record_images
from producer.scan import OpenedScan
from worker.tend import feed, tend

log = logging.getLogger(__name__)

POLL_S = 0.5
PATIENCE_S = 60.0  # a database that restarts is back by then


def enqueue(
    app: Celery,
    ledger: Ledger,
    opened: OpenedScan,
    *,
    settings: Settings,
    observe: Callable[[], None],
) -> None:
    """List a scan to its end, with never more than `high_water` batches waiting in the broker.

    What does not fit stays in the ledger: workers send it on as they close batches.

    Raises:
        LedgerError: The database failed; the scan can be resumed.
    """

    def recorded() -> None:
        _feed(app, ledger, settings)
        observe()

    if opened.images is not None:
        try:
            record_images(
                ledger,
                opened.scan,
                opened.images,
                opened.findings,
                settings=settings,
                recorded=recorded,
            )
        except ListingStopped:
            log.warning("scan %d: cancelled, or listed by another process now", opened.scan.id)
    tend_patiently(app, ledger, settings)


def wait_for_workers(
    app: Celery,
    ledger: Ledger,
    scan_id: int,
    *,
    settings: Settings,
    observe: Callable[[], None],
) -> None:
    """Wait until a scan is closed or paused, tending the queue meanwhile.

    Raises:
        LedgerError: The database stayed away for `PATIENCE_S`; the workers go on when it is back.
    """
    tended = answered = time.monotonic()
    while True:
        try:
            observe()
            with ledger.read() as connection:
                scan = get_scan(connection, scan_id)
            if not scan.open or scan.paused:
                return
            if time.monotonic() - tended > settings.tend_s:
                tend_patiently(app, ledger, settings)
                tended = time.monotonic()
            answered = time.monotonic()
        except LedgerError as error:
            if time.monotonic() - answered > PATIENCE_S:
                raise
            log.warning("%s; asked again", error)
        time.sleep(POLL_S)


def _feed(app: Celery, ledger: Ledger, settings: Settings) -> None:
    try:
        feed(app, ledger, settings.high_water)
    except BrokerError as error:
        log.warning("%s; the batches stay in the ledger", error)


def tend_patiently(app: Celery, ledger: Ledger, settings: Settings) -> None:
    """Tend the queue; a broker that is away for a while loses nothing, the ledger holds it all."""
    try:
        tend(app, ledger, settings)
    except BrokerError as error:
        log.warning("%s; the batches stay in the ledger", error)
