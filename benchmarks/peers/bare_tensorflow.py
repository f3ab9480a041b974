"""Decode in two threads, score fixed batches with one traced function, keep a list."""

from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import cv2
import keras
import numpy as np
import tensorflow as tf

from benchmarks.peers.common import SIDE_PX, Clock, load, read_task

BATCH = 64


def main() -> None:
    """Score the pictures."""
    clock, task = Clock(), read_task()
    cv2.setNumThreads(1)
    model = keras.models.load_model(task.model, compile=False)

    @tf.function(input_signature=[tf.TensorSpec((BATCH, SIDE_PX, SIDE_PX, 3), tf.uint8)])
    def score(batch: tf.Tensor) -> tf.Tensor:
        return model(tf.cast(batch, tf.float32), training=False)[:, 0]

    clock.ready()
    scores: list[float] = []
    with ThreadPoolExecutor(2) as pool:
        loaded = pool.map(load, task.paths)
        while views := list(islice(loaded, BATCH)):
            padded = np.zeros((BATCH, SIDE_PX, SIDE_PX, 3), np.uint8)
            padded[: len(views)] = views
            scores += score(padded).numpy()[: len(views)].tolist()
    clock.report(len(scores))


if __name__ == "__main__":
    main()
