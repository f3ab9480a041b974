"""The model version that a scan is pinned to."""

from detector.finder import open_finder
from detector.registry import find_model, verify_model
from fakesweep.settings import Settings


def check_model(settings: Settings, version: str | None) -> str:
    """Find a model version (None: the current one), check its file and give its name.

    The file of another face finder is checked, too, where the settings name one.

    Raises:
        ModelError: The version is unknown, or its file is missing or altered.
        SettingError: The file of the face finder is missing or no such network.
    """
    model = find_model(settings.model_dir, version)
    verify_model(model)
    if settings.yunet_file is not None:
        open_finder(settings.yunet_file)
    return model.version
