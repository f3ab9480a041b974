"""Which finder looks for faces: BlazeFace, or YuNet where its file is given."""

from functools import cache
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from detector.faces import Face, FaceFinder
from detector.yunet import YuNetFinder


class Finder(Protocol):
    """What finds faces, from several threads at once, the same every time."""

    @property
    def name(self) -> str:
        """Its name in cards, face records and logs."""

    def find(self, pixels: NDArray[np.uint8]) -> list[Face]:
        """Find the faces of RGB pixels, largest first."""


def open_finder(yunet_file: Path | None = None) -> Finder:
    """Give the finder that the settings ask for.

    Args:
        yunet_file: The setting `FAKESWEEP_YUNET_FILE`; None takes BlazeFace.

    Raises:
        SettingError: The file is missing or no YuNet network.
    """
    return default_finder() if yunet_file is None else YuNetFinder(yunet_file)


@cache
def default_finder() -> FaceFinder:
    """Give the process's BlazeFace, read when it is first asked for."""
    return FaceFinder()
