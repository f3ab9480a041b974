"""Sharpness: how much fine detail a face view has left, whatever its light and contrast."""

import cv2
import numpy as np
from numpy.typing import NDArray

SHARPNESS_FLOOR = 0.017
"""What a card asks for unless its model was measured to need more. Below it lie at most 1 % of the
faces of any source of the data set, 97 % of all faces blurred by a Gaussian of 5 pixels at 224 (86 %
after JPEG 75), all blurred by 7, and 91 % of those enlarged from 12 pixels. Faces enlarged from 20
pixels are not told from the softest source, UTKFace, which is made of enlarged faces."""

SMOOTHING_PX = 1.0
"""Sigma of the smoothing before the Laplacian, which would else see the steps of 8-bit values and
JPEG blocks of a blurred face: without it 72 % and 10 % instead of the 97 % and 86 % above."""

SMALLEST_DEVIATION = 1.0
"""Grey levels; a view flatter than this would divide by nothing."""


def measure_sharpness(view: NDArray[np.uint8]) -> float:
    """Measure the deviation of the Laplacian of Gaussian over that of the grey levels.

    The Laplacian alone (Pech-Pacheco et al., ICPR 2000) is as small for a sharp face in fog as for a
    blurred one; divided by the contrast it does not change when the contrast does.

    Args:
        view: RGB, shape `(side, side, 3)`, dtype uint8.

    Returns:
        At least 0; 0.04 to 0.2 for most photographed faces.
    """
    grey = cv2.cvtColor(view, cv2.COLOR_RGB2GRAY).astype(np.float32)
    _, deviation = cv2.meanStdDev(grey)
    _, detail = cv2.meanStdDev(
        cv2.Laplacian(cv2.GaussianBlur(grey, (0, 0), SMOOTHING_PX), cv2.CV_32F)
    )
    return float(detail[0, 0]) / max(float(deviation[0, 0]), SMALLEST_DEVIATION)
