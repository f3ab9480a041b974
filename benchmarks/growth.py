"""Measure how the ledger grows: with the number of images, and with the number of workers.

    python -m benchmarks.growth [--largest 1000000] [--workers 32] [--output FOLDER]

Workers are processes that claim batches, wait as long as a detector of `--rate` images a second would take, and
close them: what is measured is PostgreSQL, Redis and the statements, on one machine. Writes two plots.
"""

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import redis
from matplotlib.figure import Figure
from sqlalchemy import text

from benchmarks.ledger import make_tree, record
from benchmarks.machine import REPOSITORY, started_postgresql, started_redis
from db.batches import ImageOutcome, claim_batch, close_batch
from db.ledger import open_ledger

STEPS = (("record", "record new images"), ("judge", "write verdicts"), ("record", "skip unchanged"))
QUEUE = "growth"
IMAGES = 128  # of a batch


def main() -> None:
    """Parse, measure, plot."""
    parser = argparse.ArgumentParser(description="Measure growth.")
    parser.add_argument(
        "--largest", type=int, default=1_000_000, help="images of the largest archive"
    )
    parser.add_argument("--workers", type=int, default=32, help="most workers")
    parser.add_argument("--rate", type=float, default=150.0, help="images a second of one stand-in")
    parser.add_argument("--seconds", type=float, default=15.0, help="of each number of workers")
    parser.add_argument("--output", type=Path, default=REPOSITORY / "benchmarks/figures")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    sizes = [size for size in (1000, 10_000, 100_000, 1_000_000) if size <= options.largest]
    by_size = {size: measure_size(size) for size in sizes}
    plot_sizes(by_size, options.output / "archive_size.png")
    counts = [count for count in (1, 2, 4, 8, 16, 32) if count <= options.workers]
    by_count = {count: measure_workers(count, options.rate, options.seconds) for count in counts}
    plot_workers(by_count, options.rate, options.output / "workers.png")


def measure_size(size: int) -> list[dict[str, float]]:
    """Record, judge and list again an archive of so many empty files on PostgreSQL."""
    with tempfile.TemporaryDirectory(prefix="fakesweep-growth-") as name:
        folder = Path(name)
        make_tree(folder / "tree", size)
        with started_postgresql(folder) as url:
            found = []
            for step, words in STEPS:
                command = [sys.executable, "-m", "benchmarks.ledger", "--step", step]
                done = subprocess.run(
                    [*command, "--url", url, "--folder", name],
                    capture_output=True, text=True, cwd=REPOSITORY, check=True,
                )  # fmt: skip
                facts = json.loads(done.stdout.splitlines()[-1])
                print(
                    f"| {size:,} images | {words} | {facts['rate']:,.0f}/s | {facts['peak_mb']:.0f} MB |"
                )
                found.append(facts)
            with open_ledger(url).read() as connection:
                used = "SELECT pg_total_relation_size('verdicts')"
                table = connection.execute(text(used)).scalar_one()
            print(
                f"| {size:,} images | bytes of the table and its indexes, each image | {table / size:,.0f} |"
            )
    return found


def measure_workers(count: int, rate: float, seconds: float) -> tuple[float, int]:
    """Let so many stand-ins work; gives images a second, and the least batches that waited."""
    images = int(count * rate * seconds * 1.5) // 1000 * 1000 + 1000
    with tempfile.TemporaryDirectory(prefix="fakesweep-growth-") as name:
        folder = Path(name)
        make_tree(folder / "tree", images)
        os.environ["FAKESWEEP_MESSAGE_IMAGES"] = str(IMAGES)
        with started_postgresql(folder) as url, started_redis(folder) as broker:
            record(folder, url)
            client = redis.Redis.from_url(broker)
            with open_ledger(url).read() as connection:
                client.rpush(QUEUE, *connection.execute(text("SELECT id FROM batches")).scalars())
            context = multiprocessing.get_context("spawn")
            stop_at = context.Value("d", 0.0)
            closed = context.Value("l", 0)
            processes = [
                context.Process(target=stand_in, args=(url, broker, rate, stop_at, closed))
                for _ in range(count)
            ]
            for process in processes:
                process.start()
            while closed.value < count * IMAGES:  # all of them work
                time.sleep(0.05)
            before, began = closed.value, time.time()
            stop_at.value = began + seconds
            time.sleep(seconds)
            done, took = closed.value - before, time.time() - began
            waiting = int(client.llen(QUEUE))
            for process in processes:
                process.join()
    print(
        f"| {count} workers | {done / took:,.0f} images/s | {done / took / (count * rate):.2f} of all | {waiting} batches wait |",
        flush=True,
    )
    return done / took, waiting


def stand_in(url: str, broker: str, rate: float, stop_at: object, closed: object) -> None:
    """Claim, wait and close until told to stop."""
    ledger = open_ledger(url)
    client = redis.Redis.from_url(broker)
    while not stop_at.value or time.time() < stop_at.value:
        taken = client.blpop([QUEUE], timeout=1)
        if taken is None:
            continue
        with ledger.write() as connection:
            claim = claim_batch(connection, int(taken[1]), worker=str(os.getpid()), lease_s=60.0)
        if claim is None:
            continue
        time.sleep(len(claim.images) / rate)
        outcomes = [
            ImageOutcome(
                uri=uri,
                status="done",
                verdict="real",
                score=0.01,
                sha256=f"{number:064x}",
                faces="[]",
            )
            for uri, number in claim.images.items()
        ]
        with ledger.write() as connection:
            close_batch(connection, claim, outcomes)
        with closed.get_lock():
            closed.value += len(outcomes)
    ledger.close()


def plot_sizes(found: dict[int, list[dict[str, float]]], path: Path) -> None:
    """Plot rates and memory against the number of images."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    rates, memory = figure.subplots(1, 2)
    for number, (_, words) in enumerate(STEPS):
        rates.plot(
            list(found), [runs[number]["rate"] for runs in found.values()], "o-", label=words
        )
        memory.plot(
            list(found), [runs[number]["peak_mb"] for runs in found.values()], "o-", label=words
        )
    for axes, title in ((rates, "images a second"), (memory, "peak memory, MB")):
        axes.set(xscale="log", xlabel="images of the archive", title=title, ylim=(0, None))
        axes.legend(frameon=False)
    figure.savefig(path, dpi=110)


def plot_workers(found: dict[int, tuple[float, int]], rate: float, path: Path) -> None:
    """Plot images a second against the number of workers, beside what they could do alone."""
    figure = Figure(figsize=(5, 3.6), layout="constrained")
    axes = figure.subplots()
    axes.plot(
        list(found), [count * rate for count in found], ":", color="grey", label="stand-ins alone"
    )
    axes.plot(
        list(found),
        [images for images, _ in found.values()],
        "o-",
        label="through Redis and PostgreSQL",
    )
    axes.set(xscale="log", yscale="log", xlabel="workers", title="images a second")
    axes.legend(frameon=False)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
