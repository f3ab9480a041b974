"""Ray Data: read, map batches in one actor, write CSV. Only where Ray is installed."""

import tempfile
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
import ray

from benchmarks.peers.common import Clock, load, read_task


class Score:
    """Holds the model in its actor."""

    def __init__(self, model: str, told: str) -> None:
        self.model = keras.models.load_model(model, compile=False)
        Path(told).write_text(str(time.time()))

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Score one batch of pictures."""
        scores = self.model.predict_on_batch(batch["view"].astype(np.float32))
        return {"path": batch["path"], "score": scores[:, 0]}


def main() -> None:
    """Score the pictures."""
    clock, task = Clock(), read_task()
    ray.init(logging_level="ERROR", log_to_driver=False)
    names = ray.data.from_items([{"path": str(path)} for path in task.paths])
    views = names.map(lambda row: {"path": row["path"], "view": load(row["path"])})
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder, "ready")
        scored = views.map_batches(
            Score, fn_constructor_args=(str(task.model), str(told)), batch_size=64, concurrency=1
        )
        scored.write_csv(f"{folder}/scores")
        clock.ready_at = float(told.read_text())  # what Ray reads while its actor loads is a gift
        clock.report(len(task.paths))


if __name__ == "__main__":
    main()
