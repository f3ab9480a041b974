import numpy as np
import pytest

from detector.judge import judge_views
from detector.views import View

PIXELS = np.zeros((224, 224, 3), dtype=np.uint8)
WHOLE = View("whole", None, PIXELS)


@pytest.mark.parametrize(
    ("score", "verdict"),
    [
        (0.0, "real"),
        (0.299999, "real"),
        (0.3, "uncertain"),
        (0.699999, "uncertain"),
        (0.7, "fake"),
        (1.0, "fake"),
    ],
)
def test_two_thresholds_make_three_verdicts(card, score, verdict):
    judgement = judge_views([WHOLE], [score], card)

    assert (judgement.verdict, judgement.score) == (verdict, score)


@pytest.mark.parametrize(
    ("score", "rounded", "verdict"),
    [
        (0.69999951, 0.7, "fake"),
        (0.69999949, 0.699999, "uncertain"),
        (0.29999951, 0.3, "uncertain"),
    ],
)
def test_the_stored_score_proves_the_verdict(card, score, rounded, verdict):
    judgement = judge_views([WHOLE], [score], card)

    assert (judgement.verdict, judgement.score) == (verdict, rounded)


def test_no_view_means_no_face_and_no_score(card):
    judgement = judge_views([], [], card)

    assert (judgement.verdict, judgement.score, judgement.faces) == ("no_face", None, [])


def test_the_highest_view_decides(card):
    judgement = judge_views([WHOLE, WHOLE, WHOLE], np.array([0.1, 0.9, 0.2]), card)

    assert (judgement.verdict, judgement.score) == ("fake", 0.9)


def test_the_score_is_a_plain_number_of_six_decimals(card):
    judgement = judge_views([WHOLE], np.array([0.12345678], dtype=np.float64), card)

    assert type(judgement.score) is float
    assert judgement.score == 0.123457
    assert judgement.faces == []


def test_views_with_a_box_are_recorded_as_faces(card):
    face = View("face", (1, 2, 30, 40), PIXELS)

    judgement = judge_views([WHOLE, face], [0.2, 0.8], card)

    assert judgement.faces == [{"box": [1, 2, 30, 40], "score": 0.8}]


def test_scores_must_match_the_views(card):
    with pytest.raises(ValueError, match="argument"):
        judge_views([WHOLE], [0.1, 0.2], card)
