"""Fit the calibration and choose the two thresholds, on images that are not reported."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from detector.calibration import calibrate, logit

ENOUGH_IMAGES = 75
TARGET_MISS = 0.10
DECIMALS = 4
STEPS = 10_000

Labels = NDArray[np.int64]
Scores = NDArray[np.float64]


@dataclass(frozen=True)
class Calibration:
    """Platt's two numbers on the logit of the raw score.

    `method` is `none` where the fit would turn the ranking round.
    """

    method: str
    slope: float
    intercept: float
    fitted_on: str


@dataclass(frozen=True)
class Thresholds:
    """At or above `fake_threshold` the verdict is fake, below `real_threshold` real."""

    real_threshold: float
    fake_threshold: float
    chosen_on: str
    target_fpr: float


def fit_platt(labels: Labels, raw: Scores, fitted_on: str) -> Calibration:
    """Fit `sigmoid(slope * logit(raw) + intercept)` to the labels (Platt 1999).

    Both classes weigh the same, whatever their numbers.
    """
    regression = LogisticRegression(C=np.inf, class_weight="balanced")
    regression.fit(logit(raw)[:, None], labels)
    slope = round(float(regression.coef_[0, 0]), DECIMALS)
    intercept = round(float(regression.intercept_[0]), DECIMALS)
    if slope <= 0:
        return Calibration("none", 1.0, 0.0, f"not fitted: on {fitted_on} fakes score below reals")
    return Calibration("platt", slope, intercept, fitted_on)


def apply_calibration(raw: Scores, calibration: Calibration) -> Scores:
    """Return calibrated scores, as the detector does."""
    return calibrate(raw, slope=calibration.slope, intercept=calibration.intercept)


def choose_thresholds(
    labels: Labels, scores: Scores, sources: Sequence[str], *, target_fpr: float, copies: int = 1
) -> Thresholds:
    """Choose thresholds that hold on the worst source.

    `fake_threshold` flags at most `target_fpr` of the real images of every source with at least 75
    of them; below `real_threshold` lie at most 10 % of the fakes of every source with at least 75
    of them. Where no source has that many, all images of the class count as one source. What lies
    between is uncertain; a weak model leaves most there. `copies` says how many of the scores are
    of one and the same image. Thresholds have four decimals.
    """
    enough = ENOUGH_IMAGES * copies
    reals = _by_source(scores[labels == 0], np.array(sources)[labels == 0], enough)
    fakes = _by_source(scores[labels == 1], np.array(sources)[labels == 1], enough)
    high = {name: lowest_flagging(group, target_fpr) for name, group in reals.items()}
    low = {name: _floor(np.quantile(group, TARGET_MISS)) for name, group in fakes.items()}
    worst_real = max(high, key=lambda name: high[name])
    worst_fake = min(low, key=lambda name: low[name])
    fake_threshold = min(1.0, high[worst_real])
    real, fake = len(reals[worst_real]) // copies, len(fakes[worst_fake]) // copies
    chosen_on = (
        f"FPR at most {target_fpr:.0%} on the worst real source, {worst_real} ({real} images, which"
        f" bound no FPR below {3 / real:.1%}); at most {TARGET_MISS:.0%} of the fakes of"
        f" {worst_fake} ({fake} images) below real_threshold"
    )
    return Thresholds(
        real_threshold=min(low[worst_fake], fake_threshold),
        fake_threshold=fake_threshold,
        chosen_on=chosen_on,
        target_fpr=target_fpr,
    )


def lowest_flagging(scores: Scores, share: float) -> float:
    """Return the lowest threshold of four decimals at which at most `share` of the scores are
    flagged (score >= threshold).
    """
    ranked = np.sort(scores)[::-1]
    first_spared: float = ranked[min(int(share * len(ranked)), len(ranked) - 1)]
    return (math.floor(first_spared * STEPS) + 1) / STEPS


def _floor(score: float) -> float:
    return math.floor(score * STEPS) / STEPS


def _by_source(scores: Scores, sources: NDArray[np.str_], enough: int) -> dict[str, Scores]:
    groups = {str(name): scores[sources == name] for name in np.unique(sources)}
    large = {name: group for name, group in groups.items() if len(group) >= enough}
    return large or {"all sources together": scores}
