"""`image_dataset_from_directory` and one `model.predict`."""

import keras

from benchmarks.peers.common import SIDE_PX, Clock, read_task


def main() -> None:
    """Score the pictures."""
    clock, task = Clock(), read_task()
    model = keras.models.load_model(task.model, compile=False)
    clock.ready()
    images = keras.utils.image_dataset_from_directory(
        task.paths[0].parent,
        labels=None, shuffle=False, batch_size=64, image_size=(SIDE_PX, SIDE_PX), verbose=False,
    )  # fmt: skip
    batches = -(-len(task.paths) // 64)
    scores = model.predict(images.take(batches), verbose=0)
    clock.report(min(len(scores), len(task.paths)))


if __name__ == "__main__":
    main()
