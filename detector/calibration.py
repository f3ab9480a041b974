"""Platt calibration: the map from a model's raw output to a score, shared by training and judging."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

SMALLEST_PROBABILITY = 1e-7
"""Raw outputs are kept this far from 0 and 1: a float32 sigmoid saturates there and its logit is infinite."""


def logit(probabilities: ArrayLike) -> NDArray[np.float64]:
    """Invert the sigmoid.

    Args:
        probabilities: Raw sigmoid outputs, any shape, range [0, 1].

    Returns:
        Log-odds of the same shape, dtype float64, finite.
    """
    inside = np.clip(
        np.asarray(probabilities, dtype=np.float64), SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY
    )
    return np.asarray(np.log(inside) - np.log1p(-inside), dtype=np.float64)


def calibrate(probabilities: ArrayLike, *, slope: float, intercept: float) -> NDArray[np.float64]:
    """Turn raw sigmoid outputs into scores: `sigmoid(slope * logit(p) + intercept)`.

    Platt, "Probabilistic Outputs for Support Vector Machines" (1999), on the logit of the output.

    Args:
        probabilities: Raw sigmoid outputs, any shape, range [0, 1].
        slope: Above 0, so that the order of images stays; 1 with intercept 0 changes nothing.
        intercept: Shift of the log-odds.

    Returns:
        Scores of the same shape, dtype float64, range [0, 1].
    """
    return sigmoid(slope * logit(probabilities) + intercept)


def sigmoid(log_odds: ArrayLike) -> NDArray[np.float64]:
    """Turn log-odds of any shape into probabilities, dtype float64."""
    # tanh never overflows, where exp(-x) does for strongly negative log-odds.
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * np.asarray(log_odds))), dtype=np.float64)
