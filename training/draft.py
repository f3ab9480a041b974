"""Draft a model card for a Keras file, so that the serving code can load a model that is not published yet."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import keras  # type: ignore[import-untyped]  # ships no annotations

from detector.card import ModelCard
from detector.registry import PublishedModel
from fakesweep.errors import ModelError
from training.load import SIDE_PX

ARTEFACT = "model.keras"
TARGET_FPR = 0.01
SMALLEST_PX = 32


def draft_card(file: Path, version: str, **facts: Any) -> ModelCard:
    """Describe a `.keras` file: artefact and input as they are, nothing measured; `facts` replace single fields.

    Raises:
        ModelError: The file cannot be read.
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        raise ModelError(f"cannot read the model file {file}: {error.strerror}") from error
    fields: dict[str, Any] = {
        "card_format": 1,
        "version": version,
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "architecture": "unknown",
        "description": "A Keras file published without a training run.",
        "artefact": {
            "file": file.name,
            "sha256": hashlib.sha256(content).hexdigest(),
            "size_bytes": len(content),
            "keras_version": keras.__version__,
        },
        "input": {"side_px": SIDE_PX, "channels": "RGB", "range": [0, 255], "resize": "area"},
        "views": ["whole"],
        "faces": {"finder": "none", "smallest_px": SMALLEST_PX},
        "aggregate": "max",
        "labels": {"real": 0, "fake": 1},
        "calibration": {"method": "none", "slope": 1.0, "intercept": 0.0, "fitted_on": ""},
        "thresholds": {
            "real_threshold": 0.5,
            "fake_threshold": 0.5,
            "chosen_on": "nothing: given, not measured",
            "target_fpr": TARGET_FPR,
        },
        "training": {},
        "metrics": {},
        "golden": [],
        "limits": ["Nothing was measured: neither its errors nor its calibration are known."],
        "forced": False,
    }
    return ModelCard.model_validate(fields | facts)


def as_published(folder: Path, card: ModelCard) -> PublishedModel:
    """Present a folder that holds a model file as the registry would."""
    return PublishedModel(
        version=card.version,
        folder=folder,
        path=folder / card.artefact.file,
        card=card,
        current=False,
        builtin=False,
    )
