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


def test_scores_must_match_the_views(card):
    with pytest.raises(ValueError, match="argument"):
        judge_views([WHOLE], [0.1, 0.2], card)


def show(face, side_px=100, kind="face", reason=None):
    return View(kind, (0, 0, side_px, side_px), PIXELS, face, 0.9, reason, "blaze")


def test_the_worst_face_decides(face_card):
    judgement = judge_views([show(0), show(1), show(2)], [0.1, 0.8, 0.2], face_card)

    assert (judgement.verdict, judgement.score, judgement.reason) == ("fake", 0.8, None)
    assert [face["score"] for face in judgement.faces] == [0.1, 0.8, 0.2]


def test_a_face_is_recorded_with_box_score_finder_and_reason(face_card):
    judgement = judge_views(
        [show(0, 60), show(1, 20, reason="face_too_small")], [0.2, 0.4], face_card
    )

    assert judgement.faces == [
        {"box": [0, 0, 60, 60], "score": 0.2, "found": 0.9, "reason": None, "finder": "blaze"},
        {
            "box": [0, 0, 20, 20],
            "score": 0.4,
            "found": 0.9,
            "reason": "face_too_small",
            "finder": "blaze",
        },
    ]


def test_a_faces_views_are_pooled_on_the_log_odds(face_card):
    views = [show(0), show(0, kind="native"), show(1)]

    judgement = judge_views(views, [0.9, 0.2, 0.1], face_card)

    odds = np.sqrt((0.9 / 0.1) * (0.2 / 0.8))
    assert judgement.score == pytest.approx(odds / (1 + odds), abs=1e-6)
    assert len(judgement.faces) == 2


@pytest.mark.parametrize("score", [0.01, 0.5, 0.99])
def test_where_no_face_can_be_judged_the_image_is_uncertain_for_the_largest_ones_reason(
    face_card, score
):
    views = [show(0, 100, reason="face_degraded"), show(1, 20, reason="face_too_small")]

    judgement = judge_views(views, [score, score], face_card)

    assert (judgement.verdict, judgement.score) == ("uncertain", None)
    assert judgement.reason == "face_degraded"
    assert [face["score"] for face in judgement.faces] == [score, score]


@pytest.mark.parametrize("side_px", [20, 100, 400])
def test_no_face_that_cannot_be_judged_hides_a_fake(face_card, side_px):
    views = [show(0, side_px, reason="face_degraded"), show(1, 100)]

    judgement = judge_views(views, [0.01, 0.9], face_card)

    assert (judgement.verdict, judgement.score, judgement.reason) == ("fake", 0.9, None)


def test_a_face_that_cannot_be_judged_makes_no_fake(face_card):
    views = [show(0, 100), show(1, 30, reason="face_too_small")]

    judgement = judge_views(views, [0.1, 0.99], face_card)

    assert (judgement.verdict, judgement.score) == ("real", 0.1)


@pytest.mark.parametrize(
    ("side_px", "verdict", "reason"), [(69, "real", None), (72, "uncertain", "face_too_small")]
)
def test_a_real_needs_every_face_of_comparable_size_judged(face_card, side_px, verdict, reason):
    views = [show(0, 100), show(1, side_px, reason="face_too_small")]

    judgement = judge_views(views, [0.1, 0.1], face_card)

    assert (judgement.verdict, judgement.score, judgement.reason) == (verdict, 0.1, reason)
