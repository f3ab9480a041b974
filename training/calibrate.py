"""Fit the calibration and choose the two thresholds, on images that are not reported.

`fake_threshold` must hold on every real source, also on those with fewer images than the target FPR
has room for: 80 photos without a false alarm bound an FPR at 4 %, not at 1 %. Hence each source's
threshold is the higher of two: what its images show, and where an exponential tail through its highest
scores' log-odds reaches the target (peaks over threshold: Pickands 1975). The highest bound of all
sources counts, which leaves the others a margin; a standard error on top of each would be a second one.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from detector.calibration import calibrate, logit
from training.intervals import rate_bound

ENOUGH_REALS = 20
ENOUGH_FAKES = 50
TAIL_SHARE = 0.2
TARGET_MISS = 0.10
MIDDLE = 0.5
DECIMALS = 6
STEPS = 1_000_000

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


@dataclass(frozen=True)
class Copy:
    """One copy of the held-out images, such as laundered: labels, calibrated scores, sources."""

    name: str
    labels: Labels
    scores: Scores
    sources: Sequence[str]


@dataclass(frozen=True)
class _Bound:
    threshold: float
    source: str
    copy: str
    images: int


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
    """Return calibrated scores, as the detector does; NaN stays NaN."""
    return calibrate(raw, slope=calibration.slope, intercept=calibration.intercept)


def choose_thresholds(copies: Sequence[Copy], *, target_fpr: float) -> Thresholds:
    """Choose thresholds that hold on the worst source, on every copy of the images.

    `fake_threshold` flags at most `target_fpr` of the real images of every source (see the module's
    first lines), and is never below 0.5. Below `real_threshold` lie at most 10 % of the fakes of
    every source, and it is never above 0.5: an image that is rather fake is not called real.
    What lies between is uncertain; a weak model leaves most there. Sources with fewer than 20 reals
    (50 fakes) count together as one. Both have six decimals, as scores have.

    Raises:
        ValueError: No copy holds a scored image of one of the classes.
    """
    high = _choose(copies, 0, ENOUGH_REALS, lambda group: spare_reals(group, target_fpr), max)
    low = _choose(copies, 1, ENOUGH_FAKES, lambda group: _floor(miss_fakes(group)), min)
    fake_threshold = min(1.0, max(MIDDLE, high.threshold))
    real_threshold = min(MIDDLE, low.threshold, fake_threshold)
    return Thresholds(
        real_threshold=real_threshold,
        fake_threshold=fake_threshold,
        chosen_on=(
            f"fake_threshold: FPR at most {target_fpr:.0%} on every real source, as the files are and"
            f" laundered, bounded by {high.source} ({high.images} images, {high.copy}; a tail of its"
            f" highest fifth of scores, since {high.images} images without a"
            f" false alarm bound no FPR below {rate_bound(0, high.images):.1%}), and not below"
            f" {MIDDLE}; real_threshold: at most"
            f" {TARGET_MISS:.0%} of the fakes of any source below it, bounded by {low.source}"
            f" ({low.images} images, {low.copy}), and not above {MIDDLE}"
        ),
        target_fpr=target_fpr,
    )


def spare_reals(scores: Scores, share: float) -> float:
    """Return the threshold at which at most `share` of the scores, and of their tail, is flagged."""
    return min(1.0, max(lowest_flagging(scores, share), _ceil(_tail(scores, share))))


def miss_fakes(scores: Scores) -> float:
    """Return the score below which at most 10 % of the scores lie."""
    return float(np.quantile(scores, TARGET_MISS))


def lowest_flagging(scores: Scores, share: float) -> float:
    """Return the lowest threshold of six decimals at which at most `share` of the scores are
    flagged (score >= threshold).
    """
    ranked = np.sort(scores)[::-1]
    first_spared: float = ranked[min(int(share * len(ranked)), len(ranked) - 1)]
    return (math.floor(first_spared * STEPS) + 1) / STEPS


def _tail(scores: Scores, share: float) -> float:
    """Extrapolate the highest fifth of the log-odds to where `share` of all lies above."""
    ranked = np.sort(logit(scores))[::-1]
    count = max(2, int(TAIL_SHARE * len(ranked)))
    if count >= len(ranked):
        return float(scores.max())
    start = ranked[count]
    mean_excess = float((ranked[:count] - start).mean())
    reach = start + mean_excess * max(0.0, math.log(count / len(ranked) / share))
    return float(0.5 * (1 + np.tanh(0.5 * reach)))


def _choose(
    copies: Sequence[Copy],
    label: int,
    enough: int,
    bound: Callable[[Scores], float],
    worst: Callable[..., Any],
) -> _Bound:
    bounds: list[_Bound] = []
    for copy in copies:
        of_class = (copy.labels == label) & ~np.isnan(copy.scores)
        groups = _by_source(copy.scores[of_class], np.array(copy.sources)[of_class], enough)
        bounds += [
            _Bound(bound(group), name, copy.name, len(group)) for name, group in groups.items()
        ]
    if not bounds:
        raise ValueError(f"no scored image of label {label} to choose a threshold on")
    chosen: _Bound = worst(bounds, key=lambda found: found.threshold)
    return chosen


def _floor(score: float) -> float:
    return math.floor(score * STEPS) / STEPS


def _ceil(score: float) -> float:
    return math.ceil(score * STEPS) / STEPS


def _by_source(scores: Scores, sources: NDArray[np.str_], enough: int) -> dict[str, Scores]:
    groups = {str(name): scores[sources == name] for name in np.unique(sources)}
    large = {name: group for name, group in groups.items() if len(group) >= enough}
    small = [group for name, group in groups.items() if name not in large]
    if small and (not large or sum(map(len, small)) >= enough):
        name = "the small sources together" if large else "all sources together"
        large[name] = np.concatenate(small)
    return large
