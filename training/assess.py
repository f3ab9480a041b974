"""Assess a fitted model: `python -m training.assess RUN_FOLDER`.

The trainer leaves `options.json`, `model.keras` and `fit.json` in the run folder. One half of the
validation images fits the calibration and the thresholds, the other is reported. A process of its own,
since training may run on another of Keras's backends and judging needs TensorFlow.
"""

import json
import logging
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from detector.judge import NO_FACE
from fakesweep.errors import FakesweepError, TrainingError
from training.calibrate import (
    Calibration,
    Copy,
    Thresholds,
    apply_calibration,
    choose_thresholds,
    fit_platt,
)
from training.draft import ARTEFACT, TARGET_FPR, as_published, draft_card, judging_fields
from training.evaluate import (
    AS_IS,
    SWAPPED,
    OnScored,
    Split,
    measure_splits,
    sample_robustness,
    score_split,
)
from training.file_facts import gather_facts, measure_file_facts
from training.files import write_text
from training.limits import describe_run, name_limits
from training.metrics import Scored
from training.prepare import Prepared
from training.report import (
    LAUNDERED,
    PAGE,
    list_curves,
    round_floats,
    write_metrics,
    write_pictures,
    write_report,
)
from training.runs import FIT, OPTIONS, RUN, prepare_run, read_facts
from training.scoring import Judged, open_raw
from training.split import CHOOSE, REPORT, TRAIN
from training.swap import measure_format_swap

log = logging.getLogger(__name__)

METRICS = "metrics.json"
BINS = 20


def assess_run(output: Path, *, on_scored: OnScored | None = None) -> dict[str, Any]:
    """Measure the model of a run folder on all splits but `train`.

    Writes `metrics.json`, `report.html`, the pictures and, last, `run.json`, whose facts it returns.

    Raises:
        TrainingError: A file of the run is missing, no image of a class gets a score, or the folder
            cannot be written.
        ModelError: The model cannot be loaded.
    """
    options, fit = read_facts(output / OPTIONS), read_facts(output / FIT)
    seed, threads = int(options["fit"]["seed"]), int(options["fit"]["threads"])
    cv2.setNumThreads(1)  # the threads that prepare share the work already
    prepared = prepare_run(output, options)
    judging = judging_fields(options.get("views"), options.get("faces"))
    detector = open_raw(as_published(output, draft_card(output / ARTEFACT, "draft", **judging)))
    splits = gather_splits(prepared)
    judged = {
        split.name: score_split(
            detector,
            split,
            seed=seed,
            threads=threads,
            swap=split.name == REPORT,
            on_scored=on_scored,
        )[0]
        for split in splits
    }
    choose = next(split for split in splits if split.name == CHOOSE)
    calibration, thresholds = _calibrate(choose, judged[CHOOSE])
    scored = {
        split.name + copy: split.score(judged[split.name][copy], calibration)
        for split in splits
        for copy in (AS_IS, LAUNDERED)
    }
    report = next(split for split in splits if split.name == REPORT)
    held_out = [split for split in splits if split.name != CHOOSE]
    measured = {
        "metrics": measure_splits(scored, thresholds),
        "gates": {
            "format_swap": measure_format_swap(
                report.labels,
                report.sources,
                as_png=judged[REPORT][AS_IS].raw,
                as_jpeg=judged[REPORT][SWAPPED].raw,
            ),
            "file_facts_alone": _measure_files(prepared, seed),
        },
        "robustness": sample_robustness(
            detector, held_out, seed=seed, threads=threads, on_scored=on_scored
        ),
        "reference": _describe_scores(scored[REPORT], prepared.report),
        "curves": {name: list_curves(scored[name]) for name in (REPORT, REPORT + LAUNDERED)},
    }
    run = {
        **{"architecture": options["arch"], "self_made_fakes_share": 0.0, "weights": None},
        **{key: options[key] for key in ("views", "faces") if options.get(key)},
        **fit,
        **{"seed": seed, "dataset": prepared.report, "chosen_on": CHOOSE},
        **{"calibration": asdict(calibration), "thresholds": asdict(thresholds)},
        **measured,
    }
    run["description"], run["limits"] = describe_run(run), name_limits(run)
    exact = {key: run[key] for key in ("calibration", "thresholds")}
    rounded: dict[str, Any] = round_floats(run) | exact
    _write(output, rounded, scored)
    return rounded


def gather_splits(prepared: Prepared) -> list[Split]:
    """List the splits that are measured: all but `train`, the two halves of `val` first."""
    names = sorted(set(prepared.splits) - {TRAIN}, key=lambda name: (name not in _HALVES, name))
    return [Split.gather(name, prepared.images, prepared.of_split(name)) for name in names]


_HALVES = (CHOOSE, REPORT)


def _calibrate(split: Split, judged: dict[str, Judged]) -> tuple[Calibration, Thresholds]:
    raw = {copy: judged[copy].raw for copy in (AS_IS, LAUNDERED)}
    labels = np.concatenate([split.labels[~np.isnan(scores)] for scores in raw.values()])
    together = np.concatenate([scores[~np.isnan(scores)] for scores in raw.values()])
    for label, name in ((0, "real"), (1, "fake")):
        if label not in labels:
            reasons = sorted({reason for reason in judged[AS_IS].reasons if reason})
            raise TrainingError(
                f"no {name} image of {CHOOSE} got a score ({', '.join(reasons) or 'there is none'}):"
                " the model cannot be calibrated"
            )
    fitted_on = (
        f"{CHOOSE}: {int((~np.isnan(raw[AS_IS])).sum())} images, as they are and as JPEG 75-95,"
        " classes balanced"
    )
    calibration = fit_platt(labels, together, fitted_on)
    copies = [
        Copy(name, split.labels, apply_calibration(raw[copy], calibration), split.sources)
        for copy, name in ((AS_IS, "as the files are"), (LAUNDERED, "laundered"))
    ]
    return calibration, choose_thresholds(copies, target_fpr=TARGET_FPR)


def _measure_files(prepared: Prepared, seed: int) -> dict[str, Any]:
    labels = np.array([image.label for image in prepared.images], dtype=np.int64)
    return measure_file_facts(
        gather_facts(prepared.file_facts, [image.path for image in prepared.images]),
        labels,
        [image.source for image in prepared.images],
        train=prepared.of_split(TRAIN),
        held_out=prepared.of_split(REPORT),
        seed=seed,
    )


def _describe_scores(found: Scored, dataset: dict[str, Any]) -> dict[str, Any]:
    """Describe the scores that later scans are compared with: images of each class in 20 bins."""
    edges = np.linspace(0, 1, BINS + 1)
    judged = found.judged()
    counts = {
        name: np.histogram(judged.scores[judged.labels == label], edges)[0].tolist()
        for label, name in ((0, "real"), (1, "fake"))
    }
    return {
        "edges": edges.tolist(),
        **counts,
        "no_face_share": found.reasons.count(NO_FACE) / max(1, len(found.reasons)),
        "failed_share": dataset["unreadable"] / max(1, dataset["images"]),
    }


def _write(output: Path, run: dict[str, Any], scored: dict[str, Scored]) -> None:
    kept = ("metrics", "gates", "robustness", "curves")
    try:
        write_pictures(output, scored[REPORT], run, REPORT)
        write_report(output / PAGE, f"Report of {output.name}", run, scored, REPORT)
        write_metrics(output / METRICS, {key: run[key] for key in kept})
        write_text(output / RUN, json.dumps(run, indent=2) + "\n")
    except OSError as error:
        raise TrainingError(f"cannot write the run folder {output}: {error}") from error


def main(arguments: list[str]) -> int:
    """Assess the one run folder named; 2 and one line on standard output where that fails."""

    def tell(name: str, done: int, images: int) -> None:
        sys.stderr.write(f"scored {done} of {images} images of {name}\n")
        sys.stderr.flush()

    try:
        assess_run(Path(arguments[0]), on_scored=tell)
    except FakesweepError as error:
        sys.stdout.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
