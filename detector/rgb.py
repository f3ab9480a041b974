"""Any Pillow image as upright 8-bit RGB pixels, the way a viewer would show it."""

from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

STRIP_PX = 4_000_000
"""Pixels converted at a time: the intermediate copies of a large image would take gigabytes."""

_TRANSPARENT_MODES = {"LA", "La", "PA", "RGBA", "RGBa"}
_DEEP_MODES = {"I", "I;16", "I;16B", "I;16L", "I;16N", "F"}


def convert_to_rgb(image: Image.Image) -> NDArray[np.uint8]:
    """Convert a loaded image.

    Transparent images are shown on white. Deeper samples are scaled to 8 bits, where Pillow's own
    conversion would clip them.

    Returns:
        RGB pixels, shape `(height, width, 3)`, dtype uint8, not yet turned upright.
    """
    span = _choose_span(image) if image.mode in _DEEP_MODES else None
    pixels = np.empty((image.height, image.width, 3), dtype=np.uint8)
    for top, strip in _cut_strips(image):
        rows = pixels[top : top + strip.height]
        if span is not None:
            rows[:] = scale_to_8_bits(np.asarray(strip), *span)[:, :, np.newaxis]
        elif strip.mode == "LAB":
            # Pillow's a and b are signed, OpenCV's are moved up by 128.
            lab = np.asarray(strip) ^ np.array([0, 128, 128], dtype=np.uint8)
            rows[:] = cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)
        elif strip.mode in _TRANSPARENT_MODES or "transparency" in strip.info:
            layer = strip.convert("RGBA")
            paper = Image.new("RGB", layer.size, "white")
            paper.paste(layer, mask=layer.getchannel("A"))
            rows[:] = np.asarray(paper)
        else:
            rows[:] = np.asarray(strip if strip.mode == "RGB" else strip.convert("RGB"))
    return pixels


def scale_to_8_bits(samples: NDArray[Any], black: float, white: float) -> NDArray[np.uint8]:
    """Scale grey samples of any depth, so that `black` becomes 0 and `white` 255.

    Args:
        samples: Any shape, any integer or float dtype; what is no finite number becomes black.

    Returns:
        The same shape, dtype uint8.
    """
    values = np.where(np.isfinite(samples), samples, black).astype(np.float64)
    values = (values - black) * (255.0 / (white - black))
    return np.rint(np.clip(values, 0.0, 255.0)).astype(np.uint8)


def _choose_span(image: Image.Image) -> tuple[float, float]:
    """Choose which samples of a deep grey image are black and white.

    Samples of 16 bits span 0 to 65535. Wider ones span what their highest sample fits: 255 or
    65535 for whole numbers, 1, 255 or 65535 for fractions. All others span from lowest to highest.
    """
    if image.mode.startswith("I;16"):
        return 0.0, 65535.0
    lowest, highest = np.inf, -np.inf
    for _, strip in _cut_strips(image):
        samples = np.asarray(strip)
        finite = samples[np.isfinite(samples)]
        if finite.size:
            lowest = min(lowest, float(finite.min()))
            highest = max(highest, float(finite.max()))
    if lowest >= 0:
        for white in (255.0, 65535.0) if image.mode == "I" else (1.0, 255.0, 65535.0):
            if highest <= white:
                return 0.0, white
    return (lowest, highest) if lowest < highest else (0.0, 1.0)


def _cut_strips(image: Image.Image) -> Iterator[tuple[int, Image.Image]]:
    """Cut an image into strips of whole rows, each with the number of its first row."""
    rows = max(1, STRIP_PX // image.width)
    for top in range(0, image.height, rows):
        yield top, image.crop((0, top, image.width, min(top + rows, image.height)))


def turn_upright(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Apply an EXIF orientation (CIPA DC-008, tag 274).

    Args:
        pixels: Shape `(height, width, 3)`, dtype uint8.
        orientation: 1 to 8.

    Returns:
        The upright pixels, C-contiguous; height and width are exchanged for 5 to 8.
    """
    match orientation:
        case 2:
            turned = cv2.flip(pixels, 1)
        case 3:
            turned = cv2.rotate(pixels, cv2.ROTATE_180)
        case 4:
            turned = cv2.flip(pixels, 0)
        case 5:
            turned = cv2.transpose(pixels)
        case 6:
            turned = cv2.rotate(pixels, cv2.ROTATE_90_CLOCKWISE)
        case 7:
            turned = cv2.flip(cv2.transpose(pixels), -1)
        case 8:
            turned = cv2.rotate(pixels, cv2.ROTATE_90_COUNTERCLOCKWISE)
        case _:
            return pixels
    return np.asarray(turned, dtype=np.uint8)
