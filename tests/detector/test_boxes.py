import numpy as np
import pytest

from detector.boxes import cut_tiles, cut_with_border, drop_contained, merge, overlap, shrink, turn


def box(*numbers):
    return np.array(numbers, dtype=np.float64)


def test_overlap_is_intersection_over_union():
    boxes = np.stack([box(0, 0, 2, 2), box(1, 0, 3, 2), box(2, 2, 4, 4)])

    assert overlap(box(0, 0, 2, 2), boxes) == pytest.approx([1, 1 / 3, 0])


def test_overlapping_boxes_become_their_weighted_mean():
    boxes = np.stack([box(0, 0, 10, 10), box(50, 50, 60, 60), box(2, 0, 12, 10)])

    merged = merge(boxes, np.array([0.6, 0.5, 0.2]), 0.3)

    assert [found for _, found in merged] == [0.6, 0.5]
    assert merged[0][0] == pytest.approx([0.5, 0, 10.5, 10])


def test_of_a_box_in_a_box_the_more_confident_stays():
    face, nose, other = box(0, 0, 90, 90), box(30, 30, 60, 60), box(100, 0, 150, 50)

    kept = drop_contained([(nose, 0.6), (other, 0.5), (face, 0.9)], 0.3)

    assert [found for _, found in kept] == [0.9, 0.5]


@pytest.mark.parametrize("size", [(100, 100), (960, 1280), (640, 200), (321, 1000)])
def test_tiles_cover_the_picture_and_overlap(size):
    covered = np.zeros(size, dtype=int)
    numbered = np.zeros((*size, 3), dtype=np.uint8)

    for (left, top), tile in cut_tiles(numbered, 320, 0.75):
        assert tile.shape[0] == min(320, size[0])
        assert tile.shape[1] == min(320, size[1])
        covered[top : top + tile.shape[0], left : left + tile.shape[1]] += 1

    assert covered.min() == 1


def test_what_lies_outside_a_cut_is_grey():
    pixels = np.full((10, 10, 3), 200, dtype=np.uint8)

    cut = cut_with_border(pixels, -2, 4, 8, 7)

    assert (cut[:6, 2:] == 200).all()
    assert (cut[:, :2] == 7).all()
    assert (cut[6:] == 7).all()


def test_four_quarter_turns_are_none():
    pixels = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)

    assert (turn(turn(pixels, 1), 3) == pixels).all()
    assert (turn(turn(pixels, 2), 2) == pixels).all()
    assert turn(pixels, 1).shape == (4, 2, 3)


def test_a_small_picture_is_not_shrunk():
    pixels = np.zeros((50, 100, 3), dtype=np.uint8)

    assert shrink(pixels, 100) is pixels
    assert shrink(pixels, 50).shape == (25, 50, 3)
