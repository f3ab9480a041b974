import numpy as np
import pytest

from detector.calibration import calibrate, logit


def test_slope_one_and_intercept_zero_change_nothing():
    probabilities = np.array([0.001, 0.25, 0.5, 0.9, 0.999])

    assert calibrate(probabilities, slope=1.0, intercept=0.0) == pytest.approx(probabilities)


def test_scores_follow_the_platt_formula():
    probabilities = np.array([0.1, 0.6])

    scores = calibrate(probabilities, slope=2.0, intercept=-1.0)

    odds = np.exp(2.0 * np.log(probabilities / (1 - probabilities)) - 1.0)
    assert scores == pytest.approx(odds / (1 + odds))


def test_saturated_outputs_stay_finite_and_inside():
    scores = calibrate(np.array([0.0, 1.0], dtype=np.float32), slope=50.0, intercept=3.0)

    assert np.isfinite(scores).all()
    assert scores.tolist() == sorted(scores.tolist())
    assert scores.min() >= 0.0
    assert scores.max() <= 1.0


def test_order_is_kept():
    probabilities = np.linspace(0.0, 1.0, 101)

    assert (np.diff(calibrate(probabilities, slope=0.3, intercept=1.0)) > 0).all()


def test_logit_of_the_ends_is_finite_and_symmetric():
    low, high = logit([0.0, 1.0])

    assert low == pytest.approx(-high)
    assert high == pytest.approx(np.log(1e7), rel=1e-6)
