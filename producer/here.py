"""Sweep a scan inside this process: the embedded default, without broker and workers."""

import logging
import threading
import time
from collections.abc import Callable

from db.batches import next_batch
from db.ledger import Ledger
from db.scans import finish_scans, get_scan
from db.tending import has_open_batch, reap
from fakesweep.settings import Settings
from producer.listing import ListingStopped, record_images
from producer.scan import OpenedScan
from producer.sources import Sources
from worker.sweep import Sweeper

log = logging.getLogger(__name__)

IDLE_S = 0.05  # while the listing goes on
WAIT_S = 0.5  # while another process holds the last batches


def sweep_here(
    ledger: Ledger, opened: OpenedScan, *, settings: Settings, observe: Callable[[], None]
) -> None:
    """List and judge a scan to its end, or until it is paused or cancelled.

    Listing runs in a thread ahead of judging. `observe` is called after every batch.

    Raises:
        FakesweepError: Listing or judging cannot go on; what is recorded stays, and can be resumed.
        KeyboardInterrupt: Interrupted; the batch in hand is given back first.
    """
    listing = _Listing(ledger, opened, settings)
    sweeper = Sweeper(settings)
    try:
        _judge(ledger, opened.scan.id, sweeper, listing, observe)
    finally:
        listing.stop()
        sweeper.close()
    listing.raise_error()


def _judge(
    ledger: Ledger,
    scan_id: int,
    sweeper: Sweeper,
    listing: "_Listing",
    observe: Callable[[], None],
) -> None:
    while True:
        listed = not listing.is_alive()  # before the look at the ledger, not after it
        with ledger.read() as connection:
            scan = get_scan(connection, scan_id)
            batch_id = next_batch(connection, scan_id)
        if listing.error or not scan.open:
            return
        if scan.paused:
            listing.end_if_not_repeatable()
            return
        if batch_id is not None:
            sweeper.sweep(batch_id, scan.model_version)
            observe()
        elif listed and not _is_anything_open(ledger, scan_id):
            return
        else:
            time.sleep(WAIT_S if listed else IDLE_S)


def _is_anything_open(ledger: Ledger, scan_id: int) -> bool:
    """Close the scan if it is complete; else recover what another process that held it has lost."""
    with ledger.write() as connection:
        reap(connection)
        finish_scans(connection)
        return has_open_batch(connection, scan_id)


class _Listing:
    """The listing of a scan in a thread of its own."""

    def __init__(self, ledger: Ledger, opened: OpenedScan, settings: Settings) -> None:
        self.opened = opened
        self.error: Exception | None = None
        self.stopped = threading.Event()
        self.thread = threading.Thread(
            target=self._run, args=(ledger, settings), name="listing", daemon=True
        )
        if opened.images is not None:
            self.thread.start()

    def is_alive(self) -> bool:
        return self.thread.is_alive()

    def end_if_not_repeatable(self) -> None:
        """Let a list that cannot be read again be recorded to its end, for `resume`."""
        if self.is_alive() and not Sources.from_json(self.opened.scan.sources).repeatable:
            self.thread.join()

    def stop(self) -> None:
        self.stopped.set()
        if self.thread.ident is not None:
            self.thread.join()

    def raise_error(self) -> None:
        if self.error is not None:
            raise self.error

    def _run(self, ledger: Ledger, settings: Settings) -> None:
        try:
            record_images(
                ledger,
                self.opened.scan,
                self.opened.images or (),
                self.opened.findings,
                settings=settings,
                stop=self.stopped,
            )
        except ListingStopped:
            log.info("scan %d: the listing was stopped", self.opened.scan.id)
        except Exception as error:  # whatever it is, the thread that judges must hear of it
            self.error = error
