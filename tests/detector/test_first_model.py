"""The first model that shipped, whose card has format 1, judges as it did when it was published."""

from pathlib import Path

import numpy as np
import pytest

from detector.golden import golden_views
from detector.image import decode_image
from detector.judge import judge_views
from detector.model import load_detector
from detector.registry import find_model
from detector.views import make_views


@pytest.fixture(scope="module")
def detector():
    return load_detector(find_model(Path("/nowhere"), "cnn-1"))


def test_it_repeats_the_scores_of_its_card(detector):
    scores = detector.score_views(np.stack([pixels for _, pixels in golden_views()]))

    expected = [golden.score for golden in detector.card.golden]
    assert scores == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(
    ("name", "score"), [("000006", 0.004016), ("000009", 0.017317), ("000015", 0.001063)]
)
def test_it_judges_whole_pictures_as_before(test_data, detector, name, score):
    content = next((test_data / "faces/celeba").rglob(f"{name}.jpg")).read_bytes()
    pixels = decode_image(content, limit_px=10**8).pixels

    (view,) = make_views(pixels, detector.card, detector.finder)
    judgement = judge_views([view], detector.score_views(view.pixels[None]), detector.card)

    assert (judgement.verdict, judgement.faces, judgement.reason) == ("real", [], None)
    assert judgement.score == pytest.approx(score, abs=1e-4)
