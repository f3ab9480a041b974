"""Make fakes from real photos alone: self-blended faces, splices, and up-samplers' grids.

Self-blending follows the idea of Shiohara and Yamasaki (CVPR 2022): a face is changed slightly and
blended back into itself under a soft mask, which leaves the seam of a face swap and nothing else;
here the masks are ellipses, not landmarks. An up-sampler that fills in zeros leaves a grid in the
spectrum, as the layers of generators do. Scores on such fakes prove nothing about real ones.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Mask = NDArray[np.float32]

SHARES = {"self-blend": 0.5, "splice": 0.25, "up-sampler": 0.25}


def make_fake(square: Pixels, other: Pixels, rng: np.random.Generator) -> Pixels:
    """Make a fake of a real face's square.

    Args:
        square: RGB, shape `(side, side, 3)`, dtype uint8.
        other: Another real face's square, any side, that a splice is taken from.

    Returns:
        A new array of the shape of `square`.
    """
    kind = rng.choice(list(SHARES), p=list(SHARES.values()))
    if kind == "up-sampler":
        return _upsample(square, rng)
    if kind == "splice":
        return _splice(square, other, rng)
    return _blend(square, _vary(square, rng), _draw_mask(square.shape[0], (0.22, 0.42), rng))


def _vary(square: Pixels, rng: np.random.Generator) -> Pixels:
    """Change colour, sharpness and place a little: what a swapped face differs in."""
    side = square.shape[0]
    gain, offset = rng.uniform(0.85, 1.15, 3), rng.uniform(-12, 12, 3)
    varied = np.clip(square * gain + offset, 0, 255).astype(np.uint8)
    if rng.random() < 0.6:
        small = max(16, round(side * rng.uniform(0.35, 0.9)))
        shrunk = cv2.resize(varied, (small, small), interpolation=cv2.INTER_AREA)
        varied = np.asarray(
            cv2.resize(shrunk, (side, side), interpolation=cv2.INTER_CUBIC), np.uint8
        )
    else:
        soft = cv2.GaussianBlur(varied, (0, 0), 1.5)
        varied = np.asarray(cv2.addWeighted(varied, 1.6, soft, -0.6, 0), dtype=np.uint8)
    scale = rng.uniform(0.95, 1.05)
    matrix = np.array(
        [[scale, 0, side * rng.uniform(-0.03, 0.03)], [0, scale, side * rng.uniform(-0.03, 0.03)]]
    )
    moved = cv2.warpAffine(varied, matrix, (side, side), borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(moved, dtype=np.uint8)


def _splice(square: Pixels, other: Pixels, rng: np.random.Generator) -> Pixels:
    """Put a part of another face, eyes or mouth or half of it, into this one, in its colours."""
    side = square.shape[0]
    donor = np.asarray(cv2.resize(other, (side, side), interpolation=cv2.INTER_AREA), np.float32)
    mean, spread = square.mean((0, 1)), square.std((0, 1)) + 1
    donor = (donor - donor.mean((0, 1))) / (donor.std((0, 1)) + 1) * spread + mean
    mask = _draw_mask(side, (0.08, 0.25), rng, wander=0.12)
    return _blend(square, np.clip(donor, 0, 255).astype(np.uint8), mask)


def _upsample(square: Pixels, rng: np.random.Generator) -> Pixels:
    """Halve the size, fill in zeros, smooth by a kernel that is not quite even."""
    side = square.shape[0]
    half = (side + 1) // 2
    small = cv2.resize(square, (half, half), interpolation=cv2.INTER_AREA).astype(np.float32)
    spread = np.zeros((2 * half, 2 * half, 3), dtype=np.float32)
    spread[::2, ::2] = small
    line = np.array([1, 3, 3, 1], dtype=np.float32) + rng.uniform(-0.35, 0.35, 4)
    kernel = np.outer(line, line + rng.uniform(-0.15, 0.15, 4))
    filled = cv2.filter2D(spread, -1, 4 * kernel / kernel.sum(), borderType=cv2.BORDER_REFLECT)
    detail = square - cv2.GaussianBlur(square, (0, 0), 1.0).astype(np.float32)
    mixed = filled[:side, :side] + rng.uniform(0, 0.8) * detail
    return np.asarray(np.clip(mixed, 0, 255), dtype=np.uint8)


def _draw_mask(
    side: int, radii: tuple[float, float], rng: np.random.Generator, wander: float = 0.06
) -> Mask:
    """Draw a soft ellipse, shape `(side, side, 1)`, range [0, 1]."""
    mask = np.zeros((side, side), dtype=np.float32)
    centre = tuple(round(side * (0.5 + rng.uniform(-wander, wander))) for _ in range(2))
    axes = tuple(max(2, round(side * rng.uniform(*radii))) for _ in range(2))
    cv2.ellipse(mask, centre, axes, float(rng.uniform(0, 180)), 0, 360, 1.0, -1)
    blurred = cv2.GaussianBlur(mask, (0, 0), float(side * rng.uniform(0.005, 0.06)))
    return np.asarray(blurred, dtype=np.float32)[:, :, None] * np.float32(rng.uniform(0.6, 1.0))


def _blend(square: Pixels, inside: Pixels, mask: Mask) -> Pixels:
    return np.clip(square + mask * (inside.astype(np.float32) - square), 0, 255).astype(np.uint8)
