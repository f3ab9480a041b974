"""Boxes: overlap, merging, turning and cutting with a border; pure functions."""

import cv2
import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float64]

QUARTER_TURNS = {
    1: cv2.ROTATE_90_CLOCKWISE,
    2: cv2.ROTATE_180,
    3: cv2.ROTATE_90_COUNTERCLOCKWISE,
}


def overlap(box: Boxes, boxes: Boxes) -> NDArray[np.float64]:
    """Measure intersection over union of one box, shape `(4,)`, with each of `(n, 4)`."""
    sides = np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2])
    shared = np.prod(np.maximum(sides, 0.0), axis=1)
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    return np.asarray(shared / (np.prod(box[2:] - box[:2]) + areas - shared + 1e-9))


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


def turn(pixels: NDArray[np.uint8], quarters: int) -> NDArray[np.uint8]:
    """Turn a picture clockwise by 0 to 3 quarters."""
    if quarters == 0:
        return pixels
    return np.asarray(cv2.rotate(pixels, QUARTER_TURNS[quarters]), dtype=np.uint8)


def turn_back(box: Boxes, quarters: int, height: int, width: int) -> Boxes:
    """Give the box in the upright picture for one in the picture that `turn` made.

    Args:
        box: (left, top, right, bottom) in the turned picture.
        quarters: As given to `turn`.
        height: Of the upright picture.
        width: Of the upright picture.
    """
    left, top, right, bottom = box
    match quarters:
        case 1:
            back = (top, height - right, bottom, height - left)
        case 2:
            back = (width - right, height - bottom, width - left, height - top)
        case 3:
            back = (width - bottom, left, width - top, right)
        case _:
            back = (left, top, right, bottom)
    return np.array(back)


def cut_with_border(
    pixels: NDArray[np.uint8], left: int, top: int, side: int, colour: tuple[int, int, int]
) -> NDArray[np.uint8]:
    """Cut a square that may reach over the picture; what lies outside has one colour."""
    height, width = pixels.shape[:2]
    cut = np.full((side, side, 3), colour, dtype=np.uint8)
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
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
