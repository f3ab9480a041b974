"""Crops: the geometry between a face's box and the squares that the model sees; pure functions.

Training, evaluation and judging cut by these alone, so that the model meets what it was fitted to.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.resize import shrink_exactly

Box = tuple[int, int, int, int]
Square = tuple[int, int, int]

FACE_MARGIN = 1.7
"""Side of the square over the longer side of the finder's box, which ends at the brows and the chin."""

UNTOUCHED_UP_TO = 1.25
"""A square up to this many times the view's side is cut, not resized: resizing erases evidence."""


def face_square(box: Box, height: int, width: int) -> Square:
    """Place a square with margin around a face, inside the image.

    Args:
        box: (left, top, right, bottom) in pixels; it may reach over the image's border.
        height: Of the image, at least 1.
        width: Of the image, at least 1.

    Returns:
        (left, top, side) in pixels: centred on the box, at most as large as the image's shorter
        side, moved as little as needed to lie inside.
    """
    left, top, right, bottom = box
    longer = max(right - left, bottom - top)
    side = max(1, min(round(FACE_MARGIN * longer), height, width))
    square_left = round((left + right - side) / 2)
    square_top = round((top + bottom - side) / 2)
    return (
        min(max(square_left, 0), width - side),
        min(max(square_top, 0), height - side),
        side,
    )


def cut_face(pixels: NDArray[np.uint8], square: Square, side_px: int = 224) -> NDArray[np.uint8]:
    """Cut a face's square and make it one view.

    A square slightly larger than the view loses its border instead of being resized.

    Args:
        pixels: RGB, shape `(height, width, 3)`, dtype uint8.
        square: As `face_square` placed it in these pixels.
        side_px: Side of the result.

    Returns:
        Shape `(side_px, side_px, 3)`, dtype uint8, C-contiguous, never a part of the argument.
    """
    left, top, side = square
    if side_px <= side <= UNTOUCHED_UP_TO * side_px:
        return _cut_middle(pixels, square, side_px)
    cut = pixels[top : top + side, left : left + side]
    if side > side_px:
        return shrink_exactly(cut, side_px, side_px)
    size = (side_px, side_px)
    return np.asarray(cv2.resize(cut, size, interpolation=cv2.INTER_CUBIC), dtype=np.uint8)


def cut_native(
    pixels: NDArray[np.uint8], square: Square, side_px: int = 224
) -> NDArray[np.uint8] | None:
    """Cut the middle of a large face at the image's own resolution.

    Args:
        pixels: RGB, shape `(height, width, 3)`, dtype uint8.
        square: As `face_square` placed it in these pixels.
        side_px: Side of the result.

    Returns:
        Shape `(side_px, side_px, 3)`, dtype uint8, C-contiguous; None where the square is so small
        that `cut_face` leaves its pixels untouched or enlarges them.
    """
    if square[2] <= UNTOUCHED_UP_TO * side_px:
        return None
    return _cut_middle(pixels, square, side_px)


def shown_square(square: Square, side_px: int = 224) -> Square:
    """Give the part of a face's square that `cut_face` shows, in image pixels."""
    left, top, side = square
    if side_px <= side <= UNTOUCHED_UP_TO * side_px:
        return left + (side - side_px) // 2, top + (side - side_px) // 2, side_px
    return square


def _cut_middle(pixels: NDArray[np.uint8], square: Square, side_px: int) -> NDArray[np.uint8]:
    left, top, side = square
    left, top = left + (side - side_px) // 2, top + (side - side_px) // 2
    return pixels[top : top + side_px, left : left + side_px].copy()
