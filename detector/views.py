"""Views: the fixed-size crops of an image that the model sees."""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.card import ModelCard
from detector.crops import Box, cut_face, cut_native, face_square
from detector.faces import BLAZE, Face
from detector.finder import Finder, default_finder
from detector.resize import shrink_exactly
from detector.sharpness import measure_sharpness
from detector.yunet import YUNET
from fakesweep.errors import ModelError

WHOLE, FACE, NATIVE = "whole", "face", "native"
NO_FINDER = "none"
KNOWN_VIEWS = {1: ([WHOLE],), 2: ([FACE], [FACE, NATIVE])}
KNOWN_FINDERS = {1: (NO_FINDER,), 2: (BLAZE, YUNET)}
"""Of each card format."""

TOO_SMALL, DEGRADED = "face_too_small", "face_degraded"
"""Reasons why a face cannot be judged."""

BLANK_RANGE = 8
"""A picture whose channels each span at most this many of 255 levels shows nothing, so no face."""


@dataclass(frozen=True)
class View:
    """One crop as the model sees it.

    Attributes:
        kind: `whole`, `face` or `native`.
        box: The face's (left, top, right, bottom) in upright image pixels; None for the whole image.
        pixels: RGB, shape `(side, side, 3)`, dtype uint8.
        face: Number of the face that it shows, 0 for the largest; views of one face share it.
        found: The finder's confidence in the face, None for the whole image.
        reason: Why this face cannot be judged, None where it can.
        finder: What found the face.
    """

    kind: str
    box: Box | None
    pixels: NDArray[np.uint8]
    face: int = 0
    found: float | None = None
    reason: str | None = None
    finder: str = NO_FINDER


def whole_view(pixels: NDArray[np.uint8], side_px: int = 224) -> NDArray[np.uint8]:
    """Squash a whole image into a square: the one resize of training, evaluation and judging.

    Args:
        pixels: RGB, shape `(height, width, 3)`, dtype uint8.
        side_px: Side of the result.

    Returns:
        Shape `(side_px, side_px, 3)`, dtype uint8, C-contiguous, never the argument itself.
    """
    height, width = pixels.shape[:2]
    if (height, width) == (side_px, side_px):
        return pixels.copy()
    if min(height, width) >= side_px:
        return shrink_exactly(pixels, side_px, side_px)
    # Enlarging, in one direction at least, has no area to average.
    size = (side_px, side_px)
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_LINEAR), dtype=np.uint8)


def make_views(
    pixels: NDArray[np.uint8], card: ModelCard, finder: Finder | None = None
) -> list[View]:
    """Make the views that a model's card asks for.

    Args:
        pixels: RGB, shape `(height, width, 3)`, dtype uint8, upright.
        card: Of the model that is to judge.
        finder: Finds the faces; None takes BlazeFace.

    Returns:
        For whole images one view, none where the image is smaller than `card.faces.smallest_px` or
        blank. For faces one or two views of each of the `card.faces.largest` largest faces, face by
        face, none where no face was found. A face that cannot be judged has its views, too.

    Raises:
        ModelError: The card asks for a kind of view or a finder that is not known.
    """
    check_views(card)
    if card.card_format == 1:
        return _make_whole(pixels, card)
    finder = finder or default_finder()
    faces = finder.find(pixels)[: card.faces.largest]
    return [
        view
        for number, face in enumerate(faces)
        for view in _make_face(pixels, card, face, number, finder.name)
    ]


def _make_whole(pixels: NDArray[np.uint8], card: ModelCard) -> list[View]:
    if min(pixels.shape[:2]) < card.faces.smallest_px:
        return []
    view = whole_view(pixels, card.input.side_px)
    if is_blank(view):
        return []
    return [View(kind=WHOLE, box=None, pixels=view)]


def _make_face(
    pixels: NDArray[np.uint8], card: ModelCard, face: Face, number: int, finder: str
) -> Iterator[View]:
    side_px = card.input.side_px
    square = face_square(face.box, *pixels.shape[:2])
    cut = cut_face(pixels, square, side_px)
    reason = _find_reason(face.box, cut, card)
    yield View(FACE, face.box, cut, number, face.found, reason, finder)
    native = cut_native(pixels, square, side_px) if NATIVE in card.views else None
    if native is not None:
        yield View(NATIVE, face.box, native, number, face.found, reason, finder)


def _find_reason(box: Box, view: NDArray[np.uint8], card: ModelCard) -> str | None:
    """Say why a face cannot be judged, None where it can."""
    if max(box[2] - box[0], box[3] - box[1]) < card.faces.smallest_px:
        return TOO_SMALL
    if measure_sharpness(view) < (card.faces.sharpness_floor or 0.0):
        return DEGRADED
    return None


def check_views(card: ModelCard) -> None:
    """Refuse a card that asks for views or a face finder which this version does not have.

    Raises:
        ModelError: The card asks for something that is not known.
    """
    finders, views = KNOWN_FINDERS[card.card_format], KNOWN_VIEWS[card.card_format]
    if card.faces.finder not in finders:
        raise ModelError(
            f"model version {card.version}: this version of fakesweep does not know its face "
            f"finder: expected {_name_all(finders)}. Received: '{card.faces.finder}'; upgrade "
            "fakesweep or use another model"
        )
    if card.views not in views:
        raise ModelError(
            f"model version {card.version}: this version of fakesweep does not know its views: "
            f"expected {' or '.join(map(str, views))}. Received: {card.views}; upgrade fakesweep "
            "or use another model"
        )


def check_finder(card: ModelCard, finder: Finder) -> None:
    """Refuse to judge with BlazeFace by a model that was fitted to the boxes of YuNet.

    Raises:
        ModelError: The card asks for YuNet and its file is not given.
    """
    if card.faces.finder == YUNET and finder.name != YUNET:
        raise ModelError(
            f"model version {card.version} judges faces found by YuNet: set FAKESWEEP_YUNET_FILE "
            "to its ONNX file, or use another model"
        )


def _name_all(names: tuple[str, ...]) -> str:
    return " or ".join(f"'{name}'" for name in names)


def is_blank(pixels: NDArray[np.uint8]) -> bool:
    """Tell whether every channel spans at most `BLANK_RANGE` levels."""
    # By OpenCV, channel by channel: NumPy takes four times as long for this as the decoder.
    spans = (cv2.minMaxLoc(pixels[:, :, channel])[:2] for channel in range(pixels.shape[2]))
    return all(highest - lowest <= BLANK_RANGE for lowest, highest in spans)
