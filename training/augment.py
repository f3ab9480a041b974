"""Augment views at random, without looking at their label.

Every training view of both classes goes through one chain of flips, crops, light, blur, scale,
noise and codecs, so that no class can be told by how its files were made ("Fake or JPEG?", arXiv
2403.17608).
"""

import io

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from detector.image import decode_image

INTERPOLATIONS = (cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_CUBIC)
CHAIN = {
    "flip": 0.5,
    "crop 0.85-1": 0.5,
    "brightness and contrast": 0.5,
    "grey": 0.05,
    "blur 0.3-1.2": 0.15,
    "down-up 0.5-1": 0.3,
    "noise 1-6": 0.2,
    "JPEG or WebP 40-100": 0.8,
}

View = NDArray[np.uint8]


def augment_view(view: View, rng: np.random.Generator) -> View:
    """Return a changed copy of an RGB view, `(side, side, 3)` uint8, of the same shape."""
    picked = {name: bool(rng.random() < share) for name, share in CHAIN.items()}
    if picked["flip"]:
        view = np.ascontiguousarray(view[:, ::-1])
    if picked["crop 0.85-1"]:
        view = _crop(view, rng)
    if picked["brightness and contrast"]:
        view = _light(view, rng)
    if picked["grey"]:
        grey = cv2.cvtColor(view, cv2.COLOR_RGB2GRAY)
        view = cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB).astype(np.uint8)
    if picked["blur 0.3-1.2"]:
        view = cv2.GaussianBlur(view, (0, 0), float(rng.uniform(0.3, 1.2))).astype(np.uint8)
    if picked["down-up 0.5-1"]:
        view = _rescale(view, rng)
    if picked["noise 1-6"]:
        noise = rng.standard_normal(view.shape, dtype=np.float32) * rng.uniform(1, 6)
        view = np.clip(view + noise, 0, 255).astype(np.uint8)
    if picked["JPEG or WebP 40-100"]:
        view = _recode(view, rng)
    return view


def encode_jpeg(pixels: View, quality: int) -> bytes:
    """Encode RGB pixels as JPEG (OpenCV, 4:2:0)."""
    bgr = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", bgr, (cv2.IMWRITE_JPEG_QUALITY, quality))[1].tobytes()


def encode_png(pixels: View) -> bytes:
    """Encode RGB pixels as PNG, without loss."""
    return cv2.imencode(".png", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))[1].tobytes()


def _crop(view: View, rng: np.random.Generator) -> View:
    side = view.shape[0]
    size = round(side * rng.uniform(0.85, 1))
    top, left = (int(rng.integers(0, side - size + 1)) for _ in range(2))
    return _resize(view[top : top + size, left : left + size], side, rng)


def _light(view: View, rng: np.random.Generator) -> View:
    gain = rng.uniform(0.75, 1.25) * rng.uniform(0.95, 1.05, 3)
    offset = rng.uniform(-25, 25)
    table = np.arange(256, dtype=np.float64)[:, None] * gain + offset
    levels = np.clip(table, 0, 255).astype(np.uint8)[None]
    return np.asarray(cv2.LUT(view, levels), dtype=np.uint8)


def _rescale(view: View, rng: np.random.Generator) -> View:
    side = view.shape[0]
    return _resize(_resize(view, round(side * rng.uniform(0.5, 1)), rng), side, rng)


def _resize(view: View, side: int, rng: np.random.Generator) -> View:
    interpolation = INTERPOLATIONS[rng.integers(len(INTERPOLATIONS))]
    return np.asarray(cv2.resize(view, (side, side), interpolation=interpolation), dtype=np.uint8)


def _recode(view: View, rng: np.random.Generator) -> View:
    quality = round(40 + 60 * np.sqrt(rng.random()))
    coder = rng.random()
    if coder < 0.6:
        content = encode_jpeg(view, quality)
    else:
        stream = io.BytesIO()
        if coder < 0.85:
            sampling = ("4:4:4", "4:2:2", "4:2:0")[rng.integers(3)]
            Image.fromarray(view).save(
                stream, "jpeg", quality=min(quality, 95), subsampling=sampling
            )
        else:
            Image.fromarray(view).save(stream, "webp", quality=quality, method=0)
        content = stream.getvalue()
    return decode_image(content, limit_px=view.size).pixels
