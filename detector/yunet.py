"""YuNet: the face finder of an ONNX file that the user names, run by OpenCV.

Wu, Peng and Yu, "YuNet: A Tiny Millisecond-level Face Detector" (2023); the file
`face_detection_yunet_2023mar.onnx` of the OpenCV Zoo.
"""

import logging
import threading
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.boxes import shrink
from detector.faces import LARGEST_PX, Face, sort_faces
from fakesweep.errors import SettingError

log = logging.getLogger(__name__)

YUNET = "yunet"
LEAST_FOUND = 0.6
SAME_FACE = 0.3
MOST_FACES = 1000


class YuNetFinder:
    """Finds faces with YuNet; safe to use from several threads, each of which gets its own network."""

    name = YUNET

    def __init__(self, path: Path) -> None:
        """Read the network and try it once.

        Raises:
            SettingError: The file is missing or no YuNet network.
        """
        self._path = path
        self._own = threading.local()
        if not path.is_file():
            raise SettingError(
                f"bad setting FAKESWEEP_YUNET_FILE: expected a YuNet ONNX file. Received: {path}, "
                "which is no file"
            )
        try:
            self.find(np.zeros((64, 64, 3), dtype=np.uint8))
        except (cv2.error, IndexError, ValueError) as error:
            raise SettingError(
                f"bad setting FAKESWEEP_YUNET_FILE: expected a YuNet ONNX file. Received: {path}, "
                f"which OpenCV {cv2.__version__} does not read as one"
            ) from error
        log.info("faces are found by YuNet, %s", path)

    def find(self, pixels: NDArray[np.uint8]) -> list[Face]:
        """Find the faces of an image.

        Args:
            pixels: RGB, shape `(height, width, 3)`, dtype uint8.

        Returns:
            Largest first; the same order every time.
        """
        height, width = pixels.shape[:2]
        small = shrink(pixels, LARGEST_PX)
        network = self._network()
        network.setInputSize((small.shape[1], small.shape[0]))
        _, rows = network.detect(cv2.cvtColor(small, cv2.COLOR_RGB2BGR))
        factors = np.array([width / small.shape[1], height / small.shape[0]] * 2)
        seen = []
        for row in () if rows is None else rows:
            left, top, across, down = (float(value) for value in row[:4])
            box = np.array([left, top, left + across, top + down]) * factors
            seen.append((box, float(row[14])))
        return sort_faces(seen, height, width)

    def _network(self) -> Any:
        network = getattr(self._own, "network", None)
        if network is None:
            network = cv2.FaceDetectorYN.create(
                str(self._path), "", (64, 64), LEAST_FOUND, SAME_FACE, MOST_FACES
            )
            self._own.network = network
        return network
