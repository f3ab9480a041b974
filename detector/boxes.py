"""Boxes and the pictures in them: overlap, merging, tiles, cutting, turning; pure functions."""

import math
from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.resize import shrink_quickly

Boxes = NDArray[np.float64]

MOSTLY = 0.6
"""Share of the smaller of two boxes from which it lies mostly in the larger one."""

QUARTER_TURNS = {
    1: cv2.ROTATE_90_CLOCKWISE,
    2: cv2.ROTATE_180,
    3: cv2.ROTATE_90_COUNTERCLOCKWISE,
}


def overlap(box: Boxes, boxes: Boxes) -> NDArray[np.float64]:
    """Measure intersection over union of one box, shape `(4,)`, with each of `(n, 4)`."""
    common = shared(box, boxes)
    return np.asarray(common / (area(box) + area(boxes) - common + 1e-9))


def shared(box: Boxes, boxes: Boxes) -> NDArray[np.float64]:
    """Measure the area that one box, shape `(4,)`, shares with each of `(n, 4)`."""
    sides = np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2])
    return np.asarray(np.prod(np.maximum(sides, 0.0), axis=1))


def area(boxes: Boxes) -> NDArray[np.float64]:
    """Measure the areas of boxes, shape `(..., 4)`."""
    return np.asarray(np.prod(boxes[..., 2:] - boxes[..., :2], axis=-1))


def merge(
    boxes: Boxes, found: NDArray[np.float64], least_overlap: float
) -> list[tuple[Boxes, float]]:
    """Merge overlapping boxes to their mean, weighted by confidence (the blending of BlazeFace).

    Args:
        boxes: Shape `(n, 4)`.
        found: Confidence of each, above 0.
        least_overlap: Boxes that overlap the most confident one by more are one with it.

    Returns:
        Pairs of a box and its highest confidence, most confident first.
    """
    merged = []
    left = np.argsort(-found, kind="stable")
    while len(left):
        same = overlap(boxes[left[0]], boxes[left]) > least_overlap
        same[0] = True
        members = left[same]
        mean = np.average(boxes[members], axis=0, weights=found[members])
        merged.append((mean, float(found[left[0]])))
        left = left[~same]
    return merged


def drop_contained(
    seen: list[tuple[Boxes, float]], least_overlap: float
) -> list[tuple[Boxes, float]]:
    """Keep the most confident of boxes that overlap, or of which one lies mostly in the other.

    Returns:
        Most confident first.
    """
    kept: list[tuple[Boxes, float]] = []
    for box, found in sorted(seen, key=lambda one: (-one[1], *one[0])):
        others = np.array([other for other, _ in kept]).reshape(-1, 4)
        inside = shared(box, others) / np.minimum(area(box), area(others))
        if not (overlap(box, others) > least_overlap).any() and not (inside > MOSTLY).any():
            kept.append((box, found))
    return kept


def cut_tiles(
    pixels: NDArray[np.uint8], side: int, step: float
) -> Iterator[tuple[tuple[int, int], NDArray[np.uint8]]]:
    """Cut a picture into overlapping squares that cover it, row by row.

    Args:
        pixels: Shape `(height, width, 3)`.
        side: Of a tile; a picture that is lower or narrower has lower or narrower tiles.
        step: Largest distance between two tiles as a share of the side.

    Yields:
        The (left, top) corner and the tile.
    """
    height, width = pixels.shape[:2]
    for top in _spread(height, side, step):
        for left in _spread(width, side, step):
            yield (left, top), pixels[top : top + side, left : left + side]


def _spread(length: int, side: int, step: float) -> list[int]:
    """Spread the starts of tiles evenly over a length."""
    free = max(0, length - side)
    count = 1 + math.ceil(free / (step * side))
    return [round(free * number / max(1, count - 1)) for number in range(count)]


def turn(pixels: NDArray[np.uint8], quarters: int) -> NDArray[np.uint8]:
    """Turn a picture clockwise by 0 to 3 quarters."""
    if quarters == 0:
        return pixels
    return np.asarray(cv2.rotate(pixels, QUARTER_TURNS[quarters]), dtype=np.uint8)


def cut_with_border(
    pixels: NDArray[np.uint8], left: int, top: int, side: int, grey: int
) -> NDArray[np.uint8]:
    """Cut a square that may reach over the picture; what lies outside is grey of one level."""
    height, width = pixels.shape[:2]
    cut = np.full((side, side, 3), grey, dtype=np.uint8)
    x0, y0 = max(left, 0), max(top, 0)
    x1, y1 = min(left + side, width), min(top + side, height)
    if x0 < x1 and y0 < y1:
        cut[y0 - top : y1 - top, x0 - left : x1 - left] = pixels[y0:y1, x0:x1]
    return cut


def shrink(pixels: NDArray[np.uint8], largest_px: int) -> NDArray[np.uint8]:
    """Shrink a picture whose longer side is above `largest_px` to that; give others as they are."""
    height, width = pixels.shape[:2]
    scale = largest_px / max(height, width)
    if scale >= 1.0:
        return pixels
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return shrink_quickly(pixels, *size)
