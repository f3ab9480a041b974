"""What the peers share: the pictures, one resize, and the line that each prints."""

import json
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import psutil
from numpy.typing import NDArray

SIDE_PX = 224


@dataclass
class Task:
    """What is asked of a peer: `MODEL FOLDER COUNT`."""

    model: Path
    paths: list[Path]


def read_task() -> Task:
    """Read the command line."""
    paths = sorted(path for path in Path(sys.argv[2]).rglob("*") if path.is_file())
    return Task(Path(sys.argv[1]), paths[: int(sys.argv[3])])


def load(path: Path | str) -> NDArray[np.uint8]:
    """Decode and squash one picture, RGB."""
    pixels = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
    small = cv2.resize(pixels, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA)
    return np.asarray(small, dtype=np.uint8)


class Clock:
    """Times a peer from the start of its process, and watches the memory of all its processes."""

    def __init__(self) -> None:
        self.process = psutil.Process()
        self.peak_mb = 0.0
        self.ready_at = 0.0
        threading.Thread(target=self._watch, daemon=True).start()

    def ready(self) -> None:
        """Say that the model is loaded."""
        self.ready_at = time.time()

    def report(self, images: int) -> None:
        """Print the line."""
        seconds = time.time() - self.ready_at
        facts = {
            "images": images,
            "images_per_s": images / seconds,
            "start_s": self.ready_at - self.process.create_time(),
            "peak_mb": self.peak_mb,
        }
        print(json.dumps(facts), flush=True)

    def _watch(self) -> None:
        while True:
            self.peak_mb = max(self.peak_mb, memory_mb(self.process))
            time.sleep(0.5)


def memory_mb(process: psutil.Process) -> float:
    """Memory of a process and its children, shared pages counted once."""
    total = 0
    for one in [process, *process.children(recursive=True)]:
        try:
            total += one.memory_full_info().pss
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return total / 1e6
