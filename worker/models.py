"""The model version that a scan is pinned to."""

from detector.registry import find_model, verify_model
from fakesweep.settings import Settings


def check_model(settings: Settings, version: str | None) -> str:
    """Find a model version (None: the current one), check its file and give its name.

    Raises:
        ModelError: The version is unknown, or its file is missing or altered.
    """
    model = find_model(settings.model_dir, version)
    verify_model(model)
    return model.version
