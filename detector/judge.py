"""Scores of an image's views in, one verdict out."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from detector.card import ModelCard
from detector.views import View

REAL, FAKE, UNCERTAIN, NO_FACE = "real", "fake", "uncertain", "no_face"
SCORE_DECIMALS = 6


@dataclass(frozen=True)
class Judgement:
    """What is decided about one image.

    Attributes:
        verdict: `real`, `fake`, `uncertain` or `no_face`.
        score: Range [0, 1], rounded to 6 decimals; None for `no_face`.
        faces: One record with `box` and `score` for each view that has a box.
    """

    verdict: str
    score: float | None
    faces: list[dict[str, Any]]


def judge_views(views: Sequence[View], scores: Iterable[float], card: ModelCard) -> Judgement:
    """Judge an image by the highest score among its views.

    The thresholds are compared with the rounded score, so that a stored row proves its verdict.

    Args:
        views: As `detector.views.make_views` made them, empty where no face can be in the image.
        scores: One calibrated score per view, in the same order.

    Raises:
        ValueError: There are more or fewer scores than views.
    """
    scored = [
        (view, round(float(score), SCORE_DECIMALS))
        for view, score in zip(views, scores, strict=True)
    ]
    if not scored:
        return Judgement(verdict=NO_FACE, score=None, faces=[])
    highest = max(score for _, score in scored)
    return Judgement(
        verdict=choose_verdict(highest, card),
        score=highest,
        faces=[
            {"box": list(view.box), "score": score}
            for view, score in scored
            if view.box is not None
        ],
    )


def choose_verdict(score: float, card: ModelCard) -> str:
    """Compare one rounded score with the card's two thresholds."""
    if score >= card.thresholds.fake_threshold:
        return FAKE
    return REAL if score < card.thresholds.real_threshold else UNCERTAIN
