"""Golden views: eight drawn pictures on which a loaded model must repeat its card's scores.

Integer arithmetic alone draws them, so that every machine sees the same bytes.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

SIDE_PX = 224

TOLERANCE = 1e-4
"""Scores of the same network on another processor or engine differ by no more."""

Plane = NDArray[np.int64]


def golden_views() -> list[tuple[str, NDArray[np.uint8]]]:
    """Draw the golden views.

    Returns:
        Eight pairs of a name and its pixels, shape `(224, 224, 3)`, dtype uint8, RGB.
    """
    y, x = np.mgrid[0:SIDE_PX, 0:SIDE_PX].astype(np.int64)
    noise = _draw_noise(x, y)
    planes: dict[str, tuple[Plane, Plane, Plane]] = {
        "gradient": (x * 255 // 223, y * 255 // 223, (x + y) * 255 // 446),
        "checkers": _draw_grey((x // 8 + y // 8) % 2 * 255),
        "fine_checkers": _draw_grey((x + y) % 2 * 200 + 27),
        "rings": _draw_rings(x, y),
        "noise": (noise & 255, noise >> 8 & 255, noise >> 16 & 255),
        "soft_noise": _draw_grey(112 + (noise & 31)),
        "cartoon": _draw_cartoon(x, y, x * 0),
        "noisy_cartoon": _draw_cartoon(x, y, (noise & 31) - 16),
    }
    return [
        (name, np.clip(np.stack(bands, axis=-1), 0, 255).astype(np.uint8))
        for name, bands in planes.items()
    ]


def compare_golden(scores: Mapping[str, float], expected: Mapping[str, float]) -> str | None:
    """Compare calibrated scores of the golden views, by name, with those of a card.

    Returns:
        The first fault in words, None where there is none or nothing to compare with.
    """
    for name, score in scores.items():
        if name in expected and not abs(score - expected[name]) <= TOLERANCE:
            return f"golden view '{name}' has the score {expected[name]:.6f}. Received: {score:.6f}"
    return None


def _draw_grey(plane: Plane) -> tuple[Plane, Plane, Plane]:
    return plane, plane, plane


def _draw_noise(x: Plane, y: Plane) -> Plane:
    """Hash each position to 24 bits (the finaliser of MurmurHash3, modulo 2**32)."""
    word = (y * SIDE_PX + x + 1) * 0x9E3779B1 % 2**32
    word = (word ^ word >> 16) * 0x85EBCA6B % 2**32
    word = (word ^ word >> 13) * 0xC2B2AE35 % 2**32
    return (word ^ word >> 16) & 0xFFFFFF


def _draw_rings(x: Plane, y: Plane) -> tuple[Plane, Plane, Plane]:
    """A zone plate: frequency grows with the distance from the centre."""
    distance = (x - 112) ** 2 + (y - 112) ** 2
    wave = np.abs(distance // 16 % 64 - 32) * 255 // 32
    return wave, 255 - wave, wave // 2 + 64


def _draw_cartoon(x: Plane, y: Plane, grain: Plane) -> tuple[Plane, Plane, Plane]:
    """A face of ellipses: head, eyes, nose and mouth before a plain wall."""
    bands = [x * 0 + tone + y // 8 for tone in (96, 120, 150)]
    for centre_x, centre_y, radius_x, radius_y, tones in (
        (112, 120, 70, 92, (226, 180, 150)),
        (84, 96, 14, 8, (250, 250, 250)),
        (140, 96, 14, 8, (250, 250, 250)),
        (84, 96, 6, 7, (60, 40, 30)),
        (140, 96, 6, 7, (60, 40, 30)),
        (112, 130, 9, 20, (205, 155, 125)),
        (112, 168, 28, 9, (170, 70, 75)),
    ):
        inside = ((x - centre_x) * radius_y) ** 2 + ((y - centre_y) * radius_x) ** 2 <= (
            radius_x * radius_y
        ) ** 2
        bands = [
            np.where(inside, tone + (112 - x) // 12, band)
            for band, tone in zip(bands, tones, strict=True)
        ]
    red, green, blue = (band + grain for band in bands)
    return red, green, blue
