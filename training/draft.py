"""Draft a model card, so that the serving code can load a model that is not published yet."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import keras  # type: ignore[import-untyped]  # ships no annotations

from detector.card import ModelCard
from detector.registry import PublishedModel
from fakesweep.errors import ModelError
from training.limits import describe_run, name_limits
from training.load import SIDE_PX

ARTEFACT = "model.keras"
TARGET_FPR = 0.01
SMALLEST_PX = 32


def draft_card(file: Path, version: str, **facts: Any) -> ModelCard:
    """Describe a `.keras` file.

    Artefact and input as they are, nothing measured; `facts` replace single fields.

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


def run_fields(run: dict[str, Any], recipe: str | None) -> dict[str, Any]:
    """Take the fields of the card of a run from its `run.json`."""
    own = ("architecture", "calibration", "thresholds", "metrics", "history")
    return {
        "architecture": run["architecture"],
        "description": describe_run(run),
        "calibration": run["calibration"],
        "thresholds": run["thresholds"],
        "metrics": run["metrics"],
        "training": {key: value for key, value in run.items() if key not in own}
        | {"recipe": recipe or "not recorded"},
        "limits": name_limits(run),
    }


def bare_fields(thresholds: tuple[float, float] | None) -> dict[str, Any]:
    """Take the fields of the card of a file without a run: the thresholds given, or none.

    Raises:
        ModelError: The thresholds are out of [0, 1] or cross.
    """
    if thresholds is None:
        return {}
    real_threshold, fake_threshold = thresholds
    if not 0 <= real_threshold <= fake_threshold <= 1:
        raise ModelError(
            "thresholds are numbers with 0 <= real_threshold <= fake_threshold <= 1;"
            f" received: {real_threshold} and {fake_threshold}"
        )
    return {
        "thresholds": {
            "real_threshold": real_threshold,
            "fake_threshold": fake_threshold,
            "chosen_on": "nothing: given, not measured",
            "target_fpr": TARGET_FPR,
        }
    }
