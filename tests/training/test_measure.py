"""Metrics, calibration and thresholds on scores whose answer is known."""

from pathlib import Path

import numpy as np
import pytest

from training.calibrate import Thresholds, apply_calibration, choose_thresholds, fit_platt
from training.evaluate import measure_file_facts
from training.images import LabelledImage
from training.metrics import (
    expected_calibration_error,
    measure_sources,
    rank_sources,
    tpr_at_fpr,
)
from training.prepare import Prepared

HALF = Thresholds(0.3, 0.5, "", 0.01)


def test_counts_and_rates_of_a_known_case():
    labels = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    scores = np.array([0.1, 0.2, 0.4, 0.6, 0.4, 0.6, 0.8, 0.9])

    overall = measure_sources(labels, scores, ["a"] * 8, HALF)["overall"]

    assert overall["confusion"] == {"tn": 3, "fp": 1, "fn": 1, "tp": 3}
    assert (overall["accuracy"], overall["precision"], overall["recall"]) == (0.75, 0.75, 0.75)
    assert overall["auc"] == pytest.approx(14 / 16)
    assert overall["verdicts"]["real"] == {"real": 2, "uncertain": 1, "fake": 1}
    assert overall["verdicts"]["fake"] == {"real": 0, "uncertain": 1, "fake": 3}
    assert overall["brier"] == pytest.approx(np.mean((scores - labels) ** 2))


def test_a_source_of_one_class_is_ranked_against_all_of_the_other():
    labels = np.array([0, 1, 0, 0, 1])
    scores = np.array([0.2, 0.7, 0.8, 0.9, 0.95])
    sources = ["pair", "pair", "real_only", "real_only", "pair"]

    per_source = measure_sources(labels, scores, sources, HALF)["per_source"]

    assert per_source["pair"]["paired"]
    assert not per_source["real_only"]["paired"]
    assert per_source["real_only"]["auc"] == pytest.approx(0.5)
    assert per_source["real_only"]["n"] == 2


def test_tpr_at_fpr_and_ece_of_known_cases():
    labels = np.array([0] * 100 + [1] * 10)
    scores = np.concatenate([np.linspace(0, 0.5, 100), np.linspace(0.45, 1, 10)])

    assert tpr_at_fpr(labels, scores, 0.01) == 0.9
    assert expected_calibration_error(np.array([0, 1] * 50), np.full(100, 0.5)) == pytest.approx(0)
    assert expected_calibration_error(np.array([0] * 10), np.full(10, 0.9)) == pytest.approx(0.9)


def test_platt_recovers_a_known_distortion():
    rng = np.random.default_rng(0)
    true = rng.normal(0, 2, 20_000)
    labels = (rng.random(20_000) < 1 / (1 + np.exp(-true))).astype(int)
    raw = 1 / (1 + np.exp(-(true - 0.5) / 2))

    calibration = fit_platt(labels, raw, "drawn")

    assert calibration.method == "platt"
    assert calibration.slope == pytest.approx(2, abs=0.15)
    assert calibration.intercept == pytest.approx(0.5, abs=0.1)
    assert expected_calibration_error(labels, apply_calibration(raw, calibration)) < 0.02


def test_a_model_that_ranks_the_wrong_way_round_is_not_calibrated():
    calibration = fit_platt(np.array([0, 1] * 50), np.array([0.8, 0.2] * 50), "drawn")

    assert (calibration.method, calibration.slope, calibration.intercept) == ("none", 1.0, 0.0)


def test_thresholds_hold_on_the_worst_source():
    rng = np.random.default_rng(1)
    labels = np.repeat([0, 0, 1, 1], 200)
    sources = np.repeat(["easy", "hard", "easy", "hard"], 200).tolist()
    scores = np.clip(np.repeat([0.1, 0.4, 0.9, 0.6], 200) + rng.normal(0, 0.1, 800), 0, 1)

    thresholds = choose_thresholds(labels, scores, sources, target_fpr=0.01)

    names = np.array(sources)
    for source in ("easy", "hard"):
        real, fake = (scores[(names == source) & (labels == label)] for label in (0, 1))
        assert (real >= thresholds.fake_threshold).mean() <= 0.01
        assert (fake < thresholds.real_threshold).mean() <= 0.10
    flagged = (scores[(names == "hard") & (labels == 0)] >= thresholds.fake_threshold - 0.05).mean()
    assert flagged > 0.01
    assert "hard (200 images" in thresholds.chosen_on


def test_too_small_sources_count_as_one_and_thresholds_never_cross():
    labels = np.array([0, 1] * 20)
    scores = np.where(labels == 1, 0.9, 0.1)

    thresholds = choose_thresholds(labels, scores, ["a", "b"] * 20, target_fpr=0.01)

    assert thresholds.real_threshold <= thresholds.fake_threshold
    assert "all sources together" in thresholds.chosen_on


def test_epochs_are_chosen_by_overall_and_by_paired_sources_weighted_by_their_images():
    labels = np.array([0, 1, 0, 1, 0, 1, 0])
    scores = np.array([0.1, 0.9, 0.2, 0.8, 0.7, 0.3, 0.0])
    sources = ["good", "good", "good", "good", "bad", "bad", "single"]

    ranks = rank_sources(labels, scores, sources)

    assert (ranks["val_auc.good"], ranks["val_auc.bad"]) == (1.0, 0.0)
    assert ranks["val_auc_paired"] == pytest.approx(4 / 6)
    assert ranks["val_auc"] == pytest.approx(11 / 12)
    assert ranks["val_choice"] == pytest.approx((4 / 6 + 11 / 12) / 2)


def make_prepared(facts: np.ndarray) -> Prepared:
    images = [LabelledImage(Path(f"{n}.jpg"), n % 2, "a") for n in range(len(facts))]
    return Prepared(images, np.zeros(0), np.arange(len(facts)), facts, [], [], {})


def test_file_facts_that_tell_the_class_are_found_and_others_are_not():
    rng = np.random.default_rng(0)
    telling = rng.normal(0, 1, (400, 3))
    silent = telling.copy()
    telling[1::2, 2] += 5
    train, held_out = range(200), range(200, 400)

    found, nothing = (
        measure_file_facts(make_prepared(facts), train, held_out, 1) for facts in (telling, silent)
    )

    assert found["auc"] > 0.95
    assert found["per_paired_source"] == {"a": found["auc"]}
    assert 0.35 < nothing["auc"] < 0.65
