"""Sharpness: how much fine detail a face view has left, whatever its light and contrast."""

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.crops import FACE_MARGIN

SHARPNESS_FLOOR = 0.026
"""What a card asks for unless its model was measured to need another. Below it lie 1 % of the faces of
UTKFace, the softest source, which is made of enlarged faces, and none of most others; 90 % of all faces
blurred by a Gaussian of 5 pixels at 224 (69 % after JPEG 75), 98 % of those blurred by 7 (87 %), and
78 % of those enlarged from 12 pixels. Faces enlarged from 20 pixels are not told from UTKFace."""

SMOOTHING_PX = 1.0
"""Sigma of the smoothing before the Laplacian, which would else see the steps of 8-bit values and JPEG
blocks of a blurred face: without it a floor that spares as many sharp faces lets 28 % of those blurred
by 5 pixels pass, and 90 % after JPEG 75."""

SMALLEST_DEVIATION = 1.0
"""Grey levels; a view flatter than this would divide by nothing."""


def measure_sharpness(view: NDArray[np.uint8]) -> float:
    """Measure the deviation of the Laplacian of Gaussian over that of the grey levels.

    The Laplacian alone (Pech-Pacheco et al., ICPR 2000) is as small for a sharp face in fog as for a
    blurred one; divided by the contrast it does not change when the contrast does.

    Args:
        view: RGB, shape `(224, 224, 3)`, dtype uint8, as `detector.crops.cut_face` made it. Only its
            middle is measured, else a sharp wall would speak for a blurred face before it.

    Returns:
        At least 0; 0.05 to 0.2 for most photographed faces.
    """
    side = view.shape[0]
    border = round(side * (1 - 1 / FACE_MARGIN) / 2)
    middle = view[border : side - border, border : side - border]
    grey = cv2.cvtColor(middle, cv2.COLOR_RGB2GRAY).astype(np.float32)
    _, deviation = cv2.meanStdDev(grey)
    _, detail = cv2.meanStdDev(
        cv2.Laplacian(cv2.GaussianBlur(grey, (0, 0), SMOOTHING_PX), cv2.CV_32F)
    )
    return float(detail[0, 0]) / max(float(deviation[0, 0]), SMALLEST_DEVIATION)
