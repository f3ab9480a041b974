import cv2
import numpy as np
import pytest

from detector.golden import golden_views
from detector.sharpness import SHARPNESS_FLOOR, measure_sharpness

CARTOON = dict(golden_views())["cartoon"]


@pytest.mark.parametrize("contrast", [0.25, 0.5])
def test_contrast_alone_changes_little(contrast):
    faint = np.rint(CARTOON * contrast + 60).astype(np.uint8)

    assert measure_sharpness(faint) == pytest.approx(measure_sharpness(CARTOON), rel=0.15)


def test_the_more_blur_the_less_sharpness():
    measured = [
        measure_sharpness(cv2.GaussianBlur(CARTOON, (0, 0), sigma)) for sigma in (0.5, 1, 2, 4, 12)
    ]

    assert measured == sorted(measured, reverse=True)
    assert measured[0] > SHARPNESS_FLOOR > measured[-1]


def test_only_the_middle_is_measured():
    noise = np.random.default_rng(1).integers(0, 256, (224, 224, 3), dtype=np.uint8)
    noise[46:178, 46:178] = CARTOON[46:178, 46:178]

    assert measure_sharpness(noise) == measure_sharpness(CARTOON)


def test_a_flat_face_has_no_sharpness():
    assert measure_sharpness(np.full((224, 224, 3), 90, dtype=np.uint8)) < 1e-3
