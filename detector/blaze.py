"""BlazeFace: one look of Google's small face network at one picture, run by OpenCV.

Bazarevsky et al., "BlazeFace: Sub-millisecond Neural Face Detection on Mobile GPUs" (2019); the
short-range network of MediaPipe. Where its file comes from: `finders/README.md`.
"""

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

NETWORK_FILE = Path(__file__).parent / "finders" / "blaze_short_range.tflite"
SIDE_PX = 128
STRIDES = ((8, 2), (16, 6))
"""Side of a cell in pixels, and anchors in each cell: 16 x 16 x 2 + 8 x 8 x 6 = 896."""

GREY = (127, 127, 127)
"""What stands around a picture in the network's square: it becomes 0, like no signal at all."""


@dataclass(frozen=True)
class Sightings:
    """What one look saw, the anchors above the least confidence, in no order.

    Attributes:
        boxes: (left, top, right, bottom) in pixels of the picture looked at, shape `(n, 4)`,
            float64; they may reach over its border.
        found: Confidence, shape `(n,)`, float64, range [0, 1].
    """

    boxes: NDArray[np.float64]
    found: NDArray[np.float64]


def _place_anchors() -> NDArray[np.float64]:
    centres = []
    for stride, count in STRIDES:
        steps = (np.arange(SIDE_PX // stride) + 0.5) / (SIDE_PX // stride)
        y, x = np.meshgrid(steps, steps, indexing="ij")
        centres.append(np.stack([x, y], axis=-1).reshape(-1, 2).repeat(count, axis=0))
    return np.concatenate(centres)


_ANCHORS = _place_anchors()


class BlazeNetwork:
    """The network; safe to use from several threads, each of which gets its own copy."""

    def __init__(self) -> None:
        """Hold the file's bytes; OpenCV reads them in each thread, since its networks are shared by none."""
        self._bytes = np.frombuffer(NETWORK_FILE.read_bytes(), dtype=np.uint8)
        self._own = threading.local()

    def look(self, pixels: NDArray[np.uint8], *, border: float, least_found: float) -> Sightings:
        """Look once at a picture, shrunk or enlarged into the network's square.

        Args:
            pixels: RGB, shape `(height, width, 3)`, dtype uint8.
            border: Grey around the picture as a share of its longer side, on each side.
            least_found: Sightings below this confidence are left out.
        """
        height, width = pixels.shape[:2]
        scale = SIDE_PX / (max(height, width) * (1 + 2 * border))
        inner = max(1, round(width * scale)), max(1, round(height * scale))
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        left, top = (SIDE_PX - inner[0]) // 2, (SIDE_PX - inner[1]) // 2
        square = np.full((SIDE_PX, SIDE_PX, 3), GREY, dtype=np.uint8)
        square[top : top + inner[1], left : left + inner[0]] = cv2.resize(
            pixels, inner, interpolation=method
        )
        outputs, logits = self._run(square)
        found = 1.0 / (1.0 + np.exp(-np.clip(logits, -50.0, 50.0)))
        kept = np.flatnonzero(found >= least_found)
        centres = _ANCHORS[kept] * SIDE_PX + outputs[kept, :2]
        halves = outputs[kept, 2:4] / 2
        boxes = np.concatenate([centres - halves, centres + halves], axis=1)
        boxes = (boxes - np.array([left, top, left, top])) / np.array(
            [inner[0] / width, inner[1] / height] * 2
        )
        return Sightings(boxes=boxes, found=found[kept])

    def _run(self, square: NDArray[np.uint8]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        network = self._network()
        network.setInput(
            cv2.dnn.blobFromImage(square, 1 / 127.5, mean=(127.5, 127.5, 127.5), swapRB=False)
        )
        logits, outputs = network.forward(["classificators", "regressors"])
        return (
            np.asarray(outputs, dtype=np.float64).reshape(len(_ANCHORS), -1),
            np.asarray(logits, dtype=np.float64).reshape(-1),
        )

    def _network(self) -> Any:
        network = getattr(self._own, "network", None)
        if network is None:
            network = cv2.dnn.readNetFromTFLite(self._bytes)
            self._own.network = network
        return network
