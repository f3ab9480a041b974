"""Measure all that is not judging: walk and record, skip what is unchanged, write verdicts, export.

    python -m benchmarks.ledger [--files 200000] [--database URL ...]

On SQLite, and on every PostgreSQL named (`make bench` starts one), beside the least that each could cost: a bare
walk, a bare bulk insert, `csv.writer` over a bare cursor. Each step is a process of its own, which tells
its peak memory. Prints a Markdown table.
"""

import argparse
import csv
import json
import os
import re
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import text

from benchmarks.machine import REPOSITORY, started_postgresql
from db.batches import ImageOutcome, claim_batch, close_batch, next_batch
from db.export import Selection, export_rows
from db.ledger import open_ledger
from db.scans import create_scan, finish_scans, get_scan
from db.upgrade import prepare
from fakesweep.settings import Settings
from producer.findings import Findings
from producer.listing import record_images
from producer.sources import named_sources
from producer.walk import find_images
from worker.read import archive_limits

FACES = (
    '[{"box": [31, 40, 180, 220], "score": 0.01, "found": 0.93, "reason": null, "finder": "blaze"}]'
)
MTIME = 1.7e9
BARE_TABLE = "CREATE TABLE bare (id INTEGER PRIMARY KEY, uri TEXT, status TEXT, size_bytes BIGINT, mtime FLOAT)"
COPIED = "COPY bare (id, uri, status, size_bytes, mtime) FROM STDIN"


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description="Measure the ledger.")
    parser.add_argument("--files", type=int, default=200_000, help="empty files of the tree")
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    parser.add_argument("--url", default="", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        began = time.perf_counter()
        rows, apart_s = STEPS[options.step](options.folder, options.url), 0.0
        if isinstance(rows, tuple):
            rows, apart_s = rows
        seconds = time.perf_counter() - began - apart_s
        print(json.dumps({"rate": rows / seconds, "peak_mb": peak_mb()}))
        return
    with tempfile.TemporaryDirectory(prefix="fakesweep-ledger-") as name:
        folder = Path(name)
        make_tree(folder / "tree", options.files)
        print(f"\nLedger, {options.files:,} images\n")
        print("| step | per second | of the floor | peak MB |\n|---|---|---|---|")
        floor = measure("walk and stat alone", "walk", folder, "")
        for database, url in (("SQLite", f"sqlite:///{folder}/ledger.db"), ("PostgreSQL", None)):
            if url is not None:
                measure_database(database, folder, url, floor)
            else:
                with started_postgresql(folder) as started:
                    measure_database(database, folder, started, floor)


def measure_database(database: str, folder: Path, url: str, walk: float) -> None:
    """Measure every step on one database."""
    insert = measure(f"{database}: bare bulk insert", "insert", folder, url)
    measure(f"{database}: record new images", "record", folder, url, insert)
    measure(f"{database}: write verdicts", "judge", folder, url)
    measure(f"{database}: skip unchanged images", "record", folder, url, walk)
    bare = measure(f"{database}: csv.writer over a bare cursor", "cursor", folder, url)
    for step in ("csv", "jsonl", "parquet"):
        measure(f"{database}: export {step}", step, folder, url, bare)


def measure(name: str, step: str, folder: Path, url: str, floor: float | None = None) -> float:
    """Run one step in a process of its own, print its row and give its rate."""
    command = [sys.executable, "-m", "benchmarks.ledger", "--step", step]
    done = subprocess.run(
        [*command, "--url", url, "--folder", str(folder)],
        capture_output=True, text=True, cwd=REPOSITORY, check=False,
    )  # fmt: skip
    if done.returncode:
        sys.exit(f"{name}: {done.stderr}")
    facts = json.loads(done.stdout.splitlines()[-1])
    share = "" if floor is None else f"{facts['rate'] / floor:.2f}"
    print(f"| {name} | {facts['rate']:,.0f} | {share} | {facts['peak_mb']:.0f} |", flush=True)
    return float(facts["rate"])


def make_tree(top: Path, files: int) -> None:
    """Make empty files, a thousand in a folder."""
    for number in range(files):
        if number % 1000 == 0:
            (top / f"{number // 1000:04}").mkdir(parents=True)
        path = top / f"{number // 1000:04}/{number:07}.jpg"
        path.touch()
        os.utime(path, (MTIME, MTIME))


def walk_bare(folder: Path, url: str) -> int:
    """Walk and stat, and nothing else."""

    def walk(path: str) -> int:
        with os.scandir(path) as entries:
            return sum(
                walk(entry.path) if entry.is_dir() else entry.stat().st_size >= 0
                for entry in entries
            )

    return walk(str(folder / "tree"))


def insert_bare(folder: Path, url: str) -> int:
    """Insert as many bare rows as the tree has files, by the fastest way each driver has."""
    rows = [
        (number, f"{folder}/tree/{number // 1000:04}/{number:07}.jpg", "queued", 0, 1.5)
        for number in range(1000 * len(list((folder / "tree").iterdir())))
    ]
    if url.startswith("sqlite"):
        connection = sqlite3.connect(f"{folder}/bare.db", isolation_level=None)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute(BARE_TABLE)
        waiting = iter(rows)
        while group := list(islice(waiting, 4096)):
            connection.execute("BEGIN")
            connection.executemany("INSERT INTO bare VALUES (?, ?, ?, ?, ?)", group)
            connection.execute("COMMIT")
        return len(rows)
    import psycopg

    with psycopg.connect(url.replace("+psycopg", "")) as server:
        server.execute(BARE_TABLE)
        with server.cursor().copy(COPIED) as copy:
            for row in rows:
                copy.write_row(row)
    return len(rows)


def record(folder: Path, url: str) -> int:
    """Walk the tree and record a scan, as `fakesweep scan` does."""
    settings = Settings(database_url=url)
    ledger = open_ledger(url)
    prepare(ledger)
    with ledger.write() as connection:
        scan_id = create_scan(
            connection, sources={}, model_version="none", priority="bulk", rescan=False
        )
        scan = get_scan(connection, scan_id)
    findings = Findings()
    images = find_images(
        named_sources([f"{folder}/tree"], None), findings, archive_limits(settings)
    )
    record_images(ledger, scan, images, findings, settings=settings)
    with ledger.write() as connection:
        finish_scans(connection)
        found = get_scan(connection, scan_id).images
    ledger.close()
    return found


def judge(folder: Path, url: str) -> tuple[int, float]:
    """Claim and close every batch with ready outcomes; making these is timed apart."""
    ledger = open_ledger(url)
    rows, making_s = 0, 0.0
    with ledger.read() as connection:
        scan_id = connection.execute(text("SELECT max(id) FROM scans")).scalar_one()
    while True:
        with ledger.read() as connection:
            batch_id = next_batch(connection, scan_id)
        if batch_id is None:
            break
        with ledger.write() as connection:
            claim = claim_batch(connection, batch_id, worker="bench", lease_s=60.0)
        assert claim is not None  # noqa: S101
        began = time.perf_counter()
        outcomes = [
            ImageOutcome(
                uri=uri, status="done", verdict="real", score=0.01, sha256=f"{number:064x}",
                size_bytes=0, mtime=MTIME, width=224, height=224, format="jpeg",
                frames=1, faces=FACES,
            )
            for uri, number in claim.images.items()
        ]  # fmt: skip
        making_s += time.perf_counter() - began
        with ledger.write() as connection:
            close_batch(connection, claim, outcomes)
        rows += len(outcomes)
    with ledger.write() as connection:
        finish_scans(connection)
    ledger.close()
    return rows, making_s


def write_bare(folder: Path, url: str) -> int:
    """Write what an export writes from a bare cursor."""
    query = "SELECT * FROM verdicts ORDER BY id"
    with Path(folder / "bare.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        if url.startswith("sqlite"):
            writer.writerows(sqlite3.connect(url.removeprefix("sqlite:///")).execute(query))
            return row_count(url)
        import psycopg

        with psycopg.connect(url.replace("+psycopg", "")) as server:
            cursor = server.cursor("bare")
            cursor.itersize = 5000
            writer.writerows(cursor.execute(query))
    return row_count(url)


def row_count(url: str) -> int:
    """Count the verdicts."""
    with open_ledger(url).read() as connection:
        return int(connection.execute(text("SELECT count(*) FROM verdicts")).scalar_one())


def export_as(suffix: str) -> Callable[[Path, str], int]:
    """Give the step that exports everything to a file of this kind."""

    def export(folder: Path, url: str) -> int:
        with open_ledger(url).read() as connection:
            return export_rows(connection, Selection(), str(folder / f"rows.{suffix}"))

    return export


def peak_mb() -> float:
    """Peak memory of this process."""
    status = Path("/proc/self/status").read_text()
    found: Any = re.search(r"VmHWM:\s+(\d+)", status)
    return int(found[1]) / 1024


STEPS: dict[str, Callable[[Path, str], int | tuple[int, float]]] = {
    "walk": walk_bare,
    "insert": insert_bare,
    "record": record,
    "judge": judge,
    "cursor": write_bare,
    "csv": export_as("csv"),
    "jsonl": export_as("jsonl"),
    "parquet": export_as("parquet"),
}


if __name__ == "__main__":
    main()
