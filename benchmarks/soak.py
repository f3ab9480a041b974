"""Watch the memory of one worker while it judges the same pictures again and again.

    python -m benchmarks.soak [--images FOLDER] [--count 100000] [--model lite-1]

Prints what the worker's processes hold after every ten thousandth image.
"""

import argparse
import json
import os
import subprocess
import time

from benchmarks.machine import COMMAND, REPOSITORY
from benchmarks.peers.common import memory_mb
from benchmarks.sweep import servers, start_worker, wait_for_workers

SHOWN_EVERY = 10_000


def main() -> None:
    """Parse, sweep, print."""
    parser = argparse.ArgumentParser(description="Watch a worker's memory.")
    default = os.environ.get("FAKESWEEP_TEST_DATA", str(REPOSITORY / "../shared/data"))
    parser.add_argument("--images", default=f"{default}/faces", help="folder of pictures")
    parser.add_argument("--count", type=int, default=100_000, help="images to judge")
    parser.add_argument("--model", default="lite-1", help="model version")
    options = parser.parse_args()
    print("| images judged | MB |\n|---|---|")
    with servers() as environment:
        worker = start_worker(environment, None)
        try:
            wait_for_workers(environment, 1)
            command = [COMMAND, "scan", options.images, "--rescan", "--model", options.model]
            judged, shown = 0, 0
            while judged < options.count:
                subprocess.run(
                    [*command, "--no-wait"], env=environment, check=True, capture_output=True
                )
                before = judged
                while (judged := before + count_judged(environment)) < options.count:
                    if judged - shown >= SHOWN_EVERY:
                        shown = judged
                        print(f"| {judged:,} | {memory_mb(worker):.0f} |", flush=True)
                    if not is_open(environment):
                        break
                    time.sleep(2.0)
            print(f"| {judged:,} | {memory_mb(worker):.0f} |", flush=True)
        finally:
            worker.terminate()
            worker.wait()


def newest(environment: dict[str, str]) -> dict[str, object]:
    """Give the facts of the newest scan."""
    asked = subprocess.run(
        [COMMAND, "status", "--json"], env=environment, check=True, capture_output=True, text=True
    )
    scans: list[dict[str, object]] = json.loads(asked.stdout)
    return max(scans, key=lambda scan: int(str(scan["scan"])))


def count_judged(environment: dict[str, str]) -> int:
    """Count what the newest scan has judged."""
    facts = newest(environment)
    return sum(int(str(facts[name])) for name in ("fake", "real", "uncertain", "no_face", "failed"))


def is_open(environment: dict[str, str]) -> bool:
    """Tell whether the newest scan goes on."""
    return newest(environment)["status"] in ("queued", "running")


if __name__ == "__main__":
    main()
