"""What the tests of `detector/` share: real files, a card and published folders."""

import hashlib
import json
import os
from pathlib import Path

import pytest

from detector.card import ModelCard


@pytest.fixture
def test_data():
    """The folder of faces and hostile files that is not part of the repository."""
    root = Path(__file__).parents[2]
    folder = root / os.environ.get("FAKESWEEP_TEST_DATA", "../shared/data")
    if not folder.is_dir():
        pytest.skip(f"no test data at {folder}: set FAKESWEEP_TEST_DATA to a folder that holds it")
    return folder


@pytest.fixture
def card_facts():
    """The facts of a valid card, to be changed by the test."""
    return {
        "card_format": 1,
        "version": "cnn-1",
        "created_at": "2026-11-23T07:00:00Z",
        "architecture": "cnn",
        "description": "A tiny network for tests.",
        "artefact": {
            "file": "model.keras",
            "sha256": "0" * 64,
            "size_bytes": 1,
            "keras_version": "3.15.1",
        },
        "input": {"side_px": 224, "channels": "RGB", "range": [0, 255], "resize": "area"},
        "views": ["whole"],
        "faces": {"finder": "none", "smallest_px": 32},
        "aggregate": "max",
        "labels": {"real": 0, "fake": 1},
        "calibration": {"method": "platt", "slope": 1.5, "intercept": -0.25, "fitted_on": "val"},
        "thresholds": {
            "real_threshold": 0.3,
            "fake_threshold": 0.7,
            "chosen_on": "val",
            "target_fpr": 0.01,
        },
        "training": {"seed": 1, "sources": {"celeba": {"real": 10, "fake": 0}}},
        "metrics": {"val": {"overall": {"auc": 0.5}, "per_source": {"celeba": {"images": 10}}}},
        "golden": [{"name": "rings", "score": 0.123456}],
        "limits": ["Knows nothing."],
        "forced": False,
    }


@pytest.fixture
def face_card_facts(card_facts):
    """The facts of a valid card that judges the faces that are found, to be changed by the test."""
    return {
        **card_facts,
        "card_format": 2,
        "views": ["face", "native"],
        "faces": {"finder": "blaze", "smallest_px": 40, "sharpness_floor": 0.026, "largest": 8},
        "aggregate": "worst_face",
    }


@pytest.fixture
def face_card(face_card_facts):
    return ModelCard.model_validate_json(json.dumps(face_card_facts))


@pytest.fixture
def card(card_facts):
    return ModelCard.model_validate_json(json.dumps(card_facts))


@pytest.fixture
def publish(card_facts):
    """Write a version folder whose card fits its artefact."""

    def write_version(model_dir, version, artefact=b"weights", created_at="2026-11-23T07:00:00Z"):
        folder = model_dir / version
        folder.mkdir(parents=True)
        (folder / "model.keras").write_bytes(artefact)
        facts = {
            **card_facts,
            "version": version,
            "created_at": created_at,
            "artefact": {
                "file": "model.keras",
                "sha256": hashlib.sha256(artefact).hexdigest(),
                "size_bytes": len(artefact),
                "keras_version": "3.15.1",
            },
        }
        (folder / "card.json").write_text(json.dumps(facts))
        return folder

    return write_version
