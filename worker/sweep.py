"""Sweep one batch: claim it, judge its images, write all verdicts at once. Knows no Celery."""

import logging
import os
import socket
import time
from functools import partial

from db.batches import (
    Claim,
    ImageOutcome,
    Seconds,
    claim_batch,
    close_batch,
    judged_contents,
    release_batch,
    renew_lease,
)
from db.ledger import Ledger, open_ledger
from db.scans import finish_scans
from fakesweep.errors import LedgerError, ModelError
from fakesweep.settings import Settings
from worker.detectors import LoadedDetectors
from worker.judging import judge_images
from worker.threads import ImageThreads

log = logging.getLogger(__name__)

RETRY_S = 2.0


class LeaseLost(Exception):
    """The batch was given to another process while this one judged it."""


def worker_name() -> str:
    """Name this process: host and process number."""
    return f"{socket.gethostname()}:{os.getpid()}"


class Sweeper:
    """What one judging process keeps between batches: connections, threads, loaded models."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.ledger: Ledger = open_ledger(settings.database_url)
        self.detectors = LoadedDetectors(settings)
        self.threads = ImageThreads(settings)
        self.name = worker_name()

    def close(self) -> None:
        """End the threads and close the connections."""
        self.threads.close()
        self.ledger.close()

    def sweep(self, batch_id: int, model_version: str) -> int | None:
        """Judge one batch and write its verdicts; a batch that is not to be judged is left alone.

        Returns:
            The number of images that got a row; None when the batch was not to be judged, or when
            its claim was lost to another process.

        Raises:
            ModelError: The model version cannot be loaded here, or gives no scores; the batch is not
                held.
            LedgerError: The database failed; the lease ends and the batch is recovered.
        """
        self.detectors.get(model_version)  # before the claim, so that loading uses up no lease
        started = time.monotonic()
        spent = Seconds()
        claim = None
        try:  # an interrupt may come as the claim is committed
            with self.ledger.write() as connection:
                claim = claim_batch(
                    connection, batch_id, worker=self.name, lease_s=self.settings.lease_s
                )
            if claim is None:
                log.info("batch %d: closed, held elsewhere, paused or cancelled", batch_id)
                return None
            outcomes = self._judge(claim, spent)
            closed = self._close(claim, outcomes, spent)
        except LeaseLost:
            closed = False
        except (KeyboardInterrupt, ModelError):
            if claim is not None:
                with self.ledger.write() as connection:
                    release_batch(connection, claim)
            raise
        if claim is None or not closed:
            log.warning("batch %d: its lease was lost; another process judges it", batch_id)
            return None
        # A second transaction: of two processes that close the last two batches at the same time,
        # the later one sees both closed.
        with self.ledger.write() as connection:
            finish_scans(connection)
        seconds = time.monotonic() - started
        log.info(
            "scan %d: batch %d, %d images in %.2f s",
            claim.scan_id,
            batch_id,
            len(outcomes),
            seconds,
        )
        return len(outcomes)

    def _close(self, claim: Claim, outcomes: list[ImageOutcome], spent: Seconds) -> bool:
        """Write the outcomes; a database that is away for less than a lease costs no work.

        Raises:
            LedgerError: The database stayed away.
        """
        began = time.monotonic()
        while True:
            try:
                with self.ledger.write() as connection:
                    return close_batch(connection, claim, outcomes, spent)
            except LedgerError as error:
                if time.monotonic() - began > self.settings.lease_s / 2:
                    raise
                log.warning("batch %d: %s; tried again", claim.batch_id, error)
                time.sleep(min(RETRY_S, self.settings.lease_s / 8))

    def _judge(self, claim: Claim, spent: Seconds) -> list[ImageOutcome]:
        renewal = _Renewal(self.ledger, claim, self.settings.lease_s)
        return list(
            judge_images(
                claim.images,
                self.detectors.get(claim.model_version),
                threads=self.threads,
                known=None if claim.rescan else partial(self._known, claim.model_version),
                progress=renewal.keep,
                seconds=spent,
            )
        )

    def _known(self, model_version: str, hashes: list[str]) -> dict[str, ImageOutcome]:
        with self.ledger.read() as connection:
            return judged_contents(connection, hashes, model_version)


class _Renewal:
    """Renews a lease as long as images come through; a process that hangs renews nothing."""

    def __init__(self, ledger: Ledger, claim: Claim, lease_s: float) -> None:
        self.ledger = ledger
        self.claim = claim
        self.lease_s = lease_s
        self.renewed = time.monotonic()

    def keep(self) -> None:
        """Renew when a quarter of the lease is used up.

        Raises:
            LeaseLost: The claim is no longer held.
        """
        if time.monotonic() - self.renewed < self.lease_s / 4:
            return
        with self.ledger.write() as connection:
            if not renew_lease(connection, self.claim, self.lease_s):
                raise LeaseLost
        self.renewed = time.monotonic()
