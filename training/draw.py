"""Draw one training view of one image: find its face's square, give it a file's life, cut, turn."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detector.crops import UNTOUCHED_UP_TO, Box, cut_face, face_square
from detector.views import whole_view
from training.augment import live_as_file, turn_view
from training.load import SIDE_PX, decode_file
from training.selfmade import make_fake

WIDER, SHIFT = (0.75, 1.2), 0.08
"""How far a training square's side and middle wander from the face's."""

WITHOUT_FACE = 0.55
"""Side of the box assumed in the middle of an image in which no face was found, over its shorter side."""

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class FaceFile:
    """An image and the box of its face, None where none was found.

    `whole`: the network is shown the whole image, squashed into a square, and no face.
    """

    path: Path
    box: Box | None
    whole: bool = False


def cut_square(pixels: Pixels, box: Box | None, rng: np.random.Generator | None = None) -> Pixels:
    """Cut the square of a face out of RGB pixels; with `rng` a slightly different one each time."""
    height, width = pixels.shape[:2]
    left, top, right, bottom = box or _middle(height, width)
    if rng is not None:
        longer = max(right - left, bottom - top)
        grow = longer * (rng.uniform(*WIDER) - 1) / 2
        over, down = longer * rng.uniform(-SHIFT, SHIFT, 2)
        left, right = round(left - grow + over), round(right + grow + over)
        top, bottom = round(top - grow + down), round(bottom + grow + down)
    left, top, side = face_square((left, top, right, bottom), height, width)
    return pixels[top : top + side, left : left + side]


def draw_view(
    files: Sequence[FaceFile],
    row: int,
    rng: np.random.Generator,
    *,
    crop_px: int = SIDE_PX,
    donor: int | None = None,
) -> Pixels:
    """Draw a view, shape `(crop_px, crop_px, 3)`, dtype uint8.

    Args:
        row: Which file.
        crop_px: Side of a part cut out of the view at a random place.
        donor: Where given, a fake is made of the image; a splice is taken from this row.

    Raises:
        ImageError: A file has become unreadable since it was looked at.
        OSError: A file cannot be read any more.
    """
    square = _open_square(files[row], rng)
    if donor is not None:
        other = _open_square(files[donor], None)
        square = make_fake(square, other, rng)
    square = live_as_file(square, rng)
    side = square.shape[0]
    if side > UNTOUCHED_UP_TO * SIDE_PX and rng.random() < 0.5:  # a native view
        view = _crop(square, SIDE_PX, rng)
    else:
        view = cut_face(square, (0, 0, side))
    return turn_view(_crop(view, crop_px, rng), rng)


def _open_square(file: FaceFile, rng: np.random.Generator | None) -> Pixels:
    pixels = decode_file(file.path)
    return whole_view(pixels, SIDE_PX) if file.whole else cut_square(pixels, file.box, rng)


def _middle(height: int, width: int) -> Box:
    side = round(WITHOUT_FACE * min(height, width))
    left, top = (width - side) // 2, (height - side) // 2
    return left, top, left + side, top + side


def _crop(pixels: Pixels, side: int, rng: np.random.Generator) -> Pixels:
    room = pixels.shape[0] - side
    top, left = (int(rng.integers(room + 1)) for _ in range(2))
    return pixels[top : top + side, left : left + side]
