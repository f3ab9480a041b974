"""Make a model: find the images, fit; then a process of its own measures what was fitted."""

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import keras  # type: ignore[import-untyped]  # ships no annotations
import numpy as np
from numpy.typing import NDArray

from detector.crops import cut_face
from detector.views import WHOLE, whole_view
from fakesweep.errors import TrainingError
from training.augment import LIFE, TURN
from training.batches import PAIRED_SHARE
from training.draw import FaceFile, cut_square
from training.files import write_text
from training.fit import Fitted, Step, TrainFiles, ValViews, fit_model
from training.fresh import run_fresh
from training.load import SIDE_PX, decode_file
from training.networks import ARCHITECTURES
from training.prepare import Prepared
from training.runs import (
    CHECKPOINT,
    FIT,
    OPTIONS,
    RUN,
    TrainOptions,
    open_run,
    prepare_run,
    read_facts,
    save_model,
)
from training.split import CHOOSE, TRAIN
from training.weights import NONE, fill_network, find_weights

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
    `on_decoded` gets the images looked at so far and all, `on_step` where the fit stands.

    Raises:
        TrainingError: The data, the options or the run folder cannot be used, or the disk is full.
    """
    weights = find_weights(options.arch, options.weights)
    open_run(options)
    cv2.setNumThreads(1)  # the threads of this run share the work already
    record = read_facts(options.output / OPTIONS)
    prepared = prepare_run(options.output, record, progress=on_decoded)
    started_from: list[str] = []

    def start(network: Any) -> None:
        if options.weights != NONE:
            started_from.append(fill_network(network, weights))

    whole = options.views == [WHOLE]
    files = [
        FaceFile(image.path, box, whole)
        for image, box in zip(prepared.images, prepared.boxes, strict=True)
    ]
    model, fitted = fit_model(
        ARCHITECTURES[options.arch],
        _train_files(prepared, files),
        _val_views(prepared, files),
        options.fit,
        options.output / CHECKPOINT,
        start=start,
        progress=on_step,
    )
    try:
        file = save_model(model, options)
        facts = _facts(options, model, fitted, started_from)
        write_text(options.output / FIT, json.dumps(facts, indent=2) + "\n")
    except OSError as error:
        raise TrainingError(f"cannot write the run folder {options.output}: {error}") from error
    reason = run_fresh("training.assess", options.output)
    if reason is not None:
        raise TrainingError(
            f"the fit is kept in {options.output}, but could not be measured: {reason}"
        )
    return RunFacts(options.output, file, json.loads((options.output / RUN).read_text()))


def _train_files(prepared: Prepared, files: Sequence[FaceFile]) -> TrainFiles:
    inside = prepared.of_split(TRAIN)
    return TrainFiles(
        files=files,
        rows=np.array(inside, dtype=np.int64),
        labels=_labels(prepared, inside),
        sources=[prepared.images[index].source for index in inside],
    )


def _val_views(prepared: Prepared, files: Sequence[FaceFile]) -> ValViews:
    inside = prepared.of_split(CHOOSE)
    return ValViews(
        views=np.stack([_view(files[index]) for index in inside]),
        labels=_labels(prepared, inside),
        sources=[prepared.images[index].source for index in inside],
    )


def _view(file: FaceFile) -> NDArray[np.uint8]:
    """Cut the view that epochs are compared on, as judging cuts it."""
    pixels = decode_file(file.path)
    if file.whole:
        return whole_view(pixels, SIDE_PX)
    square = cut_square(pixels, file.box)
    return cut_face(square, (0, 0, square.shape[0]), SIDE_PX)


def _labels(prepared: Prepared, inside: Sequence[int]) -> NDArray[np.int64]:
    return np.array([prepared.images[index].label for index in inside], dtype=np.int64)


def _facts(
    options: TrainOptions, model: Any, fitted: Fitted, started_from: Sequence[str]
) -> dict[str, Any]:
    return {
        "architecture": options.arch,
        "parameters": int(model.count_params()),
        "weights": started_from[0] if started_from else None,
        "backend": keras.backend.backend(),
        "split": "by the manifest where it gives one, else by group (near-duplicates), stratified"
        " by source and label; val halved by group into val_choose and val_report",
        "augmentation": {"file": LIFE, "view": TURN, "depends_on_label": False},
        "paired_share": PAIRED_SHARE,
        "self_made_fakes_share": options.fit.self_made_share / 2,
        "fit": asdict(options.fit),
        "epochs_done": len(fitted.history),
        "best_epoch": fitted.best_epoch,
        "history": fitted.history,
    }
