import numpy as np
import pytest

from detector.crops import cut_face, cut_native, face_square


def draw(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_the_square_is_centred_on_the_box_with_margin():
    assert face_square((100, 200, 200, 280), 1000, 1000) == (65, 155, 170)


@pytest.mark.parametrize(
    ("box", "square"),
    [
        ((0, 0, 100, 100), (0, 0, 170)),
        ((900, 500, 1000, 600), (830, 430, 170)),
        ((-50, -50, 50, 50), (0, 0, 170)),
        ((0, 0, 900, 600), (150, 0, 600)),
        ((5, 5, 6, 6), (4, 4, 2)),
    ],
)
def test_the_square_lies_inside_the_image(box, square):
    left, top, side = face_square(box, 600, 1000)

    assert (left, top, side) == square
    assert 0 <= left <= left + side <= 1000
    assert 0 <= top <= top + side <= 600


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 500), (300, 2)])
def test_the_thinnest_image_has_a_square(height, width):
    left, top, side = face_square((0, 0, width, height), height, width)

    assert 1 <= side <= min(height, width)
    assert left + side <= width
    assert top + side <= height


@pytest.mark.parametrize("side", [224, 225, 251, 280])
def test_a_square_about_as_large_as_the_view_is_cut_not_resized(side):
    pixels = draw(400, 400)

    view = cut_face(pixels, (10, 20, side))

    start = (side - 224) // 2
    assert (view == pixels[20 + start : 244 + start, 10 + start : 234 + start]).all()
    assert not np.shares_memory(view, pixels)


def test_a_large_square_is_averaged():
    pixels = draw(448, 448)

    view = cut_face(pixels, (0, 0, 448))

    mean = pixels.reshape(224, 2, 224, 2, 3).mean(axis=(1, 3))
    assert np.abs(view - mean).max() <= 0.5 + 1e-9


@pytest.mark.parametrize("side", [1, 24, 223])
def test_a_small_square_is_enlarged(side):
    view = cut_face(draw(300, 300), (7, 9, side))

    assert view.shape == (224, 224, 3)
    assert view.dtype == np.uint8


def test_the_middle_of_a_large_square_is_native():
    pixels = draw(600, 600)

    view = cut_native(pixels, (50, 100, 401))

    assert (view == pixels[188:412, 138:362]).all()
    assert not np.shares_memory(view, pixels)


@pytest.mark.parametrize("side", [24, 224, 280])
def test_a_square_whose_face_view_is_untouched_or_enlarged_has_no_native_view(side):
    assert cut_native(draw(400, 400), (0, 0, side)) is None
