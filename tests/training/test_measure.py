"""Metrics, calibration and thresholds on scores whose answer is known."""

import math

import cv2
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from tests.training.conftest import draw_picture
from training.calibrate import (
    Copy,
    Thresholds,
    apply_calibration,
    choose_thresholds,
    fit_platt,
    lowest_flagging,
    spare_reals,
)
from training.file_facts import measure_file_facts, read_quantisation
from training.intervals import (
    auc_interval,
    fall_by_chance,
    images_to_bound,
    rate_bound,
    rate_interval,
    tpr_interval,
)
from training.metrics import (
    Scored,
    equal_error_rate,
    measure_sources,
    rank_sources,
    tpr_at_fpr,
)
from training.rewrite import (
    add_noise,
    blur,
    crop_screenshot,
    launder,
    rescale,
    write_jpeg,
    write_png,
    write_webp,
)
from training.risk import area_under_risk, expected_calibration_error, risk_curve
from training.swap import measure_format_swap

HALF = Thresholds(0.3, 0.5, "", 0.01)


def scored(labels, scores, sources=None, reasons=None) -> Scored:
    scores = np.asarray(scores, dtype=float)
    labels = np.asarray(labels)
    return Scored(
        labels, sources or ["a"] * len(labels), scores, scores, reasons or [None] * len(labels)
    )


def test_counts_and_rates_of_a_known_case():
    labels = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    scores = np.array([0.1, 0.2, 0.4, 0.6, 0.4, 0.6, 0.8, 0.9])

    overall = measure_sources(scored(labels, scores), HALF)["overall"]

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

    per_source = measure_sources(scored(labels, scores, sources), HALF)["per_source"]

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

    thresholds = choose_thresholds([Copy("drawn", labels, scores, sources)], target_fpr=0.01)

    names = np.array(sources)
    for source in ("easy", "hard"):
        real, fake = (scores[(names == source) & (labels == label)] for label in (0, 1))
        assert (real >= thresholds.fake_threshold).mean() <= 0.01
        assert (fake < thresholds.real_threshold).mean() <= 0.10
    flagged = (scores[(names == "hard") & (labels == 0)] >= thresholds.fake_threshold - 0.1).mean()
    assert flagged > 0.01
    assert "hard (200 images" in thresholds.chosen_on


def test_too_small_sources_count_as_one_and_thresholds_never_cross():
    labels = np.array([0, 1] * 20)
    scores = np.where(labels == 1, 0.9, 0.1)

    thresholds = choose_thresholds(
        [Copy("drawn", labels, scores, ["a", "b", "c", "d"] * 10)], target_fpr=0.01
    )

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


def test_file_facts_that_tell_the_class_are_found_and_others_are_not():
    rng = np.random.default_rng(0)
    labels = np.arange(400) % 2
    telling = rng.normal(0, 1, (400, 7))
    silent = telling.copy()
    telling[1::2, 2] += 5
    halves = {"train": range(200), "held_out": range(200, 400)}

    found, nothing = (
        measure_file_facts(facts, labels, ["a"] * 400, seed=1, **halves)
        for facts in (telling, silent)
    )

    assert found["auc"] > 0.95
    assert found["per_paired_source"] == {"a": found["auc"]}
    assert 0.35 < nothing["auc"] < 0.65


def test_the_quantisation_tables_of_a_jpeg_are_read_and_others_are_zeros(tmp_path):
    pixels = draw_picture(1, fake=False)
    for quality in (50, 100):
        cv2.imwrite(str(tmp_path / f"{quality}.jpg"), pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    cv2.imwrite(str(tmp_path / "picture.png"), pixels)

    # At quality 50 the tables are those of ITU-T T.81, annex K: 16 and 17 come first.
    assert read_quantisation(tmp_path / "50.jpg") == (3688.0, 16.0, 5505.0, 17.0)
    assert read_quantisation(tmp_path / "100.jpg") == (64.0, 1.0, 64.0, 1.0)
    assert read_quantisation(tmp_path / "picture.png") == (0.0, 0.0, 0.0, 0.0)
    assert read_quantisation(tmp_path / "missing.jpg") == (0.0, 0.0, 0.0, 0.0)


def test_images_without_a_score_are_counted_and_left_out():
    found = scored(
        [0, 0, 1, 1, 1], [0.1, np.nan, 0.9, 0.8, np.nan], reasons=[None, "no_face", None, None, "x"]
    )

    overall = measure_sources(found, HALF)["overall"]

    assert (overall["n"], overall["judged"]) == (5, 3)
    assert overall["unjudged"] == {"no_face": 1, "x": 1}
    assert (overall["auc"], overall["recall"]) == (1.0, 1.0)
    assert overall["fake_flagged"] == pytest.approx(2 / 3)


def test_intervals_of_known_cases():
    # Clopper-Pearson: 1 - 0.025 ** (1 / 10) for ten of ten, and the rule of three.
    assert rate_interval(10, 10) == (pytest.approx(0.025**0.1), 1.0)
    assert rate_bound(0, 299) == pytest.approx(1 - 0.05 ** (1 / 299))
    assert (images_to_bound(0.01), images_to_bound(0.001)) == (299, 2995)


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    rng = np.random.default_rng(5)
    labels = np.repeat([0, 1], (400, 60))
    true_auc = 0.5 * (1 + math.erf(1.0 / 2))  # two normals, one standard deviation apart
    true_tpr = 0.5 * (1 - math.erf((2.3263 - 1.0) / math.sqrt(2)))
    hits = np.zeros(2)

    for _ in range(100):
        scores = np.concatenate([rng.normal(0, 1, 400), rng.normal(1, 1, 60)])
        low, high = auc_interval(labels, scores)
        hits[0] += low <= true_auc <= high
        low, high = tpr_interval(labels, scores, 0.01)
        hits[1] += low <= true_tpr <= high

    assert hits[0] >= 88
    assert hits[1] >= 85


def test_an_auc_of_one_is_not_certain():
    low, high = auc_interval(np.array([0] * 20 + [1] * 20), np.arange(40.0))

    assert high == 1.0
    assert 0.8 < low < 0.9


def test_equal_error_rate_and_risk_of_known_cases():
    labels = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    scores = np.array([0.1, 0.2, 0.3, 0.7, 0.4, 0.8, 0.9, 0.95])

    assert equal_error_rate(labels, scores) == pytest.approx(0.25)
    assert equal_error_rate(labels, labels.astype(float)) == 0.0
    assert risk_curve(labels, scores)[-1] == (1.0, 0.25)
    assert area_under_risk(labels, labels.astype(float)) == 0.0


def test_an_auc_falls_by_chance_as_often_as_it_should():
    rng = np.random.default_rng(5)
    labels = np.repeat([0, 1], 40)
    falls = 0

    for _ in range(400):
        shared = rng.normal(0, 1, 80) + labels
        before, after = (shared + rng.normal(0, 1, 80) for _ in range(2))
        fall = roc_auc_score(labels, before) - roc_auc_score(labels, after)
        falls += fall > fall_by_chance(labels, before, after)

    assert 5 <= falls <= 40  # one in twenty, of 400


def test_the_tail_keeps_small_sources_nearer_to_the_target_than_counting():
    rng = np.random.default_rng(2)
    sigmoid = lambda x: 1 / (1 + np.exp(-x))  # noqa: E731  # short-lived
    many = sigmoid(rng.logistic(-3, 1, 20_000))
    counted, extended = [], []

    for _ in range(100):
        few = sigmoid(rng.logistic(-3, 1, 80))
        counted.append((many >= lowest_flagging(few, 0.01)).mean())
        extended.append((many >= spare_reals(few, 0.01)).mean())

    assert np.mean(np.array(extended) > 0.01) < np.mean(np.array(counted) > 0.01) - 0.05
    assert np.mean(extended) < 0.01 < np.mean(counted)


def test_a_score_above_one_half_is_never_real_and_below_never_fake():
    labels = np.repeat([0, 1], 100)
    scores = np.repeat([0.05, 0.95], 100)

    thresholds = choose_thresholds([Copy("drawn", labels, scores, ["a"] * 200)], target_fpr=0.01)

    assert (thresholds.real_threshold, thresholds.fake_threshold) == (0.5, 0.5)


def test_thresholds_hold_on_every_copy():
    labels, sources = np.repeat([0, 1], 100), ["a"] * 200
    rng = np.random.default_rng(3)
    clean = np.concatenate([rng.uniform(0, 0.3, 100), rng.uniform(0.8, 1, 100)])
    laundered = np.concatenate([rng.uniform(0, 0.9, 100), rng.uniform(0.8, 1, 100)])

    thresholds = choose_thresholds(
        [Copy("clean", labels, clean, sources), Copy("laundered", labels, laundered, sources)],
        target_fpr=0.01,
    )

    assert (laundered[:100] >= thresholds.fake_threshold).mean() <= 0.01
    assert "laundered; a tail" in thresholds.chosen_on


def test_a_model_that_sees_the_codec_fails_the_swap():
    labels, sources = np.array([0, 1] * 50), ["a"] * 100
    rng = np.random.default_rng(4)
    honest = labels + rng.normal(0, 1, 100)

    sound = measure_format_swap(labels, sources, as_png=honest, as_jpeg=honest)
    unsound = measure_format_swap(labels, sources, as_png=honest, as_jpeg=honest - 3)

    assert sound["passed"]
    assert sound["auc_change"] == 0.0
    assert not unsound["passed"]
    assert unsound["real_jpeg_fake_png"]["auc"] > unsound["real_png_fake_jpeg"]["auc"] + 0.3


@pytest.mark.parametrize(
    "rewrite",
    [
        launder(1),
        write_jpeg(50),
        write_webp(75),
        rescale(0.5),
        blur(1.0),
        add_noise(5, 1),
        crop_screenshot(1),
    ],
)
def test_rewriting_changes_pixels_the_same_way_each_time(rewrite):
    pixels = draw_picture(3, fake=True)
    before = pixels.copy()

    first, again = rewrite(pixels, 7), rewrite(pixels, 7)

    assert first.dtype == np.uint8
    assert first.shape[2] == 3
    assert np.array_equal(first, again)
    assert first.shape != before.shape or not np.array_equal(first, before)
    assert np.array_equal(pixels, before)


def test_a_png_keeps_every_pixel():
    pixels = draw_picture(4, fake=True)

    assert np.array_equal(write_png(pixels, 0), pixels)
