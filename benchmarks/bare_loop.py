"""The floor: decode in threads, score fixed batches with one traced function, keep a list.

    python -m benchmarks.bare_loop MODEL.keras FOLDER COUNT

No ledger, no limits, no bad files: what a sweep adds is paid on top of this. Prints one line of JSON.
"""

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import keras
import numpy as np
import tensorflow as tf

BATCH, SIDE_PX, THREADS = 32, 224, 2


def load(path: Path) -> np.ndarray:
    """Decode and squash one picture."""
    pixels = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
    return cv2.resize(pixels, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA)


def main() -> None:
    """Score the first COUNT files of FOLDER."""
    model = keras.models.load_model(sys.argv[1], compile=False)
    paths = sorted(path for path in Path(sys.argv[2]).rglob("*") if path.is_file())
    paths = paths[: int(sys.argv[3])]
    cv2.setNumThreads(1)

    @tf.function(input_signature=[tf.TensorSpec((BATCH, SIDE_PX, SIDE_PX, 3), tf.uint8)])
    def score(batch: tf.Tensor) -> tf.Tensor:
        return model(tf.cast(batch, tf.float32), training=False)[:, 0]

    score(np.zeros((BATCH, SIDE_PX, SIDE_PX, 3), np.uint8))
    started = time.time()
    scores: list[float] = []
    with ThreadPoolExecutor(THREADS) as pool:
        groups = [paths[first : first + BATCH] for first in range(0, len(paths), BATCH)]
        ahead = [[pool.submit(load, path) for path in group] for group in groups[:2]]
        for index, group in enumerate(groups):
            views = [future.result() for future in ahead.pop(0)]
            if index + 2 < len(groups):
                ahead.append([pool.submit(load, path) for path in groups[index + 2]])
            padded = np.zeros((BATCH, SIDE_PX, SIDE_PX, 3), np.uint8)
            padded[: len(views)] = views
            scores += score(padded).numpy()[: len(group)].tolist()
    ended = time.time()
    rate = len(scores) / (ended - started)
    print(json.dumps({"images": len(scores), "images_per_s": rate}))


if __name__ == "__main__":
    main()
