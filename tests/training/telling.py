"""A real Keras model that tells the drawn fakes by their grid, and run folders as a trainer leaves them."""

import json
from pathlib import Path

import numpy as np

from tests.training.conftest import write_pictures

SIDE = 224


def save_telling_model(file: Path, *, gain: float = 200.0) -> Path:
    """Save a model that scores fine detail; a gain below 0 turns it round, 0 makes it blind."""
    import keras
    from keras import layers

    model = keras.Sequential(
        [
            keras.Input((SIDE, SIDE, 3)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(2, 3, activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    edge = np.array([[0, -1, 0], [-1, 4, -1], [0, -1, 0]], dtype=np.float32)[..., None] / 3
    kernel = np.stack([np.repeat(edge, 3, axis=-1), -np.repeat(edge, 3, axis=-1)], axis=-1)
    model.layers[1].set_weights([kernel, np.zeros(2)])
    model.layers[3].set_weights([np.full((2, 1), gain), np.array([-gain * 0.017])])
    file.parent.mkdir(parents=True, exist_ok=True)
    model.save(file)
    return file


def draw_sources(folder: Path, count: int) -> Path:
    """Draw two sources of both classes under FOLDER/one and FOLDER/two."""
    for number, source in enumerate(("one", "two")):
        for name, fake in (("real", False), ("fake", True)):
            write_pictures(folder / source / name, count, fake=fake, start=500 * number)
    return folder


def leave_run(output: Path, pictures: Path, *, gain: float = 200.0, **options: object) -> Path:
    """Leave what a trainer leaves: options, the fit's facts and the model."""
    save_telling_model(output / "model.keras", gain=gain)
    sides = {
        name: [str(folder) for folder in sorted(pictures.glob(f"*/{name}"))]
        for name in ("real", "fake")
    }
    record = {
        **{"output": str(output), **sides, "manifest": None, "arch": "telling", "val_share": 0.5},
        **{"views": ["whole"], "fit": {"seed": 3, "threads": 2}},
        **options,
    }
    (output / "options.json").write_text(json.dumps(record))
    history = [{"epoch": epoch, "loss": 0.5 / (epoch + 1), "val_auc": 0.9} for epoch in range(3)]
    facts = {"parameters": 62, "history": history, "best_epoch": 1, "epochs_done": 3}
    (output / "fit.json").write_text(json.dumps({"architecture": "telling", **facts}))
    return output
