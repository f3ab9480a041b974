"""A small real model for tests: a few convolutions with fixed weights, published like any other."""

import hashlib
import json
from pathlib import Path

from detector.card import read_card, write_card

SIDE = 224
JUDGES_FACES = {
    "card_format": 2,
    "views": ["face", "native"],
    "faces": {"finder": "blaze", "smallest_px": 40, "sharpness_floor": 0.026, "largest": 8},
    "aggregate": "worst_face",
}


def publish_small_model(
    model_dir: Path,
    version: str = "small-1",
    *,
    seed: int = 7,
    bias: float = 0.0,
    finds_faces: bool = False,
) -> Path:
    """Save a small Keras model with its card under MODEL_DIR/<version>; gives that folder."""
    import keras
    from keras import layers

    from training.serving import write_serving

    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [
            keras.Input((SIDE, SIDE, 3)),
            layers.Rescaling(1 / 255),
            layers.AveragePooling2D(4),
            layers.Conv2D(8, 5, strides=2, activation="relu"),
            layers.Conv2D(8, 5, strides=2, activation="relu"),
            layers.Flatten(),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.layers[-1].bias.assign([bias])
    folder = model_dir / version
    folder.mkdir(parents=True)
    file = folder / "model.keras"
    model.save(file)
    serving = write_serving(model, SIDE, folder)
    assert serving is not None
    card = {
        "card_format": 1,
        "version": version,
        "created_at": "2026-01-01T00:00:00+00:00",
        "architecture": "small",
        "description": "Fixed weights for tests; its scores mean nothing.",
        "artefact": {
            "file": "model.keras",
            "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
            "size_bytes": file.stat().st_size,
            "keras_version": keras.__version__,
        },
        "serving": serving.model_dump(),
        "input": {"side_px": SIDE, "channels": "RGB", "range": [0, 255], "resize": "area"},
        "views": ["whole"],
        "faces": {"finder": "none", "smallest_px": 32},
        "aggregate": "max",
        "labels": {"real": 0, "fake": 1},
        "calibration": {"method": "none", "slope": 1.0, "intercept": 0.0, "fitted_on": "nothing"},
        "thresholds": {
            "real_threshold": 0.45,
            "fake_threshold": 0.55,
            "chosen_on": "nothing",
            "target_fpr": 0.01,
        },
        "training": {},
        "metrics": {},
        "golden": [],
        "limits": ["Nothing was measured."],
        "forced": False,
    }
    if finds_faces:
        card |= JUDGES_FACES
    (folder / "card.json").write_text(json.dumps(card))
    write_card(folder / "card.json", read_card(folder / "card.json"))
    return folder
