"""The picture of an explanation: boxes, heat and captions drawn over an image by OpenCV."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.boxes import shrink
from detector.crops import Box
from detector.heat import Heat

LARGEST_PX = 1600
SMALLEST_PX = 480
"""Longer side of the picture: larger images are shrunk, smaller ones enlarged so that text fits."""

COLOURS = {
    "fake": (215, 40, 40),
    "uncertain": (235, 150, 20),
    "real": (40, 150, 70),
    "no_face": (120, 120, 120),
}
"""RGB."""

HEAT_SHARE = 0.5
"""Share of the hottest colour over the image; what is cold stays as it is."""

FONT = cv2.FONT_HERSHEY_SIMPLEX


@dataclass(frozen=True)
class DrawnFace:
    """What is drawn of one face, or of the whole image where no faces are looked for.

    Attributes:
        box: In image pixels; None draws none.
        colour: The verdict whose colour it has.
        text: Stands above the box.
        square: Part of the image that the heat belongs to: left, top, side.
        heat: None draws none.
    """

    box: Box | None
    colour: str
    text: str
    square: Box | None = None
    heat: Heat | None = None


def draw_picture(
    pixels: NDArray[np.uint8], faces: Sequence[DrawnFace], captions: Sequence[str], colour: str
) -> NDArray[np.uint8]:
    """Draw an explanation.

    Args:
        pixels: RGB, shape `(height, width, 3)`, dtype uint8; not changed.
        faces: Drawn in this order.
        captions: Lines below the image, ASCII.
        colour: The verdict whose colour stands beside the captions.

    Returns:
        RGB, uint8, of another size.
    """
    height, width = pixels.shape[:2]
    picture = _fit(pixels)
    scale = picture.shape[1] / width, picture.shape[0] / height
    for face in faces:
        if face.heat is not None and face.square is not None:
            _lay_heat(picture, _scale(face.square, scale), face.heat)
    for face in faces:
        if face.box is not None:
            _draw_box(picture, _scale(face.box, scale), face.text, COLOURS[face.colour])
    return np.concatenate([picture, _draw_captions(picture.shape[1], captions, COLOURS[colour])])


def _fit(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    shrunk = shrink(pixels, LARGEST_PX)
    factor = SMALLEST_PX / max(shrunk.shape[:2])
    if factor <= 1:
        return shrunk.copy()
    size = max(1, round(shrunk.shape[1] * factor)), max(1, round(shrunk.shape[0] * factor))
    return np.asarray(cv2.resize(shrunk, size, interpolation=cv2.INTER_CUBIC), dtype=np.uint8)


def _scale(box: Box, scale: tuple[float, float]) -> Box:
    left, top, right, bottom = box
    return (
        round(left * scale[0]),
        round(top * scale[1]),
        round(right * scale[0]),
        round(bottom * scale[1]),
    )


def _lay_heat(picture: NDArray[np.uint8], box: Box, heat: Heat) -> None:
    left, top, right, bottom = box
    part = picture[top:bottom, left:right]
    if part.size == 0:
        return
    values = cv2.resize(
        heat.values.astype(np.float32), part.shape[1::-1], interpolation=cv2.INTER_LINEAR
    )
    levels = np.clip(np.rint(values * 255), 0, 255).astype(np.uint8)
    colours = cv2.cvtColor(cv2.applyColorMap(levels, cv2.COLORMAP_TURBO), cv2.COLOR_BGR2RGB)
    share = (HEAT_SHARE * np.clip(values, 0, 1))[:, :, np.newaxis]
    part[:] = np.rint(part * (1 - share) + colours * share).astype(np.uint8)


def _draw_box(
    picture: NDArray[np.uint8], box: Box, text: str, colour: tuple[int, int, int]
) -> None:
    left, top, right, bottom = box
    unit = _unit(picture)
    cv2.rectangle(picture, (left, top), (right, bottom), colour, max(2, round(2 * unit)))
    (across, up), down = cv2.getTextSize(text, FONT, 0.5 * unit, max(1, round(unit)))
    x = min(max(left, 0), max(0, picture.shape[1] - across - 6))
    y = top - 4 if top - up - down - 6 >= 0 else min(bottom, picture.shape[0]) - down - 4
    cv2.rectangle(picture, (x, y - up - 4), (x + across + 6, y + down), colour, -1)
    _write(picture, text, (x + 3, y), 0.5 * unit, max(1, round(unit)))


def _draw_captions(
    width: int, captions: Sequence[str], colour: tuple[int, int, int]
) -> NDArray[np.uint8]:
    """Draw the lines on a dark ground, each small enough for the width."""
    line_px = 26
    ground = np.full((line_px * len(captions) + 12, width, 3), 28, dtype=np.uint8)
    ground[:, :8] = colour
    for number, text in enumerate(captions):
        (across, _), _ = cv2.getTextSize(text, FONT, 0.55, 1)
        size = 0.55 * min(1.0, (width - 24) / max(1, across))
        _write(ground, text, (16, line_px * (number + 1)), size, 1)
    return ground


def _write(
    picture: NDArray[np.uint8], text: str, place: tuple[int, int], size: float, thickness: int
) -> None:
    cv2.putText(picture, text, place, FONT, size, (255, 255, 255), thickness, cv2.LINE_AA)


def _unit(picture: NDArray[np.uint8]) -> float:
    return max(1.0, float(max(picture.shape[:2])) / 800)
