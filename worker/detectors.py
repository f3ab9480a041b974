"""The loaded model versions of one process: the newest two used."""

import logging
from collections import OrderedDict
from typing import TYPE_CHECKING

from detector.finder import Finder, open_finder
from detector.registry import find_model
from fakesweep.notices import held_notices
from fakesweep.settings import Settings, quiet_tensorflow

if TYPE_CHECKING:
    from detector.model import Detector

log = logging.getLogger(__name__)

KEPT = 2  # scans that began before a promotion finish beside those that began after it


class LoadedDetectors:
    """Loads a model version when a batch first asks for it, beside the one in use."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.loaded: OrderedDict[str, Detector] = OrderedDict()
        self._finder: Finder | None = None

    def get(self, version: str) -> "Detector":
        """Give the loaded detector of a model version.

        Raises:
            ModelError: The version is unknown here, or its file is missing, altered or unfit.
            SettingError: The file of the face finder cannot be used.
        """
        if version not in self.loaded:
            model = find_model(self.settings.model_dir, version)
            self._finder = self._finder or open_finder(self.settings.yunet_file)
            quiet_tensorflow()
            with held_notices():
                from detector.model import load_detector  # an engine: only where images are judged

                self.loaded[version] = load_detector(
                    model,
                    device_batch=self.settings.batch_size,
                    threads=self.settings.cpu_threads,
                    finder=self._finder,
                    engine=self.settings.engine,
                )
            log.info("model version %s loaded", version)
        self.loaded.move_to_end(version)
        while len(self.loaded) > KEPT:
            forgotten, _ = self.loaded.popitem(last=False)
            log.info("model version %s let go", forgotten)
        return self.loaded[version]
