"""The small model is the one that commands find."""

from pathlib import Path

import pytest


@pytest.fixture
def model_dir(small_models: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FAKESWEEP_MODEL_DIR", str(small_models))
    return small_models
