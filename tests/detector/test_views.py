import json

import cv2
import numpy as np
import pytest

from detector.card import ModelCard
from detector.crops import cut_face, cut_native, face_square
from detector.faces import Face
from detector.golden import golden_views
from detector.views import make_views, whole_view
from fakesweep.errors import ModelError


def draw(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("size", [(300, 500), (50, 60), (224, 224), (100, 900), (1, 5000), (5, 1)])
def test_any_image_becomes_one_square(size):
    view = whole_view(draw(*size))

    assert view.shape == (224, 224, 3)
    assert view.dtype == np.uint8


def test_shrinking_by_a_whole_factor_averages_the_area():
    pixels = draw(448, 448)

    view = whole_view(pixels)

    mean = pixels.reshape(224, 2, 224, 2, 3).mean(axis=(1, 3))
    assert np.abs(view - mean).max() <= 0.5 + 1e-9


def test_enlarging_interpolates_between_pixels():
    pixels = np.zeros((2, 2, 3), dtype=np.uint8)
    pixels[:, 1] = 200

    row = whole_view(pixels)[112, :, 0].astype(int)

    assert row[0] == 0
    assert row[-1] == 200
    assert (np.diff(row) >= 0).all()
    assert len(set(row)) > 50


def test_an_image_of_the_models_size_is_copied():
    pixels = draw(224, 224)

    view = whole_view(pixels)

    assert (view == pixels).all()
    assert not np.shares_memory(view, pixels)


def test_the_whole_image_is_the_one_view(card):
    pixels = draw(300, 400)

    (view,) = make_views(pixels, card)

    assert (view.kind, view.box) == ("whole", None)
    assert (view.pixels == whole_view(pixels)).all()


@pytest.mark.parametrize(("size", "views"), [((31, 500), 0), ((500, 31), 0), ((32, 32), 1)])
def test_an_image_below_the_smallest_face_has_no_view(card, size, views):
    assert len(make_views(draw(*size), card)) == views


def test_a_blank_image_has_no_view(card):
    blank = np.full((300, 300, 3), (10, 120, 250), dtype=np.uint8)
    nearly = blank.copy()
    nearly[:150] += 5

    assert make_views(blank, card) == []
    assert make_views(nearly, card) == []


def test_a_faint_picture_has_a_view(card):
    faint = np.full((300, 300, 3), 100, dtype=np.uint8)
    faint[:150, :, 1] = 120

    assert len(make_views(faint, card)) == 1


@pytest.mark.parametrize("views", [["face"], ["whole", "face"], ["whole", "whole"]])
def test_an_unknown_kind_of_view_is_refused(card_facts, views):
    card = ModelCard.model_validate_json(json.dumps({**card_facts, "views": views}))

    with pytest.raises(ModelError, match="this version of fakesweep does not know its views"):
        make_views(draw(100, 100), card)


def test_an_unknown_face_finder_is_refused(card_facts):
    card_facts["faces"]["finder"] = "cascade"
    card = ModelCard.model_validate_json(json.dumps(card_facts))

    with pytest.raises(ModelError, match="does not know its face finder"):
        make_views(draw(100, 100), card)


class DrawnFaces:
    """A finder that is told what there is."""

    name = "blaze"

    def __init__(self, *boxes):
        self.boxes = boxes

    def find(self, pixels):
        return [Face(box, 0.9) for box in self.boxes]


def test_each_face_has_a_view_and_a_large_one_its_own_pixels_too(face_card):
    pixels = draw(600, 800)
    boxes = [(100, 100, 400, 400), (500, 50, 600, 150)]

    views = make_views(pixels, face_card, DrawnFaces(*boxes))

    assert [(view.kind, view.face) for view in views] == [("face", 0), ("native", 0), ("face", 1)]
    assert [view.box for view in views] == [boxes[0], boxes[0], boxes[1]]
    square = face_square(boxes[0], 600, 800)
    assert (views[0].pixels == cut_face(pixels, square)).all()
    assert (views[1].pixels == cut_native(pixels, square)).all()
    assert {(view.found, view.finder, view.reason) for view in views} == {(0.9, "blaze", None)}


def test_a_card_without_native_views_gets_none(face_card_facts):
    card = ModelCard.model_validate_json(json.dumps({**face_card_facts, "views": ["face"]}))

    views = make_views(draw(600, 800), card, DrawnFaces((100, 100, 400, 400)))

    assert [view.kind for view in views] == ["face"]


def test_only_the_largest_faces_of_a_crowd_are_cut(face_card):
    crowd = [(20 * n, 0, 20 * n + 60 - n, 60 - n) for n in range(20)]

    views = make_views(draw(100, 600), face_card, DrawnFaces(*crowd))

    assert [view.box for view in views] == crowd[:8]


def test_a_small_face_says_so(face_card):
    faces = DrawnFaces((0, 0, 40, 30), (100, 100, 139, 139))

    views = make_views(draw(300, 300), face_card, faces)

    assert [view.reason for view in views] == [None, "face_too_small"]


@pytest.mark.parametrize(("sigma_px", "reason"), [(0.5, None), (12, "face_degraded")])
def test_a_blurred_face_says_so(face_card, sigma_px, reason):
    face = cv2.GaussianBlur(dict(golden_views())["cartoon"], (0, 0), sigma_px)

    (view,) = make_views(face, face_card, DrawnFaces((46, 46, 178, 178)))

    assert view.reason == reason


def test_a_sharp_wall_does_not_speak_for_a_blurred_face(face_card):
    pixels = draw(224, 224)
    face = cv2.GaussianBlur(dict(golden_views())["cartoon"], (0, 0), 12)
    pixels[46:178, 46:178] = face[46:178, 46:178]

    (view,) = make_views(pixels, face_card, DrawnFaces((46, 46, 178, 178)))

    assert view.reason == "face_degraded"


def test_an_image_without_a_face_has_no_view(face_card):
    assert make_views(draw(300, 300), face_card, DrawnFaces()) == []
