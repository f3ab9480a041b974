"""Keep batches moving: fill the queue up to its high-water mark, recover lost batches."""

import logging

from celery import Celery

from db.ledger import Ledger
from db.scans import finish_scans
from db.tending import UnsentBatch, reap, take_back, take_back_lost, take_unsent
from fakesweep.errors import BrokerError
from fakesweep.settings import Settings
from worker.broker import send_batch, waiting_messages
from worker.messages import BatchMessage

log = logging.getLogger(__name__)


def feed(app: Celery, ledger: Ledger, high_water: int) -> int:
    """Send queued batches until `high_water` of them wait in the broker; returns how many.

    The mark is committed before a message is sent: a message that is lost is found by its mark, a
    message that is doubled finds its batch claimed.

    Raises:
        BrokerError: The broker did not take all; those it did not take are marked as not sent.
    """
    with ledger.write() as connection:
        unsent = take_unsent(connection, high_water)
    for done, batch in enumerate(unsent):
        try:
            send_batch(app, _message(batch), batch.priority)
        except BrokerError:
            with ledger.write() as connection:
                take_back(connection, [left.batch_id for left in unsent[done:]])
            raise
    return len(unsent)


def _message(batch: UnsentBatch) -> BatchMessage:
    return BatchMessage(batch.batch_id, batch.scan_id, batch.model_version, batch.images)


def tend(app: Celery, ledger: Ledger, settings: Settings) -> None:
    """Do one round: recover expired leases and lost messages, close finished scans, feed.

    Raises:
        BrokerError: The broker does not answer.
        LedgerError: The database does not answer.
    """
    with ledger.write() as connection:
        reap(connection)
        finish_scans(connection)
    if waiting_messages(app) == 0:
        # The broker holds nothing, so a batch sent a lease ago and not claimed is lost.
        with ledger.write() as connection:
            lost = take_back_lost(connection, settings.lease_s)
        if lost:
            log.warning("the broker lost %d batches; they are sent again", lost)
    feed(app, ledger, settings.high_water)
