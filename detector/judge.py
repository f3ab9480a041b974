"""Scores of an image's views in, one verdict out."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from detector.calibration import SMALLEST_PROBABILITY
from detector.card import ModelCard
from detector.crops import Box
from detector.views import View

REAL, FAKE, UNCERTAIN, NO_FACE = "real", "fake", "uncertain", "no_face"
SCORE_DECIMALS = 6

COMPARABLE_AREA = 0.5
"""A face that cannot be judged spoils a `real` when its box has at least this share of the area of
the largest judged one: a `real` speaks for the image, and half of what it shows would be unseen.
Smaller ones are taken for bystanders."""


@dataclass(frozen=True)
class Judgement:
    """What is decided about one image.

    Attributes:
        verdict: `real`, `fake`, `uncertain` or `no_face`.
        score: Range [0, 1], rounded to 6 decimals; None for `no_face`, and where no face could be
            judged.
        faces: One record for each face: `box`, `score`, the finder's confidence `found`, `reason`
            (why it could not be judged, else None) and `finder`. Empty for whole images.
        reason: Why a face that could not be judged made the image `uncertain`, else None.
    """

    verdict: str
    score: float | None
    faces: list[dict[str, Any]]
    reason: str | None = None


def judge_views(views: Sequence[View], scores: Iterable[float], card: ModelCard) -> Judgement:
    """Judge an image by its worst view or, where faces are judged, by its worst face.

    The thresholds are compared with the rounded score, so that a stored row proves its verdict.

    A face that cannot be judged has a score in its record and no say in the image's: the worst of
    the others decides. It turns a `real` into `uncertain` where it is of comparable size, and
    never takes a `fake` away. Where no face can be judged the image is `uncertain` for the reason
    of the largest.

    Args:
        views: As `detector.views.make_views` made them, empty where no face can be in the image.
        scores: One calibrated score per view, in the same order.

    Raises:
        ValueError: There are more or fewer scores than views.
    """
    scored = list(zip(views, map(float, scores), strict=True))
    if not scored:
        return Judgement(verdict=NO_FACE, score=None, faces=[])
    if card.aggregate == "max":
        highest = round(max(score for _, score in scored), SCORE_DECIMALS)
        return Judgement(verdict=choose_verdict(highest, card), score=highest, faces=[])
    faces = [_judge_face(list(group)) for _, group in groupby(scored, lambda one: one[0].face)]
    return _judge_worst(faces, card)


def choose_verdict(score: float, card: ModelCard) -> str:
    """Compare one rounded score with the card's two thresholds."""
    if score >= card.thresholds.fake_threshold:
        return FAKE
    return REAL if score < card.thresholds.real_threshold else UNCERTAIN


def pool_scores(scores: Iterable[float]) -> float:
    """Pool the scores of one face's views: the sigmoid of the mean of their logits.

    Platt calibration is affine on logits, so this is the calibrated mean of the raw outputs.
    """
    # By math, not NumPy: for one or two numbers that takes a tenth of the time.
    inside = [min(max(p, SMALLEST_PROBABILITY), 1 - SMALLEST_PROBABILITY) for p in scores]
    log_odds = sum(math.log(p) - math.log1p(-p) for p in inside) / len(inside)
    return 0.5 * (1.0 + math.tanh(0.5 * log_odds))


def _judge_face(scored: list[tuple[View, float]]) -> dict[str, Any]:
    view = scored[0][0]
    return {
        "box": list(view.box or ()),
        "score": round(pool_scores(score for _, score in scored), SCORE_DECIMALS),
        "found": view.found,
        "reason": view.reason,
        "finder": view.finder,
    }


def _judge_worst(faces: list[dict[str, Any]], card: ModelCard) -> Judgement:
    judged = [face for face in faces if face["reason"] is None]
    unjudged = sorted(
        (face for face in faces if face["reason"] is not None),
        key=lambda face: -_area(face["box"]),
    )
    if not judged:
        return Judgement(UNCERTAIN, None, faces, unjudged[0]["reason"])
    highest = max(face["score"] for face in judged)
    verdict = choose_verdict(highest, card)
    largest = max(_area(face["box"]) for face in judged)
    if verdict == REAL and unjudged and _area(unjudged[0]["box"]) >= COMPARABLE_AREA * largest:
        return Judgement(UNCERTAIN, highest, faces, unjudged[0]["reason"])
    return Judgement(verdict, highest, faces)


def _area(box: Box) -> int:
    return (box[2] - box[0]) * (box[3] - box[1])
