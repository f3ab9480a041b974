"""Heat: how much each part of a view speaks for fake."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PATCH_MAP = "patch_map"
GRAD_CAM = "grad-cam"


@dataclass(frozen=True)
class Heat:
    """A map over one view.

    Attributes:
        kind: `grad-cam`, whose hottest part is 1 in every view, or `patch_map`, on the same scale in
            all: the uncalibrated probability of each patch.
        values: Shape `(rows, columns)`, float64, range [0, 1].
    """

    kind: str
    values: NDArray[np.float64]
