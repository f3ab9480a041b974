"""Measure sweeps beside what a user would write or pick instead, on the same pictures and model, in turn.

    python -m benchmarks.sweep [--images FOLDER] [--count 2000] [--rounds 1] [--model plain|VERSION ...]

`plain` is the CNN of tutorials, 11 million parameters with random weights; a version is judged as it is published, with
faces found where it judges faces, while the peers that know no faces score whole images. Programs run in turn;
medians are shown. A quiet machine is wanted.
"""

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from benchmarks.machine import (
    COMMAND,
    REPOSITORY,
    copy_sample,
    describe_machine,
    started_postgresql,
    started_redis,
)
from benchmarks.peers.common import memory_mb

SLOW = {"keras_loop": 20, "celery_per_image": 5}  # a fraction of the pictures is enough
PEERS = (
    "bare_openvino",
    "bare_tensorflow",
    "tfdata_predict",
    "ray_data",
    "celery_per_image",
    "keras_loop",
)
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}

PLAIN = """
import sys
import keras
from keras import layers

keras.utils.set_random_seed(1)
model = keras.Sequential([keras.Input((224, 224, 3)), layers.Rescaling(1 / 255)])
for filters in (32, 64, 128):
    model.add(layers.Conv2D(filters, 3, activation="relu"))
    model.add(layers.MaxPooling2D())
model.add(layers.Flatten())
model.add(layers.Dense(128, activation="relu"))
model.add(layers.Dense(1, activation="sigmoid"))
model.save(sys.argv[1])
"""


@dataclass
class Measured:
    """What one run of one program tells."""

    images_per_s: float
    start_s: float
    peak_mb: float
    idle: float | None = None  # share of time in which the engine had nothing to score


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description="Measure sweeps.")
    default = os.environ.get("FAKESWEEP_TEST_DATA", str(REPOSITORY / "../shared/data"))
    parser.add_argument("--images", default=f"{default}/faces", help="folder of pictures")
    parser.add_argument("--count", type=int, default=2000, help="pictures to sweep")
    parser.add_argument("--rounds", type=int, default=1, help="rounds, in turn")
    parser.add_argument("--model", action="append", help="plain, or a version (repeatable)")
    options = parser.parse_args()
    os.environ.update(QUIET)
    print(f"{describe_machine()}; {options.count} pictures, {options.rounds} rounds")
    with tempfile.TemporaryDirectory(prefix="fakesweep-sweep-") as name:
        folder = Path(name)
        sample = copy_sample(Path(options.images), folder / "sample", options.count)
        for model in options.model or ["plain", "lite-1"]:
            programs = list_programs(folder, model, find_file(folder, model), len(sample))
            print(f"\n## {model}\n", flush=True)
            print_table(measure(programs, options.rounds))


def find_file(folder: Path, model: str) -> Path:
    """Find a version's file; `plain` is built and published first."""
    models = folder / "models"
    os.environ["FAKESWEEP_MODEL_DIR"] = str(models)
    if model == "plain" and not models.exists():
        file = folder / "plain.keras"
        subprocess.run([sys.executable, "-c", PLAIN, file], check=True, capture_output=True)
        subprocess.run(
            [COMMAND, "publish", file, "--version", model, "--force"],
            check=True,
            capture_output=True,
        )
    shown = subprocess.run(
        [COMMAND, "models", "show", model, "--json"], capture_output=True, check=True, text=True
    )
    return Path(json.loads(shown.stdout)["path"])


def list_programs(
    folder: Path, model: str, file: Path, count: int
) -> dict[str, Callable[[], Measured]]:
    """Name each program and how it is run once."""
    sample = folder / "sample"
    programs: dict[str, Callable[[], Measured]] = {
        "fakesweep scan, local": lambda: sweep_here(folder, sample, model),
        "fakesweep, 1 worker, Redis + PostgreSQL": lambda: sweep_queued(
            folder, sample, model, [None]
        ),
        "fakesweep, 1 worker on one core": lambda: sweep_queued(folder, sample, model, [{0}]),
        "fakesweep, 2 workers on a core each": lambda: sweep_queued(
            folder, sample, model, [{0}, {1}]
        ),
    }
    for peer in PEERS:
        if peer == "ray_data" and importlib.util.find_spec("ray") is None:
            continue
        programs[peer] = lambda peer=peer: run_peer(peer, file, sample, count)  # type: ignore[misc]
    return programs


def measure(programs: dict[str, Callable[[], Measured]], rounds: int) -> dict[str, list[Measured]]:
    """Run every program, round by round."""
    found: dict[str, list[Measured]] = {name: [] for name in programs}
    for _ in range(rounds):
        for name, run in programs.items():
            found[name].append(run())
    return found


def print_table(found: dict[str, list[Measured]]) -> None:
    """Print medians, and what share of them the local sweep is."""
    ours = statistics.median(run.images_per_s for run in found["fakesweep scan, local"])
    print(
        "| program | images/s | least to most | local sweep is | engine idle | start, s | peak MB |"
    )
    print("|---|---|---|---|---|---|---|")
    for name, runs in found.items():
        rates = [run.images_per_s for run in runs]
        median = statistics.median(rates)
        start_s = statistics.median(run.start_s for run in runs)
        peak_mb = max(run.peak_mb for run in runs)
        idle = [run.idle for run in runs if run.idle is not None]
        waits = f"{statistics.median(idle):.3f}" if idle else ""
        print(
            f"| {name} | {median:.1f} | {min(rates):.1f} to {max(rates):.1f} | {ours / median:.2f} x |"
            f" {waits} | {start_s:.1f} | {peak_mb:.0f} |",
            flush=True,
        )


def run_peer(peer: str, model: Path, sample: Path, count: int) -> Measured:
    """Run a peer in a process of its own."""
    command = [sys.executable, "-m", f"benchmarks.peers.{peer}", model, sample]
    asked = str(count // SLOW.get(peer, 1))
    done = subprocess.run(
        [*command, asked], capture_output=True, text=True, cwd=REPOSITORY, check=False
    )
    if done.returncode:
        sys.exit(f"{peer}: {done.stderr}")
    facts = json.loads(done.stdout.splitlines()[-1])
    return Measured(facts["images_per_s"], facts["start_s"], facts["peak_mb"])


def sweep_here(folder: Path, sample: Path, model: str) -> Measured:
    """Sweep inside the command, into a new SQLite ledger."""
    url = f"sqlite:///{folder}/ledger.db"
    command = [COMMAND, "scan", sample, "--model", model, "--fail-on", "never"]
    began = time.time()
    process = psutil.Popen(
        command,
        env=os.environ | {"FAKESWEEP_DATABASE_URL": url},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    peak_mb = 0.0
    while process.poll() is None:
        peak_mb = max(peak_mb, memory_mb(process))
        time.sleep(0.5)
    if process.returncode:
        sys.exit(f"{command} ended with {process.returncode}")
    rate, idle, first = read_rate(url, began)
    for path in folder.glob("ledger.db*"):
        path.unlink()
    return Measured(rate, first, peak_mb, idle)


def sweep_queued(folder: Path, sample: Path, model: str, cores: list[set[int] | None]) -> Measured:
    """Sweep through Redis and PostgreSQL with one worker for each set of cores, started before."""
    with servers() as environment:
        began = time.time()
        workers = [start_worker(environment, mine) for mine in cores]
        try:
            wait_for_workers(environment, len(workers))
            ready_s = time.time() - began
            command = [COMMAND, "scan", sample, "--model", model, "--fail-on", "never"]
            scan = subprocess.Popen(
                command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            peak_mb = 0.0
            while scan.poll() is None:
                peak_mb = max(peak_mb, sum(memory_mb(worker) for worker in workers))
                time.sleep(0.5)
            if scan.returncode:
                sys.exit(f"{command} ended with {scan.returncode}")
            rate, idle, _ = read_rate(environment["FAKESWEEP_DATABASE_URL"], began)
            return Measured(rate, ready_s, peak_mb, idle)
        finally:
            for worker in workers:
                worker.terminate()
            for worker in workers:
                worker.wait()


@contextmanager
def servers() -> Iterator[dict[str, str]]:
    """Start Redis and PostgreSQL, and give the environment that names them."""
    with (
        tempfile.TemporaryDirectory(prefix="fakesweep-servers-") as name,
        started_redis(Path(name)) as broker,
        started_postgresql(Path(name)) as database,
    ):
        environment = os.environ | {
            "FAKESWEEP_BROKER_URL": broker,
            "FAKESWEEP_DATABASE_URL": database,
        }
        subprocess.run([COMMAND, "db", "upgrade"], env=environment, check=True, capture_output=True)
        yield environment


def start_worker(environment: dict[str, str], cores: set[int] | None) -> psutil.Popen:
    """Start a worker, on these cores only if any are named."""
    pin = None if cores is None else lambda: os.sched_setaffinity(0, cores)
    return psutil.Popen(
        [COMMAND, "worker"],
        env=environment, preexec_fn=pin, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def wait_for_workers(environment: dict[str, str], count: int) -> None:
    """Wait until as many workers listen."""
    import redis

    client = redis.Redis.from_url(environment["FAKESWEEP_BROKER_URL"])
    while sum("brpop" in str(one.get("cmd")) for one in client.client_list()) < count:
        time.sleep(0.1)


def read_rate(url: str, began: float) -> tuple[float, float | None, float]:
    """Read what every worker judged after its first batch, how long it did not score, when the first closed.

    The first batch of each worker holds what it took to load the model.
    """
    sql = "SELECT worker, closed_at, images, score_s FROM batches ORDER BY closed_at"
    asked = subprocess.run(
        [COMMAND, "query", "--json", sql],
        env=os.environ | {"FAKESWEEP_DATABASE_URL": url},
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    closed: list[dict[str, Any]] = [json.loads(line) for line in asked.stdout.splitlines()]
    first = {row["worker"]: row["closed_at"] for row in reversed(closed)}
    start = max(first.values())
    counted = [row for row in closed if row["closed_at"] > start]
    images = sum(row["images"] for row in counted)
    elapsed_s = closed[-1]["closed_at"] - start
    # Of several workers the others are in the middle of a batch when the count begins.
    idle = 1 - sum(row["score_s"] for row in counted) / elapsed_s if len(first) == 1 else None
    return images / elapsed_s, idle, closed[0]["closed_at"] - began


if __name__ == "__main__":
    main()
