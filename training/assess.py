"""Assess a fitted model.

Calibrate and choose thresholds on one half of the validation images, report on the other.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detector.model import Detector
from training.calibrate import (
    Calibration,
    Thresholds,
    apply_calibration,
    choose_thresholds,
    fit_platt,
)
from training.draft import TARGET_FPR
from training.evaluate import (
    launder,
    measure_file_facts,
    measure_format_swap,
    open_model,
    score_rewritten,
    score_split,
)
from training.metrics import measure_sources
from training.prepare import Prepared
from training.report import draw_confusion, draw_roc, draw_scores
from training.split import CHOOSE, REPORT, TRAIN

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Assessment:
    """What was measured; `metrics` has one entry per split, `gates` what may give classes away."""

    calibration: Calibration
    thresholds: Thresholds
    metrics: dict[str, Any]
    gates: dict[str, Any]


@dataclass(frozen=True)
class Scored:
    """One split's labels, sources and uncalibrated scores: as the files are, and laundered."""

    labels: NDArray[np.int64]
    sources: list[str]
    raw: NDArray[np.float64]
    laundered: NDArray[np.float64]


def assess(file: Path, prepared: Prepared, *, seed: int, threads: int) -> Assessment:
    """Measure a model file on all splits but `train`, and draw the report's pictures beside it.

    Raises:
        ModelError: The file cannot be loaded.
        OSError: The pictures cannot be written.
    """
    detector = open_model(file)
    names = [name for name in sorted(set(prepared.splits)) if name != TRAIN]
    scored = {name: _score(detector, prepared, name, seed, threads) for name in names}
    calibration, thresholds = _calibrate(scored[CHOOSE])
    metrics: dict[str, Any] = {}
    for name, split in scored.items():
        for suffix, raw in (("", split.raw), ("_laundered", split.laundered)):
            scores = apply_calibration(raw, calibration)
            metrics[name + suffix] = measure_sources(
                split.labels, scores, split.sources, thresholds
            )
    report = scored[REPORT]
    scores = apply_calibration(report.raw, calibration)
    draw_confusion(
        file.parent / "confusion_matrix.png",
        metrics[REPORT]["overall"]["confusion"],
        thresholds.fake_threshold,
    )
    draw_roc(file.parent / "roc.png", report.labels, scores, report.sources)
    draw_scores(
        file.parent / "scores.png",
        report.labels,
        scores,
        (thresholds.real_threshold, thresholds.fake_threshold),
    )
    inside = prepared.of_split(REPORT)
    gates = {
        "format_swap": measure_format_swap(detector, prepared, inside, threads),
        "file_facts_alone": measure_file_facts(prepared, prepared.of_split(TRAIN), inside, seed),
    }
    return Assessment(calibration, thresholds, metrics, gates)


def _score(detector: Detector, prepared: Prepared, split: str, seed: int, threads: int) -> Scored:
    inside = prepared.of_split(split)
    log.info("scoring %d images of %s", len(inside), split)
    return Scored(
        labels=np.array([prepared.images[index].label for index in inside], dtype=np.int64),
        sources=[prepared.images[index].source for index in inside],
        raw=score_split(detector, prepared, inside),
        laundered=score_rewritten(detector, prepared, inside, launder(seed), threads),
    )


def _calibrate(split: Scored) -> tuple[Calibration, Thresholds]:
    labels = np.concatenate([split.labels, split.labels])
    raw = np.concatenate([split.raw, split.laundered])
    sources: Sequence[str] = [*split.sources, *split.sources]
    fitted_on = (
        f"{CHOOSE}: {len(split.labels)} images, as they are and as JPEG 75-95, classes balanced"
    )
    calibration = fit_platt(labels, raw, fitted_on)
    scores = apply_calibration(raw, calibration)
    return calibration, choose_thresholds(labels, scores, sources, target_fpr=TARGET_FPR, copies=2)
