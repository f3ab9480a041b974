"""Shrinking: the mean over each area, by halves first where a picture is many times too large.

OpenCV takes the mean of 2 by 2 pixels ten times as fast as of areas with broken borders, so that a photo of 12
megapixels shrinks in a tenth of the time that decoding it takes, not in half of it.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

EXACT_FROM = 4
"""The last step of an exact shrink covers at least half as many pixels a side: their mean evens out what halving
rounded."""


def shrink_exactly(pixels: Pixels, width: int, height: int) -> Pixels:
    """Shrink a picture as the model is to see it, free of aliases.

    Args:
        pixels: Shape `(h, w, 3)`, dtype uint8, neither side smaller than wanted.
        width: Of the result.
        height: Of the result.

    Returns:
        Shape `(height, width, 3)`, dtype uint8, never the argument itself; within a few levels of the mean
        over each area.
    """
    halved = _halve(pixels, width, height, EXACT_FROM)
    return _resize(halved, width, height, cv2.INTER_AREA)


def shrink_quickly(pixels: Pixels, width: int, height: int) -> Pixels:
    """Shrink a picture to look for something in it: the last step, below a half, only interpolates.

    Args:
        pixels: Shape `(h, w, 3)`, dtype uint8, neither side smaller than wanted.
        width: Of the result.
        height: Of the result.

    Returns:
        Shape `(height, width, 3)`, dtype uint8.
    """
    return _resize(_halve(pixels, width, height, 2), width, height, cv2.INTER_LINEAR)


def _halve(pixels: Pixels, width: int, height: int, at_least: int) -> Pixels:
    """Halve as long as both sides are so many times as large as wanted; an odd row or column is left out."""
    while min(pixels.shape[0] // height, pixels.shape[1] // width) >= at_least:
        rows, columns = pixels.shape[0] // 2, pixels.shape[1] // 2
        pixels = _resize(pixels[: 2 * rows, : 2 * columns], columns, rows, cv2.INTER_AREA)
    return pixels


def _resize(pixels: Pixels, width: int, height: int, method: int) -> Pixels:
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=method), dtype=np.uint8)
