"""Measure a local sweep beside a bare loop on the same pictures and model, and the producer.

    python -m benchmarks.run [--images FOLDER] [--count 2000] [--rounds 3] [--files 200000]

Prints Markdown tables. Rounds are interleaved, medians shown; a quiet machine is wanted.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

COMMAND = str(Path(sys.executable).parent / "fakesweep")
REPOSITORY = Path(__file__).parent.parent


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description="Measure fakesweep.")
    default = os.environ.get("FAKESWEEP_TEST_DATA", str(REPOSITORY / "../shared/data"))
    parser.add_argument("--images", default=f"{default}/faces", help="folder of pictures")
    parser.add_argument("--count", type=int, default=2000, help="pictures to sweep")
    parser.add_argument("--rounds", type=int, default=3, help="rounds, interleaved")
    parser.add_argument("--files", type=int, default=200_000, help="files for the producer")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fakesweep-bench-") as folder:
        measure_sweep(Path(folder), Path(options.images), options.count, options.rounds)
        measure_producer(Path(folder), options.files)


def measure_sweep(folder: Path, images: Path, count: int, rounds: int) -> None:
    """Sweep linked pictures with the product and with the bare loop, in turn."""
    names = sorted(path for path in images.rglob("*") if path.is_file())
    if len(names) < count:
        sys.exit(f"{images} holds {len(names)} files, {count} are wanted; name others: --images")
    sample = folder / "sample"
    sample.mkdir()
    for number, name in enumerate(names[:: max(1, len(names) // count)][:count]):
        (sample / f"{number:06}{name.suffix}").write_bytes(name.read_bytes())
    shown = subprocess.run(
        [COMMAND, "models", "show", "--json"], capture_output=True, check=True, text=True
    )
    model = json.loads(shown.stdout)["path"]
    rates: dict[str, list[float]] = {"bare loop": [], "fakesweep scan": []}
    walls: dict[str, list[float]] = {"bare loop": [], "fakesweep scan": []}
    for _ in range(rounds):
        loop = [sys.executable, "-m", "benchmarks.bare_loop", model, str(sample), str(count)]
        began = time.time()
        done = subprocess.run(loop, capture_output=True, check=True, text=True)
        walls["bare loop"].append(time.time() - began)
        rates["bare loop"].append(json.loads(done.stdout)["images_per_s"])
        rate, wall = sweep_once(folder, sample, count)
        rates["fakesweep scan"].append(rate)
        walls["fakesweep scan"].append(wall)
    floor = statistics.median(rates["bare loop"])
    print(f"\nSweep of {count} pictures, {rounds} rounds\n")
    print("| program | images/s | least to most | of the bare loop | with start-up, s |")
    print("|---|---|---|---|---|")
    for name, values in rates.items():
        median = statistics.median(values)
        print(
            f"| {name} | {median:.1f} | {min(values):.1f} to {max(values):.1f} |"
            f" {median / floor:.2f} | {statistics.median(walls[name]):.1f} |"
        )


def sweep_once(folder: Path, sample: Path, count: int) -> tuple[float, float]:
    """Sweep into a new SQLite ledger.

    Returns:
        Images a second between the first and the last closed batch, and seconds of the whole command.
    """
    database = folder / "ledger.db"
    environment = os.environ | {"FAKESWEEP_DATABASE_URL": f"sqlite:///{database}"}
    began = time.time()
    subprocess.run(
        [COMMAND, "scan", str(sample), "--fail-on", "never"],
        env=environment, check=True, capture_output=True,
    )  # fmt: skip
    wall = time.time() - began
    sql = "SELECT closed_at, images FROM batches ORDER BY closed_at"
    asked = subprocess.run(
        [COMMAND, "query", "--json", sql],
        env=environment, check=True, capture_output=True, text=True,
    )  # fmt: skip
    closed: list[dict[str, Any]] = [json.loads(line) for line in asked.stdout.splitlines()]
    seconds = closed[-1]["closed_at"] - closed[0]["closed_at"]
    for path in folder.glob("ledger.db*"):
        path.unlink()
    return (count - closed[0]["images"]) / seconds, wall


def measure_producer(folder: Path, files: int) -> None:
    """Walk and record empty files, then walk them again; memory is the process's own peak."""
    from db.ledger import open_ledger
    from db.scans import create_scan, get_scan
    from db.upgrade import prepare
    from fakesweep.settings import Settings
    from producer.findings import Findings
    from producer.listing import record_images
    from producer.sources import named_sources
    from producer.walk import find_images
    from worker.read import archive_limits

    tree = folder / "tree"
    for number in range(files):
        if number % 1000 == 0:
            (tree / f"{number // 1000:04}").mkdir(parents=True)
        (tree / f"{number // 1000:04}/{number:07}.jpg").touch()
    url = f"sqlite:///{folder}/producer.db"
    settings = Settings(database_url=url)
    ledger = open_ledger(url)
    prepare(ledger)
    with ledger.write() as connection:
        scan_id = create_scan(
            connection,
            sources={}, model_version="none", priority="bulk", rescan=False,
        )  # fmt: skip
        scan = get_scan(connection, scan_id)
    process = psutil.Process()
    before_mb = process.memory_info().rss / 1e6
    findings = Findings()
    began = time.perf_counter()
    images = find_images(named_sources([str(tree)], None), findings, archive_limits(settings))
    record_images(ledger, scan, images, findings, settings=settings)
    seconds = time.perf_counter() - began
    grown_mb = process.memory_info().rss / 1e6 - before_mb
    ledger.close()
    print(f"\nProducer, {files} new files on SQLite\n")
    print("| files/s, walk to committed rows | memory grown by |\n|---|---|")
    print(f"| {files / seconds:,.0f} | {grown_mb:.0f} MB |")


if __name__ == "__main__":
    main()
