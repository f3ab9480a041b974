"""Drift is told from chance, and a change of prevalence from a change of images."""

import numpy as np
import pytest

from db.drift import Distribution
from fakesweep.errors import ModelError
from training.drift import (
    BINS,
    Reference,
    distance,
    fit_fake_share,
    ks_p_value,
    measure_drift,
    read_reference,
    smooth,
)

MIDDLES = (np.arange(BINS) + 0.5) / BINS
REAL = np.exp(-9 * MIDDLES) / np.exp(-9 * MIDDLES).sum()
FAKE = REAL[::-1]
EDGES = [number / BINS for number in range(BINS + 1)]
FIELDS = {
    "edges": EDGES,
    "real": np.round(REAL * 5000).tolist(),
    "fake": np.round(FAKE * 5000).tolist(),
    "no_face_share": 0.02,
    "failed_share": 0.01,
}


@pytest.fixture
def reference() -> Reference:
    read = read_reference({"reference": FIELDS}, "m-1")
    assert read is not None
    return read


def draw(shares: np.ndarray, images: int, seed: int = 1) -> Distribution:
    counts = np.random.default_rng(seed).multinomial(images, shares)
    return Distribution(
        [int(count) for count in counts],
        no_face=round(images * 0.02),
        failed=round(images * 0.01),
    )


@pytest.mark.parametrize("images", [60, 300, 100_000])
def test_scores_like_those_of_real_photos_are_steady(reference: Reference, images: int) -> None:
    drift = measure_drift(draw(REAL, images), reference)

    assert (drift.state, drift.warnings) == ("steady", ())


def test_more_fakes_are_told_apart_from_drift(reference: Reference) -> None:
    drift = measure_drift(draw(0.7 * REAL + 0.3 * FAKE, 5000), reference)

    assert drift.state == "more_fakes"
    assert drift.fake_share == pytest.approx(0.3, abs=0.02)
    assert drift.real is not None
    assert drift.mixture is not None
    assert drift.real.psi > 0.25 > 0.1 > drift.mixture.psi
    assert "30% fakes" in drift.warnings[0]


def test_images_of_a_new_kind_are_drift(reference: Reference) -> None:
    middling = np.exp(-20 * (MIDDLES - 0.5) ** 2)

    drift = measure_drift(draw(middling / middling.sum(), 5000), reference)

    assert drift.state == "drift"
    assert "no mixture of real photos and fakes explains them" in drift.warnings[0]


def test_too_few_images_tell_nothing(reference: Reference) -> None:
    drift = measure_drift(draw(FAKE, 40), reference)

    assert (drift.state, drift.warnings) == ("too_few", ())


def test_shares_of_no_face_and_failed_images_are_watched(reference: Reference) -> None:
    found = draw(REAL, 1000)
    found.no_face, found.failed = 300, 200

    warnings = measure_drift(found, reference).warnings

    assert warnings == (
        "no_face 20.0% of the images, 2.0% in the reference",
        "failed 13.3% of the images, 1.0% in the reference",
    )


def test_nothing_but_failures_is_a_warning(reference: Reference) -> None:
    drift = measure_drift(Distribution([0] * BINS, failed=30), reference)

    assert drift.state == "too_few"
    assert "failed 100.0%" in drift.warnings[-1]


def test_equal_histograms_have_no_distance() -> None:
    counts = np.array([10.0, 20.0, 30.0])

    found = distance(counts, counts / 60, 1 / 1000)

    assert found.psi == pytest.approx(0, abs=1e-3)
    assert (found.ks, found.level) == (pytest.approx(0), "steady")


def test_psi_and_ks_are_those_of_a_worked_example() -> None:
    found = distance(np.array([2e6, 5e6, 3e6]), np.array([0.5, 0.3, 0.2]), 0.0)

    by_hand = -0.3 * np.log(0.2 / 0.5) + 0.2 * np.log(0.5 / 0.3) + 0.1 * np.log(0.3 / 0.2)
    assert found.psi == pytest.approx(by_hand, rel=1e-5)
    assert found.ks == pytest.approx(0.3)


@pytest.mark.parametrize(("ks", "p"), [(0.1358, 0.05), (0.1628, 0.01), (0.0, 1.0), (1.0, 0.0)])
def test_the_p_value_of_ks_is_that_of_the_tables(ks: float, p: float) -> None:
    # 1.358 and 1.628 over the root of n are the tables' bounds for many images.
    assert ks_p_value(ks * 0.01, 1_000_000) == pytest.approx(p, abs=0.001)


@pytest.mark.parametrize("share", [0.0, 0.05, 0.5, 1.0])
def test_the_share_of_fakes_is_found(share: float) -> None:
    observed = 10_000 * (share * FAKE + (1 - share) * REAL)

    assert fit_fake_share(observed, REAL, FAKE) == pytest.approx(share, abs=0.01)


def test_smoothed_shares_sum_to_one_and_none_is_zero() -> None:
    shares = smooth(np.array([0.0, 5.0]))

    assert shares.sum() == pytest.approx(1)
    assert shares.min() > 0


def test_a_card_without_a_reference_gives_none() -> None:
    assert read_reference({}, "m-1") is None


@pytest.mark.parametrize(
    "broken",
    [
        {"real": [1, 2]},
        {"fake": "many"},
        {"edges": [0, 1, 0.5]},
        {"no_face_share": None},
        {"real": [0] * BINS},
    ],
)
def test_a_damaged_reference_is_named(broken: dict[str, object]) -> None:
    with pytest.raises(ModelError, match="card of m-1"):
        read_reference({"reference": FIELDS | broken}, "m-1")
