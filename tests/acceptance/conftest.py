"""The installed command, real workers, real Redis and PostgreSQL."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from db.counts import read_progress, scan_facts
from db.ledger import open_ledger

COMMAND = str(Path(sys.executable).parent / "fakesweep")
PATIENCE_S = 240.0

Environment = dict[str, str]


class Installation:
    """One installation of fakesweep: its settings as variables, its command and its workers."""

    def __init__(self, folder: Path, **variables: Any) -> None:
        self.folder = folder
        self.workers: list[subprocess.Popen[bytes]] = []
        self.environment = {
            **os.environ,
            **{f"FAKESWEEP_{name.upper()}": str(value) for name, value in variables.items()},
        }

    def run(self, *arguments: str, status: int | None = None, **options: Any) -> str:
        """Run the command to its end; gives stdout."""
        done = subprocess.run(
            [COMMAND, *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
            **options,
        )
        expected = (0, 1) if status is None else (status,)
        assert done.returncode in expected, f"{arguments}: {done.returncode}\n{done.stderr}"
        return done.stdout

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start the command and leave it running, in a process group of its own."""
        with (self.folder / f"log-{len(list(self.folder.glob('log-*')))}").open("wb") as log:
            return subprocess.Popen(
                [COMMAND, *arguments],
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def start_worker(self, **variables: Any) -> subprocess.Popen[bytes]:
        """Start a worker."""
        self.environment.update(
            {f"FAKESWEEP_{name.upper()}": str(value) for name, value in variables.items()}
        )
        worker = self.start("worker", "--hostname", f"w{len(self.workers)}@%h")
        self.workers.append(worker)
        return worker

    def status(self, scan_id: int) -> dict[str, Any]:
        """Look at a scan, without the start of a command each time."""
        ledger = open_ledger(self.environment["FAKESWEEP_DATABASE_URL"])
        try:
            with ledger.read() as connection:
                return scan_facts(read_progress(connection, scan_id))
        finally:
            ledger.close()

    def wait_until(self, scan_id: int, reached: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Wait until a scan is as it should be."""
        began = time.monotonic()
        while time.monotonic() - began < PATIENCE_S:
            facts = self.status(scan_id)
            if reached(facts):
                return facts
            time.sleep(0.1)
        logs = "\n".join(path.read_text()[-3000:] for path in sorted(self.folder.glob("log-*")))
        raise AssertionError(f"scan {scan_id} stayed {facts}\n{logs}")

    def rows(self, scan_id: int) -> list[dict[str, Any]]:
        """Export a scan's rows, in the order of their names."""
        output = self.folder / "rows.jsonl"
        self.run("export", str(scan_id), "--output", str(output))
        return sorted(
            (json.loads(line) for line in output.read_text().splitlines()),
            key=lambda row: str(row["uri"]),
        )

    def stop(self) -> None:
        """End all workers at once."""
        for worker in self.workers:
            kill(worker)


def kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a process and its children, as a power cut would."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def closed(facts: dict[str, Any]) -> bool:
    """Whether a scan is done."""
    return bool(facts["status"] == "done")


def judged(facts: dict[str, Any]) -> int:
    """How many images of a scan have an outcome."""
    return sum(facts[name] for name in ("fake", "real", "uncertain", "no_face", "failed"))


@pytest.fixture
def queued(
    tmp_path: Path, broker_url: str, postgresql_url: str, small_models: Path
) -> Iterator[Installation]:
    """An installation with broker and PostgreSQL; small batches and short leases."""
    installation = Installation(
        tmp_path,
        database_url=postgresql_url,
        broker_url=broker_url,
        model_dir=small_models,
        batch_size=8,
        message_images=8,
        threads=1,
        lease_s=4,
        tend_s=0.5,
        log_level="INFO",
    )
    yield installation
    installation.stop()


@pytest.fixture
def local(tmp_path: Path, small_models: Path) -> Installation:
    """An installation of the embedded default."""
    return Installation(
        tmp_path,
        database_url=f"sqlite:///{tmp_path}/local.db",
        model_dir=small_models,
        batch_size=8,
        message_images=8,
        threads=1,
    )
