"""`model.predict` on one picture at a time, as tutorials have it."""

import keras
import numpy as np

from benchmarks.peers.common import Clock, load, read_task


def main() -> None:
    """Score the pictures."""
    clock, task = Clock(), read_task()
    model = keras.models.load_model(task.model, compile=False)
    clock.ready()
    scores = [
        float(model.predict(load(path)[np.newaxis].astype(np.float32), verbose=0)[0, 0])
        for path in task.paths
    ]
    clock.report(len(scores))


if __name__ == "__main__":
    main()
