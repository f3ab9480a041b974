"""Measure whether scores mean what they say: calibration error, and risk against coverage."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

ECE_BINS = 15
CURVE_POINTS = 20

Labels = NDArray[np.int64]
Scores = NDArray[np.float64]


def expected_calibration_error(
    labels: Labels, scores: Scores, weights: NDArray[np.float64] | None = None
) -> float:
    """Return the ECE over 15 equal bins (Guo et al. 2017).

    How far the mean score is from the share of fakes. `weights` add up to 1; equal by default.
    """
    shares = np.full(len(labels), 1 / len(labels)) if weights is None else weights
    bins = np.minimum((scores * ECE_BINS).astype(int), ECE_BINS - 1)
    gaps = np.bincount(bins, shares * (scores - labels), minlength=ECE_BINS)
    return float(np.abs(gaps).sum())


def reliability(labels: Labels, scores: Scores, bins: int = 10) -> list[dict[str, Any]]:
    """List, for each equal bin that holds images, the mean score, the share of fakes and n."""
    number = np.minimum((scores * bins).astype(int), bins - 1)
    return [
        {
            "score": float(scores[number == index].mean()),
            "fakes": float(labels[number == index].mean()),
            "n": int((number == index).sum()),
        }
        for index in np.unique(number).tolist()
    ]


def risk_curve(labels: Labels, scores: Scores) -> list[tuple[float, float]]:
    """List (coverage, risk) from the surest image on: at most 20 points.

    The risk is the share of wrong calls at 0.5 among the images covered; an image is the surer, the
    farther its score is from 0.5 (El-Yaniv and Wiener 2010).
    """
    wrong = _wrong_from_surest(labels, scores)
    risks = np.cumsum(wrong) / np.arange(1, len(wrong) + 1)
    counts = np.unique(np.ceil(np.linspace(1, len(wrong), CURVE_POINTS)).astype(int))
    return [(float(count / len(wrong)), float(risks[count - 1])) for count in counts]


def area_under_risk(labels: Labels, scores: Scores) -> float:
    """Return the AURC: the mean risk over all coverages (Geifman et al. 2019); lower is better."""
    wrong = _wrong_from_surest(labels, scores)
    return float(np.mean(np.cumsum(wrong) / np.arange(1, len(wrong) + 1)))


def _wrong_from_surest(labels: Labels, scores: Scores) -> NDArray[np.bool_]:
    order = np.argsort(-np.abs(scores - 0.5), kind="stable")
    return np.asarray((scores >= 0.5) != (labels == 1))[order]
