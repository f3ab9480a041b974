"""Make a model: find the images, split, fit, evaluate, calibrate, and leave a run folder that can be published.

The run folder holds `model.keras`, `run.json` (the facts of the card), `metrics.json`, `confusion_matrix.png`, `roc.png`, `scores.png`, and
the checkpoint and views that a resumed run goes on from.
"""

import json
import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import cv2
import keras  # type: ignore[import-untyped]  # ships no annotations
import numpy as np

from fakesweep.errors import TrainingError
from training.assess import Assessment, assess
from training.augment import CHAIN
from training.batches import PAIRED_SHARE
from training.cnn import ARCHITECTURES
from training.dataset import find_dataset
from training.draft import ARTEFACT
from training.files import write_text
from training.fit import FitOptions, Fitted, LabelledViews, Step, fit_model
from training.load import SIDE_PX
from training.prepare import Prepared, prepare
from training.report import round_floats, write_metrics
from training.split import CHOOSE, TRAIN

log = logging.getLogger(__name__)

CHECKPOINT, OPTIONS, RUN = "checkpoint.npz", "options.json", "run.json"


@dataclass(frozen=True)
class TrainOptions:
    """What to train on, where to, and how."""

    output: Path
    real: list[Path] = field(default_factory=list)
    fake: list[Path] = field(default_factory=list)
    manifest: Path | None = None
    arch: str = "cnn"
    val_share: float = 0.15
    resume: bool = False
    fit: FitOptions = field(default_factory=FitOptions)


@dataclass(frozen=True)
class RunFacts:
    """What a run made and measured; `facts` is what `run.json` holds."""

    output: Path
    model: Path
    facts: dict[str, Any]


def train(
    options: TrainOptions,
    *,
    on_decoded: Callable[[int, int], None] | None = None,
    on_step: Callable[[Step], None] | None = None,
) -> RunFacts:
    """Make a model and measure it.

    Interrupted, it can be called again with `resume`: it goes on after the last whole epoch. `on_decoded` gets the images decoded
    so far and all, `on_step` where the fit stands.

    Raises:
        TrainingError: The data, the options or the run folder cannot be used, or the disk is full.
    """
    _open_run(options)
    cv2.setNumThreads(1)  # the threads of this run share the work already
    dataset = find_dataset(options.real, options.fake, options.manifest)
    prepared = prepare(
        dataset,
        options.output,
        val_share=options.val_share,
        seed=options.fit.seed,
        threads=options.fit.threads,
        progress=on_decoded,
    )
    keras.utils.set_random_seed(options.fit.seed)
    model = ARCHITECTURES[options.arch](SIDE_PX)
    fitted = fit_model(
        model,
        _rows(prepared, TRAIN),
        _rows(prepared, CHOOSE),
        options.fit,
        options.output / CHECKPOINT,
        progress=on_step,
    )
    try:
        file = _save_model(model, options)
        assessment = assess(file, prepared, seed=options.fit.seed, threads=options.fit.threads)
        facts = _facts(options, prepared, model, fitted, assessment)
        write_metrics(
            options.output / "metrics.json",
            {"metrics": assessment.metrics, "gates": assessment.gates},
        )
        write_text(options.output / RUN, json.dumps(round_floats(facts), indent=2) + "\n")
    except OSError as error:
        raise TrainingError(f"cannot write the run folder {options.output}: {error}") from error
    return RunFacts(options.output, file, facts)


def _save_model(model: Any, options: TrainOptions) -> Path:
    """Write the network without its optimizer, so that the file holds nothing but what scores need."""
    bare = ARCHITECTURES[options.arch](SIDE_PX)
    bare.set_weights(model.get_weights())
    file = options.output / ARTEFACT
    partial = file.with_name(f".partial-{file.name}")
    try:
        bare.save(partial)
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)
    return file


def _facts(
    options: TrainOptions,
    prepared: Prepared,
    model: Any,
    fitted: Fitted,
    assessment: Assessment,
) -> dict[str, Any]:
    return {
        "architecture": options.arch,
        "parameters": int(model.count_params()),
        "seed": options.fit.seed,
        "split": "by the manifest where it gives one, else by group (near-duplicates), stratified by"
        " source and label; val halved by group into val_choose and val_report",
        "dataset": prepared.report,
        "augmentation": {"chances": CHAIN, "depends_on_label": False},
        "paired_share": PAIRED_SHARE,
        "self_made_fakes_share": 0.0,
        "fit": asdict(options.fit),
        "epochs_done": len(fitted.history),
        "best_epoch": fitted.best_epoch,
        "history": fitted.history,
        "calibration": asdict(assessment.calibration),
        "thresholds": asdict(assessment.thresholds),
        "metrics": assessment.metrics,
        "gates": assessment.gates,
    }


def _rows(prepared: Prepared, split: str) -> LabelledViews:
    inside = prepared.of_split(split)
    return LabelledViews(
        views=prepared.views,
        rows=prepared.row[inside],
        labels=np.array([prepared.images[index].label for index in inside], dtype=np.int64),
        sources=[prepared.images[index].source for index in inside],
    )


def _open_run(options: TrainOptions) -> None:
    if options.arch not in ARCHITECTURES:
        raise TrainingError(
            f"--arch: expected one of {', '.join(ARCHITECTURES)}; received: {options.arch}"
        )
    record = json.loads(json.dumps(asdict(options), default=lambda path: str(path.resolve())))
    path = options.output / OPTIONS
    try:
        options.output.mkdir(parents=True, exist_ok=True)
        if options.resume:
            _check_same(path, record)
        elif any(options.output.iterdir()):
            raise TrainingError(f"{options.output} is not empty: name another folder, or --resume")
        write_text(path, json.dumps(record, indent=2))
    except OSError as error:
        raise TrainingError(f"cannot write the run folder {options.output}: {error}") from error


def _check_same(path: Path, record: dict[str, Any]) -> None:
    if not path.is_file():
        raise TrainingError(f"nothing to resume in {path.parent}: it holds no {OPTIONS}")
    before = json.loads(path.read_text())
    for name in ("arch", "val_share", "real", "fake", "manifest"):
        if before.get(name) != record[name]:
            raise TrainingError(
                f"{path.parent} was begun with another {name}: expected {before.get(name)};"
                f" received: {record[name]}"
            )
