"""Celery beat that begins the scans of schedules, each in a process of its own."""

import logging
import signal
import socket
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from celery import Celery
from celery.beat import Scheduler, Service

from db.health import note_round
from db.ledger import open_ledger
from fakesweep.errors import FakesweepError
from fakesweep.settings import Settings
from producer.schedules import DueRun, read_settings, take_due

log = logging.getLogger(__name__)

LONGEST_S = 20.0  # between two looks at the ledger


def run_beat(app: Celery, settings: Settings, command: Sequence[str]) -> None:
    """Look for due schedules until told to stop.

    Args:
        command: Begins the scan of a run; the schedule's name and the run's number follow it.

    Raises:
        SourceError: The settings file holds a schedule that cannot be.
        LedgerError: The database does not answer at the start.
    """
    ledger = open_ledger(settings.database_url)
    read_settings(ledger, settings)
    running: list[subprocess.Popen[bytes]] = []

    class LedgerScheduler(Scheduler):  # type: ignore[misc]  # Celery carries no types
        """Keeps no times of its own: the ledger holds them."""

        def tick(self, *_: Any, **__: Any) -> float:
            running[:] = [process for process in running if process.poll() is None]
            try:
                with ledger.write() as connection:
                    note_round(connection, "beat", socket.gethostname())
                for run in take_due(ledger, settings, datetime.now(UTC)):
                    log.info("schedule %s is due since %s", run.schedule.name, run.due_at)
                    running.append(_begin(command, run))
            except FakesweepError as error:
                log.warning("looking for due schedules: %s", error)
            return float(min(LONGEST_S, 60.0 - datetime.now(UTC).second + 0.1))

    def stop(_signal: int, _frame: Any) -> None:
        raise SystemExit

    signal.signal(signal.SIGTERM, stop)
    try:
        Service(app, max_interval=LONGEST_S, scheduler_cls=LedgerScheduler).start()
    finally:
        for process in running:
            if process.poll() is None:
                process.terminate()  # an interrupted listing goes on with the next run
        for process in running:
            process.wait()
        ledger.close()


def _begin(command: Sequence[str], run: DueRun) -> subprocess.Popen[bytes]:
    return subprocess.Popen([*command, run.schedule.name, str(run.run_id)])  # noqa: S603  (ours)
