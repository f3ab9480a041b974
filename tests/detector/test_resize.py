import cv2
import numpy as np
import pytest

from detector.resize import shrink_exactly, shrink_quickly


def draw(height, width):
    """Soft shapes and fine noise, such as photos have."""
    random = np.random.default_rng(7)
    soft = cv2.resize(
        random.integers(0, 256, (12, 12, 3), dtype=np.uint8),
        (width, height),
        interpolation=cv2.INTER_CUBIC,
    )
    noise = random.integers(-20, 21, soft.shape)
    return np.clip(soft + noise, 0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    "size", [(224, 224), (225, 300), (500, 448), (897, 2000), (3001, 4003), (300, 5000)]
)
def test_an_exact_shrink_is_the_mean_over_each_area(size):
    pixels = draw(*size)
    expected = cv2.resize(pixels, (224, 224), interpolation=cv2.INTER_AREA)

    shrunk = shrink_exactly(pixels, 224, 224)

    assert shrunk.shape == (224, 224, 3)
    difference = np.abs(shrunk.astype(int) - expected)
    assert difference.mean() < 1
    assert difference.max() <= 10


def test_small_steps_are_opencvs_own():
    pixels = draw(800, 870)

    expected = cv2.resize(pixels, (224, 224), interpolation=cv2.INTER_AREA)

    assert (shrink_exactly(pixels, 224, 224) == expected).all()


@pytest.mark.parametrize("size", [(1281, 961), (3000, 4000), (4001, 1281)])
def test_a_quick_shrink_shows_the_same_picture(size):
    pixels = draw(*size)
    expected = cv2.resize(pixels, (640, 480), interpolation=cv2.INTER_AREA)

    shrunk = shrink_quickly(pixels, 640, 480)

    assert shrunk.shape == (480, 640, 3)
    assert np.abs(shrunk.astype(int) - expected).mean() < 6


def test_fine_checkers_become_grey_not_an_alias():
    checkers = (np.indices((2048, 2048)).sum(axis=0) % 2 * 255).astype(np.uint8)
    pixels = np.repeat(checkers[:, :, None], 3, axis=2)

    for shrink in (shrink_exactly, shrink_quickly):
        assert np.ptp(shrink(pixels, 224, 224)) <= 2


def test_the_argument_is_left_alone():
    pixels = draw(2000, 1999)
    before = pixels.copy()

    shrunk = shrink_exactly(pixels, 100, 100)

    assert (pixels == before).all()
    assert not np.shares_memory(shrunk, pixels)
