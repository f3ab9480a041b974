"""Say how sure a measured rate or AUC is, from the number of images alone.

Rates have the exact interval of Clopper and Pearson (Biometrika 1934), AUCs that of DeLong (Biometrics
1988) on the logit scale, the TPR at a given FPR a bootstrap over both classes. All are 95 % intervals.
"""

import math

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta, norm, rankdata  # type: ignore[import-untyped]  # ships no annotations

LEVEL = 0.95
RESAMPLES = 400

Labels = NDArray[np.int64]
Scores = NDArray[np.float64]
Interval = tuple[float, float]


def rate_interval(hits: int, n: int) -> Interval:
    """Bound a rate of `hits` in `n` from both sides (Clopper-Pearson)."""
    tail = (1 - LEVEL) / 2
    low = float(beta.ppf(tail, hits, n - hits + 1)) if hits else 0.0
    high = float(beta.ppf(1 - tail, hits + 1, n - hits)) if hits < n else 1.0
    return low, high


def rate_bound(hits: int, n: int) -> float:
    """Bound a rate of `hits` in `n` from above alone (Clopper-Pearson, one-sided)."""
    return float(beta.ppf(LEVEL, hits + 1, n - hits)) if hits < n else 1.0


def images_to_bound(rate: float) -> int:
    """Return how many images without a single hit bound a rate from above (the rule of three)."""
    return math.ceil(math.log(1 - LEVEL) / math.log(1 - rate))


def auc_interval(labels: Labels, scores: Scores) -> Interval:
    """Bound an AUC (DeLong, computed from ranks as by Sun and Xu 2014, on the logit scale).

    Where the variance is nought, because one class lies wholly above the other, the bound is that of
    a rate without a miss in as many images as the smaller class has.
    """
    above, below = _placements(labels, scores)
    m, n = len(above), len(below)
    auc = float(above.mean())
    if min(m, n) < 2 or auc in (0.0, 1.0):
        return rate_interval(round(auc * min(m, n)), min(m, n))
    spread = math.sqrt(float(above.var(ddof=1)) / m + float(below.var(ddof=1)) / n)
    half = float(norm.ppf((1 + LEVEL) / 2)) * spread / (auc * (1 - auc))
    centre = math.log(auc / (1 - auc))
    return _sigmoid(centre - half), _sigmoid(centre + half)


def fall_by_chance(labels: Labels, before: Scores, after: Scores) -> float:
    """Say by how much an AUC can fall from one scoring of the same images to another by chance alone.

    One-sided, from the paired variance of the difference (DeLong 1988).
    """
    (above, below), (above_after, below_after) = (
        _placements(labels, scores) for scores in (before, after)
    )
    if min(len(above), len(below)) < 2:
        return 1.0
    variance = (above - above_after).var(ddof=1) / len(above)
    variance += (below - below_after).var(ddof=1) / len(below)
    return float(norm.ppf(LEVEL)) * math.sqrt(float(variance))


def _placements(labels: Labels, scores: Scores) -> tuple[Scores, Scores]:
    """Give for each fake the share of reals below it, and for each real the share of fakes above."""
    real, fake = scores[labels == 0], scores[labels == 1]
    m, n = len(fake), len(real)
    everywhere = rankdata(np.concatenate([fake, real]))
    above = (everywhere[:m] - rankdata(fake)) / n
    below = 1 - (everywhere[m:] - rankdata(real)) / m
    return above, below


def tpr_interval(labels: Labels, scores: Scores, fpr: float, *, seed: int = 0) -> Interval:
    """Bound the TPR at an FPR by drawing real and fake images anew, 400 times.

    The threshold is chosen anew in each draw, so that its own chance is counted too.
    """
    real, fake = np.sort(scores[labels == 0]), np.sort(scores[labels == 1])
    rng = np.random.default_rng(seed)
    spared = len(real) - 1 - int(fpr * len(real))
    rates = np.empty(RESAMPLES)
    for number in range(RESAMPLES):
        # A sorted draw from sorted scores: drawn positions need sorting, not the scores.
        threshold = real[np.partition(rng.integers(0, len(real), len(real)), spared)[spared]]
        drawn = rng.integers(0, len(fake), len(fake))
        rates[number] = (fake[drawn] > threshold).mean()
    low, high = np.quantile(rates, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def _sigmoid(log_odds: float) -> float:
    return 0.5 * (1 + math.tanh(0.5 * log_odds))
