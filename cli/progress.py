"""The progress bar of a scan, on stderr."""

import os
import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from db.ledger import Ledger

REFRESH_S = 0.5
HINT_S = 15.0


class ScanProgress:
    """Shows how far a scan is; reads the ledger at most twice a second."""

    def __init__(self, ledger: "Ledger", scan_id: int) -> None:
        """Prepare; nothing is shown yet."""
        self.ledger = ledger
        self.scan_id = scan_id
        # A descriptor of its own: stderr is held while TensorFlow starts.
        descriptor = 2 if sys.stderr is not None else os.open(os.devnull, os.O_WRONLY)
        self.stream = os.fdopen(os.dup(descriptor), "w", errors="backslashreplace")
        self.console = Console(file=self.stream)
        self.bar = Progress(
            TextColumn("scan {task.fields[scan]}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[facts]}"),
            TimeRemainingColumn(),
            console=self.console,
            transient=True,
            disable=not self.console.is_terminal,
        )
        self.task = self.bar.add_task("", total=None, scan=scan_id, facts="")
        self.refreshed = 0.0
        self.began = time.monotonic()
        self.hinted = False

    def __enter__(self) -> "ScanProgress":
        """Show the bar."""
        self.bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Take the bar away."""
        self.bar.stop()
        self.stream.close()

    def refresh(self) -> None:
        """Show the present counts."""
        now = time.monotonic()
        if now - self.refreshed < REFRESH_S:
            return
        self.refreshed = now
        from db.counts import read_progress

        with self.ledger.read() as connection:
            progress = read_progress(connection, self.scan_id)
        total = progress.scan.images if progress.scan.listed_at else None
        facts = f"{progress.images_per_s:,.0f}/s  fake {progress.fake}  failed {progress.failed}"
        if total is None:
            facts = f"{progress.scan.images:,} found  {facts}"
        self.bar.update(self.task, completed=progress.closed, total=total, facts=facts)
        self._hint(bool(progress.workers), now)

    def _hint(self, workers: bool, now: float) -> None:
        if workers:
            self.hinted = True
        elif not self.hinted and now - self.began > HINT_S:
            self.hinted = True
            self.console.print("no worker has taken a batch yet; start one with: fakesweep worker")
