"""Make a model: find the images, split, fit, evaluate, calibrate."""

import json
import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import keras  # type: ignore[import-untyped]  # ships no annotations
import numpy as np

from fakesweep.errors import TrainingError
from training.assess import FIT, assess_run
from training.augment import CHAIN
from training.batches import PAIRED_SHARE
from training.cnn import ARCHITECTURES
from training.dataset import find_dataset
from training.files import write_text
from training.fit import Fitted, LabelledViews, Step, fit_model
from training.load import SIDE_PX
from training.prepare import Prepared, prepare
from training.report import round_floats
from training.runs import CHECKPOINT, TrainOptions, open_run, save_model
from training.split import CHOOSE, TRAIN

log = logging.getLogger(__name__)


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

    Interrupted, it can be called again with `resume`: it goes on after the last whole epoch.
    `on_decoded` gets the images decoded so far and all, `on_step` where the fit stands.

    Raises:
        TrainingError: The data, the options or the run folder cannot be used, or the disk is full.
    """
    open_run(options)
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
        file = save_model(model, options)
        facts = json.dumps(round_floats(_facts(options, model, fitted)), indent=2)
        write_text(options.output / FIT, facts + "\n")
    except OSError as error:
        raise TrainingError(f"cannot write the run folder {options.output}: {error}") from error
    return RunFacts(options.output, file, assess_run(options.output))


def _facts(
    options: TrainOptions,
    model: Any,
    fitted: Fitted,
) -> dict[str, Any]:
    return {
        "architecture": options.arch,
        "parameters": int(model.count_params()),
        "seed": options.fit.seed,
        "split": "by the manifest where it gives one, else by group (near-duplicates), stratified"
        " by source and label; val halved by group into val_choose and val_report",
        "augmentation": {"chances": CHAIN, "depends_on_label": False},
        "paired_share": PAIRED_SHARE,
        "self_made_fakes_share": 0.0,
        "fit": asdict(options.fit),
        "epochs_done": len(fitted.history),
        "best_epoch": fitted.best_epoch,
        "history": fitted.history,
    }


def _rows(prepared: Prepared, split: str) -> LabelledViews:
    inside = prepared.of_split(split)
    return LabelledViews(
        views=prepared.views,
        rows=prepared.row[inside],
        labels=np.array([prepared.images[index].label for index in inside], dtype=np.int64),
        sources=[prepared.images[index].source for index in inside],
    )
