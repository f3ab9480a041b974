"""BlazeFace: one look of Google's small face networks at one picture, run by OpenVINO.

Bazarevsky et al., "BlazeFace: Sub-millisecond Neural Face Detection on Mobile GPUs" (2019), and the
two networks of MediaPipe. Where their files come from: `finders/README.md`.
"""

import os
import threading
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.compiled import compile_network, share
from detector.resize import shrink_exactly

FOLDER = Path(__file__).parent / "finders"

GREY = 127
"""What stands around a picture in the network's square: it becomes 0, like no signal at all."""


@dataclass(frozen=True)
class Variant:
    """One of the published networks.

    Attributes:
        file: In `finders/`.
        side_px: Of its input.
        cells: Side of a cell in pixels and anchors in each cell, level by level.
        outputs: Names of its confidences and its boxes.
    """

    file: str
    side_px: int
    cells: tuple[tuple[int, int], ...]
    outputs: tuple[str, str]


SHORT_RANGE = Variant(
    "blaze_short_range.tflite", 128, ((8, 2), (16, 6)), ("classificators", "regressors")
)
"""Sees faces from a tenth of the picture's side on, upright or not; 1.0 ms on one core."""

FULL_RANGE = Variant(
    "blaze_full_range.tflite",
    192,
    ((4, 1),),
    ("reshaped_classifier_face_4", "reshaped_regressor_face_4"),
)
"""Sees upright faces only, smaller ones too; 2.5 ms on one core."""


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


class BlazeNetwork:
    """A network; safe to use from several threads, each of which makes its own requests."""

    def __init__(self, variant: Variant) -> None:
        """Compile the file for as many requests at a time as there are cores."""
        self._variant = variant
        self._compiled = compile_network(
            FOLDER / variant.file, streams=len(os.sched_getaffinity(0))
        )
        self._anchors = _place_anchors(variant)
        self._own = threading.local()

    def look(self, pixels: NDArray[np.uint8], *, border: float, least_found: float) -> Sightings:
        """Look once at a picture, shrunk or enlarged into the network's square.

        Args:
            pixels: RGB, shape `(height, width, 3)`, dtype uint8.
            border: Grey around the picture as a share of its longer side, on each side.
            least_found: Sightings below this confidence are left out.
        """
        height, width = pixels.shape[:2]
        side_px = self._variant.side_px
        scale = side_px / (max(height, width) * (1 + 2 * border))
        inner = max(1, round(width * scale)), max(1, round(height * scale))
        left, top = (side_px - inner[0]) // 2, (side_px - inner[1]) // 2
        square = np.full((side_px, side_px, 3), GREY, dtype=np.uint8)
        fitted = (
            shrink_exactly(pixels, *inner)
            if scale < 1
            else cv2.resize(pixels, inner, interpolation=cv2.INTER_LINEAR)
        )
        square[top : top + inner[1], left : left + inner[0]] = fitted
        logits, outputs = self._run(square)
        found = 1.0 / (1.0 + np.exp(-np.clip(logits, -50.0, 50.0)))
        kept = np.flatnonzero(found >= least_found)
        centres = self._anchors[kept] + outputs[kept, :2]
        halves = outputs[kept, 2:4] / 2
        boxes = np.concatenate([centres - halves, centres + halves], axis=1)
        boxes = (boxes - np.array([left, top, left, top])) / np.array(
            [inner[0] / width, inner[1] / height] * 2
        )
        return Sightings(boxes=boxes, found=found[kept])

    def _run(self, square: NDArray[np.uint8]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        if not hasattr(self._own, "request"):
            self._own.signal = np.empty((1, *square.shape), dtype=np.float32)
            self._own.request = self._compiled.create_infer_request()
            self._own.request.set_input_tensor(share(self._own.signal))
            self._own.outputs = [
                self._own.request.get_tensor(name).data for name in self._variant.outputs
            ]
        np.subtract(square, np.float32(127.5), out=self._own.signal[0])
        self._own.signal *= np.float32(1 / 127.5)
        self._own.request.start_async()
        self._own.request.wait()
        logits, outputs = self._own.outputs
        return (
            logits.astype(np.float64).reshape(-1),
            outputs.astype(np.float64).reshape(len(self._anchors), -1),
        )


def _place_anchors(variant: Variant) -> NDArray[np.float64]:
    """Place the anchors' centres, shape `(n, 2)`, in pixels of the input."""
    centres = []
    for stride, count in variant.cells:
        steps = (np.arange(variant.side_px // stride) + 0.5) * stride
        y, x = np.meshgrid(steps, steps, indexing="ij")
        centres.append(np.stack([x, y], axis=-1).reshape(-1, 2).repeat(count, axis=0))
    return np.concatenate(centres)
