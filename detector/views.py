"""Views: the fixed-size crops of an image that the model sees."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.card import ModelCard
from fakesweep.errors import ModelError

WHOLE = "whole"
NO_FINDER = "none"
BLANK_RANGE = 8
"""A picture whose channels each span at most this many of 255 levels shows nothing, so no face."""


@dataclass(frozen=True)
class View:
    """One crop as the model sees it.

    Attributes:
        kind: `whole`.
        box: (left, top, right, bottom) in upright image pixels; None for the whole image.
        pixels: RGB, shape `(side, side, 3)`, dtype uint8.
    """

    kind: str
    box: tuple[int, int, int, int] | None
    pixels: NDArray[np.uint8]


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
    # Averaging over the area keeps shrinking free of aliases; enlarging has no area to average.
    method = cv2.INTER_AREA if min(height, width) >= side_px else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(pixels, (side_px, side_px), interpolation=method), dtype=np.uint8)


def make_views(pixels: NDArray[np.uint8], card: ModelCard) -> list[View]:
    """Make the views that a model's card asks for.

    Args:
        pixels: RGB, shape `(height, width, 3)`, dtype uint8, upright.

    Returns:
        The views in the card's order; empty where no face can be in the image, because it is
        smaller than `card.faces.smallest_px` or blank.

    Raises:
        ModelError: The card asks for a kind of view that is not known.
    """
    check_views(card)
    if min(pixels.shape[:2]) < card.faces.smallest_px:
        return []
    view = whole_view(pixels, card.input.side_px)
    if is_blank(view):
        return []
    return [View(kind=WHOLE, box=None, pixels=view)]


def check_views(card: ModelCard) -> None:
    """Refuse a card that asks for views or a face finder which this version does not have.

    Raises:
        ModelError: The card asks for something that is not known.
    """
    if card.faces.finder != NO_FINDER:
        raise ModelError(
            f"model version {card.version}: this version of fakesweep does not know its face "
            f"finder: expected '{NO_FINDER}'. Received: '{card.faces.finder}'; upgrade fakesweep "
            "or use another model"
        )
    if card.views != [WHOLE]:
        raise ModelError(
            f"model version {card.version}: this version of fakesweep does not know its views: "
            f"expected ['{WHOLE}']. Received: {card.views}; upgrade fakesweep or use another model"
        )


def is_blank(pixels: NDArray[np.uint8]) -> bool:
    """Tell whether every channel spans at most `BLANK_RANGE` levels."""
    # By OpenCV, channel by channel: NumPy takes four times as long for this as the decoder.
    spans = (cv2.minMaxLoc(pixels[:, :, channel])[:2] for channel in range(pixels.shape[2]))
    return all(highest - lowest <= BLANK_RANGE for lowest, highest in spans)
