"""The floor of a sweep: decode, find faces where the model judges faces, score; keep a list.

The same engine, face finder and views as the product's, without a ledger, limits, hashes or bad files.
"""

from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.peers.common import Clock, read_task
from detector.model import load_detector
from detector.registry import find_model
from detector.views import make_views

GROUP = 64  # pictures whose views are scored together


def main() -> None:
    """Score the pictures."""
    clock, task = Clock(), read_task()
    detector = load_detector(find_model(task.model.parent.parent, task.model.parent.name))

    def cut(path: Path) -> list[NDArray[np.uint8]]:
        pixels = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
        return [view.pixels for view in make_views(pixels, detector.card, detector.finder)]

    clock.ready()
    images = 0
    scores: list[float] = []
    with ThreadPoolExecutor(2) as pool:
        prepared = pool.map(cut, task.paths)
        while group := list(islice(prepared, GROUP)):
            images += len(group)
            views = [view for one in group for view in one]
            if views:
                scores += detector.score_views(np.stack(views)).tolist()
    clock.report(images)


if __name__ == "__main__":
    main()
