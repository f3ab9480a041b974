"""Pictures that tests draw themselves: noise over a gradient, each number another picture."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray


def draw(number: int, side_px: int = 96) -> NDArray[np.uint8]:
    """Draw picture `number`, shape `(side_px, side_px, 3)`, dtype uint8."""
    random = np.random.default_rng(number)
    ramp = np.linspace(0, 160, side_px)[:, None, None] * random.uniform(0.3, 1, 3)
    pixels = ramp + random.integers(0, 90, (side_px, side_px, 3))
    return np.clip(pixels, 0, 255).astype(np.uint8)


def write_picture(path: Path, number: int) -> Path:
    """Write picture `number` in the format that the name's ending tells."""
    path.parent.mkdir(parents=True, exist_ok=True)
    done, encoded = cv2.imencode(path.suffix, draw(number))
    assert done
    path.write_bytes(encoded.tobytes())
    return path


def write_pictures(folder: Path, count: int) -> list[Path]:
    """Write `count` different JPEG pictures."""
    return [write_picture(folder / f"{number:04}.jpg", number) for number in range(count)]
