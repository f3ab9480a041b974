"""Change a face's square at random, without looking at its label.

Every square of both classes goes through one chain: a life as a file first (light, blur, noise,
another size, another codec), so that no class can be told by how its files were made ("Fake or
JPEG?", arXiv 2403.17608); the view is cut from what that left, and turned and masked last.
"""

import io

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from detector.image import decode_image

INTERPOLATIONS = (cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_CUBIC)
LIFE = {
    "brightness and contrast": 0.4,
    "grey": 0.08,
    "blur 0.3-1.5": 0.12,
    "another size 0.5-1.25": 0.35,
    "noise 1-6": 0.15,
    "JPEG or WebP 50-100": 0.85,
    "a second time": 0.15,
}
TURN = {"flip": 0.5, "quarter turns": 0.1, "turn up to 25 degrees": 0.15, "mask": 0.15}
SMALLEST_PX, LARGEST_PX = 80, 512

Pixels = NDArray[np.uint8]


def live_as_file(square: Pixels, rng: np.random.Generator) -> Pixels:
    """Return what a file's life made of a square, `(side, side, 3)` uint8; its size may change."""
    picked = {name: bool(rng.random() < chance) for name, chance in LIFE.items()}
    if picked["brightness and contrast"]:
        square = _light(square, rng)
    if picked["grey"]:
        grey = cv2.cvtColor(square, cv2.COLOR_RGB2GRAY)
        square = cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB).astype(np.uint8)
    if picked["blur 0.3-1.5"]:
        square = cv2.GaussianBlur(square, (0, 0), float(rng.uniform(0.3, 1.5))).astype(np.uint8)
    if picked["another size 0.5-1.25"] or square.shape[0] > 2 * LARGEST_PX:
        square = _another_size(square, rng)
    if picked["noise 1-6"]:
        noise = rng.standard_normal(square.shape, dtype=np.float32) * rng.uniform(1, 6)
        square = np.clip(square + noise, 0, 255).astype(np.uint8)
    for coding in ("JPEG or WebP 50-100", "a second time"):
        if picked[coding]:
            square = _recode(square, rng)
    return square


def turn_view(view: Pixels, rng: np.random.Generator) -> Pixels:
    """Return a flipped, turned or masked copy of a view, `(side, side, 3)` uint8."""
    picked = {name: bool(rng.random() < chance) for name, chance in TURN.items()}
    if picked["flip"]:
        view = view[:, ::-1]
    if picked["quarter turns"]:
        view = np.rot90(view, int(rng.integers(1, 4)))
    view = np.ascontiguousarray(view)
    side = view.shape[0]
    if picked["turn up to 25 degrees"]:
        turn = cv2.getRotationMatrix2D((side / 2, side / 2), float(rng.uniform(-25, 25)), 1.0)
        turned = cv2.warpAffine(
            view, turn, (side, side), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101
        )
        view = np.asarray(turned, dtype=np.uint8)
    if picked["mask"]:
        height, width = (int(side * rng.uniform(0.1, 0.4)) for _ in range(2))
        top, left = int(rng.integers(side - height)), int(rng.integers(side - width))
        view = view.copy()
        view[top : top + height, left : left + width] = rng.integers(0, 256, 3)
    return view


def encode_jpeg(pixels: Pixels, quality: int) -> bytes:
    """Encode RGB pixels as JPEG (OpenCV, 4:2:0)."""
    bgr = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", bgr, (cv2.IMWRITE_JPEG_QUALITY, quality))[1].tobytes()


def encode_png(pixels: Pixels) -> bytes:
    """Encode RGB pixels as PNG, without loss."""
    return cv2.imencode(".png", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))[1].tobytes()


def resize_square(square: Pixels, side: int, rng: np.random.Generator) -> Pixels:
    """Resize to `(side, side, 3)` by a way of interpolation drawn at random."""
    interpolation = INTERPOLATIONS[rng.integers(len(INTERPOLATIONS))]
    return np.asarray(cv2.resize(square, (side, side), interpolation=interpolation), dtype=np.uint8)


def _light(square: Pixels, rng: np.random.Generator) -> Pixels:
    gain = rng.uniform(0.75, 1.25) * rng.uniform(0.95, 1.05, 3)
    offset = rng.uniform(-25, 25)
    table = np.arange(256, dtype=np.float64)[:, None] * gain + offset
    levels = np.clip(table, 0, 255).astype(np.uint8)[None]
    return np.asarray(cv2.LUT(square, levels), dtype=np.uint8)


def _another_size(square: Pixels, rng: np.random.Generator) -> Pixels:
    scaled = square.shape[0] * float(np.exp(rng.uniform(np.log(0.5), np.log(1.25))))
    return resize_square(square, round(float(np.clip(scaled, SMALLEST_PX, LARGEST_PX))), rng)


def _recode(square: Pixels, rng: np.random.Generator) -> Pixels:
    quality = round(50 + 50 * np.sqrt(rng.random()))
    coder = rng.random()
    if coder < 0.6:
        content = encode_jpeg(square, quality)
    else:
        stream = io.BytesIO()
        if coder < 0.85:
            sampling = ("4:4:4", "4:2:2", "4:2:0")[rng.integers(3)]
            Image.fromarray(square).save(
                stream, "jpeg", quality=min(quality, 95), subsampling=sampling
            )
        else:
            Image.fromarray(square).save(stream, "webp", quality=quality, method=0)
        content = stream.getvalue()
    return decode_image(content, limit_px=square.size).pixels
