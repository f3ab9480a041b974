"""The networks that can be trained, by name."""

from collections.abc import Callable
from typing import Any

from training.cnn import build_cnn
from training.lite import build_lite
from training.transfer import TRANSFER

ARCHITECTURES: dict[str, Callable[[int], Any]] = {"cnn": build_cnn, "lite": build_lite, **TRANSFER}
"""Each takes the side of its input and gives `(n, side, side, 3)` in [0, 255] to `(n, 1)` in [0, 1]."""

FIXED_SIZE = ("cnn",)
"""Networks whose weights depend on the side of the input, so that they cannot be fitted on parts."""
