"""The one Celery task, and what a worker process does around it."""

import logging
import socket
import time
from collections.abc import Sequence
from typing import Any

from celery import Celery, bootsteps
from celery.signals import worker_process_shutdown

from db.health import note_round
from db.ledger import open_ledger
from db.scans import note_missing_model
from db.tending import take_back
from fakesweep.errors import BrokerError, FakesweepError, LedgerError, ModelError
from fakesweep.settings import Settings
from worker.app import TASK, make_app
from worker.messages import BatchMessage
from worker.notify import Teller
from worker.sweep import Sweeper
from worker.tend import feed, tend

log = logging.getLogger(__name__)

HAND_BACK_S = 10.0
HAND_BACK_TRIES = 60
TOLD_AGAIN_S = 60.0


class Tender(bootsteps.StartStopStep):  # type: ignore[misc]  # Celery carries no types
    """Tends the queue from the worker's main process, which lives on when a child is killed."""

    requires = ("celery.worker.components:Timer",)

    def __init__(self, parent: Any, **options: Any) -> None:
        self.timer: Any = None
        self.teller = Teller()

    def start(self, parent: Any) -> None:
        """Begin to look after the queue every `tend_s` seconds."""
        settings: Settings = parent.app.fakesweep_settings

        def look() -> None:
            tend_quietly(parent.app, settings)
            self.teller.look(settings)

        self.timer = parent.timer.call_repeatedly(settings.tend_s, look, priority=10)

    def stop(self, parent: Any) -> None:
        """End."""
        if self.timer is not None:
            self.timer.cancel()


def tend_quietly(app: Celery, settings: Settings) -> None:
    """Do one round; a broker or database that is away for a while only makes a log line."""
    # Unpooled: children are forked from this process, and must not inherit a connection.
    ledger = open_ledger(settings.database_url, pooled=False)
    try:
        with ledger.write() as connection:
            note_round(connection, "worker", socket.gethostname())
        tend(app, ledger, settings)
    except FakesweepError as error:
        log.warning("tending the queue: %s", error)
    finally:
        ledger.close()


def worker_app(settings: Settings) -> Celery:
    """Make the Celery app of a worker: the task, and the tender in its main process."""
    app = make_app(settings)
    app.fakesweep_settings = settings
    app.steps["worker"].add(Tender)
    sweepers: list[Sweeper] = []
    told: dict[str, float] = {}  # when this process last logged that it lacks a model version

    def sweeper() -> Sweeper:
        # Made at the first batch, in the child: neither a loaded engine nor a database
        # connection survives a fork.
        if not sweepers:
            sweepers.append(Sweeper(settings))
        return sweepers[0]

    @app.task(name=TASK, shared=False)  # type: ignore[untyped-decorator]  # Celery carries no types
    def judge_batch(fields: dict[str, Any]) -> None:
        """Judge one batch; runs twice with the same outcome."""
        message = BatchMessage.from_json(fields)
        mine = sweeper()
        try:
            mine.sweep(message.batch_id, message.model_version)
        except ModelError as error:
            if time.monotonic() - told.get(message.model_version, -TOLD_AGAIN_S) >= TOLD_AGAIN_S:
                told[message.model_version] = time.monotonic()
                log.error("scan %d: %s; its batches are handed back", message.scan_id, error)
            _note_missing_model(mine, message.scan_id, error)
            _hand_back(mine, message.batch_id)
            return
        except LedgerError as error:
            log.error("batch %d of scan %d: %s", message.batch_id, message.scan_id, error)
            _hand_back(mine, message.batch_id)
            return
        try:
            feed(app, mine.ledger, settings.high_water)
        except (BrokerError, LedgerError) as error:
            log.warning("feeding the queue: %s", error)

    def close_sweeper(**_: Any) -> None:
        for mine in sweepers:
            mine.close()

    worker_process_shutdown.connect(close_sweeper, weak=False)
    return app


def _note_missing_model(mine: Sweeper, scan_id: int, error: ModelError) -> None:
    """Let `status` show why a scan stands still; the next worker that claims a batch takes it back."""
    try:
        with mine.ledger.write() as connection:
            note_missing_model(connection, scan_id, str(error))
    except LedgerError as trouble:
        log.warning("scan %d: %s", scan_id, trouble)


def _hand_back(mine: Sweeper, batch_id: int) -> None:
    """Leave a batch that cannot be judged here to be sent again, to a worker that may be able to.

    It waits first, so that a worker without the model or the database does not snatch at messages.
    """
    for _ in range(HAND_BACK_TRIES):
        time.sleep(HAND_BACK_S)
        try:
            with mine.ledger.write() as connection:
                take_back(connection, [batch_id])
        except LedgerError as error:
            log.warning("batch %d is not handed back yet: %s", batch_id, error)
        else:
            return


def run_worker(settings: Settings, arguments: Sequence[str]) -> None:
    """Run a Celery worker until it is told to stop; `arguments` go to Celery as they are."""
    worker_app(settings).worker_main(
        ["worker", "--queues", "high,bulk", "--loglevel", settings.log_level, *arguments]
    )
