"""Draft a model card, so that the serving code can load a model that is not published yet."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import keras  # type: ignore[import-untyped]  # ships no annotations

from detector.card import ModelCard
from detector.registry import PublishedModel
from detector.sharpness import SHARPNESS_FLOOR
from detector.views import WHOLE
from fakesweep.errors import ModelError
from training.limits import describe_run, name_limits
from training.load import SIDE_PX

ARTEFACT = "model.keras"
TARGET_FPR = 0.01
WHOLE_FACES: dict[str, Any] = {"finder": "none", "smallest_px": 32}
FOUND_FACES: dict[str, Any] = {
    "finder": "blaze",
    "smallest_px": 40,
    "sharpness_floor": SHARPNESS_FLOOR,
    "largest": 8,
}
OWN_FIELDS = ("architecture", "calibration", "thresholds", "metrics", "history", "views", "faces")
KEPT_SPLITS = ("val_choose", "val_choose_laundered")
"""Of a run's splits these stay in its `metrics.json`: they were chosen on."""


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
        **judging_fields(None),
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


def judging_fields(
    views: Sequence[str] | None, faces: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Take the fields of a card that say what the model is shown.

    The whole image (card format 1) where no views are named; else the faces that are found, with the
    facts in `faces` in place of the usual ones.
    """
    if views is None or list(views) == [WHOLE]:
        return {"card_format": 1, "views": [WHOLE], "faces": WHOLE_FACES, "aggregate": "max"}
    return {
        "card_format": 2,
        "views": list(views),
        "faces": FOUND_FACES | (faces or {}),
        "aggregate": "worst_face",
    }


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
    return {
        **judging_fields(run.get("views"), run.get("faces")),
        "architecture": run["architecture"],
        "description": describe_run(run),
        "calibration": run["calibration"],
        "thresholds": run["thresholds"],
        "metrics": {
            name: facts for name, facts in run["metrics"].items() if name not in KEPT_SPLITS
        },
        "training": {key: value for key, value in run.items() if key not in OWN_FIELDS}
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
