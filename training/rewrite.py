"""Rewrite decoded pixels as the world does: codecs, scaling, blur, noise, screenshots.

Each rewriting is a pure function of pixels, `(height, width, 3)` uint8 RGB, and of the image's number,
whatever its label. A codec's bytes are decoded by the code that serves.
"""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.image import decode_image
from training.load import LIMIT_PX

JPEG_QUALITIES = (75, 95)
SCREEN_PX = 900

Pixels = NDArray[np.uint8]
Rewrite = Callable[[Pixels, int], Pixels]


def keep(pixels: Pixels, number: int) -> Pixels:
    """Change nothing."""
    return pixels


def launder(seed: int) -> Rewrite:
    """Rewrite as JPEG of a quality in 75-95 that seed and number decide."""

    def rewrite(pixels: Pixels, number: int) -> Pixels:
        low, high = JPEG_QUALITIES
        quality = int(np.random.default_rng((seed, number)).integers(low, high + 1))
        return recode(pixels, ".jpg", quality)

    return rewrite


def write_jpeg(quality: int) -> Rewrite:
    """Rewrite as JPEG of one quality."""
    return lambda pixels, number: recode(pixels, ".jpg", quality)


def write_webp(quality: int) -> Rewrite:
    """Rewrite as lossy WebP of one quality."""
    return lambda pixels, number: recode(pixels, ".webp", quality)


def write_png(pixels: Pixels, number: int) -> Pixels:
    """Rewrite as PNG: other bytes, the same pixels."""
    return recode(pixels, ".png", None)


def rescale(factor: float) -> Rewrite:
    """Shrink both sides by a factor, averaging over the area."""

    def rewrite(pixels: Pixels, number: int) -> Pixels:
        return _resize(pixels, factor)

    return rewrite


def blur(sigma: float) -> Rewrite:
    """Blur with a Gaussian of so many pixels."""

    def rewrite(pixels: Pixels, number: int) -> Pixels:
        return np.asarray(cv2.GaussianBlur(pixels, (0, 0), sigma), dtype=np.uint8)

    return rewrite


def add_noise(sigma: float, seed: int) -> Rewrite:
    """Add Gaussian noise of so many of 255 levels."""

    def rewrite(pixels: Pixels, number: int) -> Pixels:
        noise = np.random.default_rng((seed, number)).standard_normal(pixels.shape, np.float32)
        return np.clip(pixels + sigma * noise, 0, 255).astype(np.uint8)

    return rewrite


def crop_screenshot(seed: int) -> Rewrite:
    """Rewrite as a picture that was shown on a screen and cut out by hand.

    Scaled to 0.8-1.25 of its size, at most 900 pixels high, up to 6 % cut from each side, saved as
    JPEG 80-92.
    """

    def rewrite(pixels: Pixels, number: int) -> Pixels:
        rng = np.random.default_rng((seed, number))
        factor = min(rng.uniform(0.8, 1.25), SCREEN_PX / pixels.shape[0])
        shown = _resize(pixels, factor)
        height, width = shown.shape[:2]
        top, left, bottom, right = (
            int(share * side)
            for share, side in zip(
                rng.uniform(0, 0.06, 4), (height, width, height, width), strict=True
            )
        )
        cut = np.ascontiguousarray(shown[top : height - bottom, left : width - right])
        return recode(cut, ".jpg", int(rng.integers(80, 93)))

    return rewrite


def recode(pixels: Pixels, suffix: str, quality: int | None) -> Pixels:
    """Encode pixels (OpenCV; JPEG 4:2:0) and decode them as a worker would."""
    flag = cv2.IMWRITE_WEBP_QUALITY if suffix == ".webp" else cv2.IMWRITE_JPEG_QUALITY
    options = [] if quality is None else [flag, quality]
    content = cv2.imencode(suffix, cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), options)[1].tobytes()
    return decode_image(content, limit_px=LIMIT_PX).pixels


def _resize(pixels: Pixels, factor: float) -> Pixels:
    height, width = pixels.shape[:2]
    size = max(1, round(width * factor)), max(1, round(height * factor))
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(pixels, size, interpolation=method), dtype=np.uint8)
