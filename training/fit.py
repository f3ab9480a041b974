"""Fit a network: the loop, its checkpoints, early stopping, and the averaged weights that are kept.

Adam, binary cross-entropy, a cosine learning rate after one epoch of warm-up. An exponential moving
average of the weights is what is validated and kept. After each epoch a checkpoint holds everything
that the next epoch needs.
"""

import json
import logging
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras  # type: ignore[import-untyped]  # ships no annotations
import numpy as np
from numpy.typing import NDArray

from training.batches import BatchPlan, Drawing, drawn_batches
from training.checkpoint import Checkpoint, count_epochs, read_checkpoint, write_checkpoint
from training.draw import FaceFile
from training.load import SIDE_PX
from training.metrics import rank_sources
from training.transfer import SCALING

log = logging.getLogger(__name__)

WARM_UP_STEPS = 200


@dataclass(frozen=True)
class FitOptions:
    """How to fit.

    Attributes:
        patience: Epochs without a better validation AUC before it stops.
        crop_px: Side of the part of a view that the network is fitted on; the views' side, or less
            for a network that takes any.
        self_made_share: Share of the real images that are drawn as self-made fakes.
        freeze_norms: Keep the normalisation of pretrained weights as it is.
        head_epochs: First epochs that fit the last layer alone.
    """

    epochs: int = 30
    batch_size: int = 64
    epoch_images: int | None = None
    learning_rate: float = 1e-3
    label_smoothing: float = 0.03
    ema_decay: float = 0.998
    patience: int = 10
    weight_decay: float = 0.01
    clip_norm: float = 1.0
    crop_px: int = SIDE_PX
    self_made_share: float = 0.0
    freeze_norms: bool = False
    head_epochs: int = 0
    seed: int = 7
    threads: int = 2


@dataclass(frozen=True)
class Step:
    """Where a fit stands, for a progress bar; `auc` is the last epoch's."""

    epoch: int
    epochs: int
    done: int
    steps: int
    loss: float
    auc: float | None
    images_per_s: float


@dataclass(frozen=True)
class TrainFiles:
    """What a fit draws its views from; `rows` are positions in `files`."""

    files: Sequence[FaceFile]
    rows: NDArray[np.int64]
    labels: NDArray[np.int64]
    sources: Sequence[str]


@dataclass(frozen=True)
class ValViews:
    """Views that are never changed, `(n, side, side, 3)` uint8, with their labels and sources."""

    views: NDArray[np.uint8]
    labels: NDArray[np.int64]
    sources: Sequence[str]


@dataclass(frozen=True)
class Fitted:
    """A fit that ended: the epoch that was kept, and one record per epoch."""

    best_epoch: int
    history: list[dict[str, float]]


def fit_model(
    build: Callable[[int], Any],
    train: TrainFiles,
    val: ValViews,
    options: FitOptions,
    checkpoint: Path,
    *,
    start: Callable[[Any], None] | None = None,
    progress: Callable[[Step], None] | None = None,
) -> tuple[Any, Fitted]:
    """Fit a network and return it, of the views' side and with the best averaged weights.

    Goes on from `checkpoint` where it exists.

    Args:
        build: Builds the network for a side of its input.
        start: Fills a new network with starting weights.

    Raises:
        TrainingError: The checkpoint is of another network, or it cannot be written.
    """
    keras.utils.set_random_seed(options.seed)
    model, judge = build(options.crop_px), build(val.views.shape[1])
    if start is not None:
        start(model)
    saved, optimizer = _take_up(model, options, checkpoint)
    plan = BatchPlan(train.sources, train.labels.tolist(), train.rows, seed=options.seed)
    size = max(options.epoch_images or len(train.rows), options.batch_size)
    labels = dict(zip(train.rows.tolist(), train.labels.tolist(), strict=True))
    for epoch in range(len(saved.history), options.epochs):
        if _stale(saved, options.patience):
            break
        started = time.monotonic()
        if 0 < epoch == options.head_epochs:
            optimizer = _compile(model, options, head_alone=False)
        batches = drawn_batches(
            train.files,
            labels,
            plan.draw_epoch(epoch, size),
            Drawing(options.crop_px, options.self_made_share, options.seed),
            batch_size=options.batch_size,
            epoch=epoch,
            threads=options.threads,
        )
        losses = _run_epoch(
            model, batches, size // options.batch_size, epoch, saved, options, progress
        )
        judge.set_weights(saved.average)
        scores = score_views(judge, val.views, options.batch_size)
        record = {
            "epoch": epoch,
            "loss": float(np.mean(losses)),
            **rank_sources(val.labels, scores, val.sources),
            "images_per_s": len(losses) * options.batch_size / (time.monotonic() - started),
        }
        saved.history.append(record)
        if record["val_choice"] > saved.best_value:
            saved.best_value, saved.best_epoch = record["val_choice"], epoch
            saved.best = [weight.copy() for weight in saved.average]
        write_checkpoint(checkpoint, saved, model, optimizer)
        log.info("epoch %d of %d: %s", epoch + 1, options.epochs, json.dumps(record))
    judge.set_weights(saved.best if saved.best is not None else saved.average)
    return judge, Fitted(saved.best_epoch, saved.history)


def score_views(model: Any, views: NDArray[np.uint8], batch_size: int = 64) -> NDArray[np.float64]:
    """Return the uncalibrated scores of views `(n, side, side, 3)`, shape `(n,)`, range [0, 1]."""
    scores = [
        keras.ops.convert_to_numpy(model.predict_on_batch(views[start : start + batch_size]))[:, 0]
        for start in range(0, len(views), batch_size)
    ]
    return np.concatenate(scores).astype(np.float64)


def _take_up(model: Any, options: FitOptions, checkpoint: Path) -> tuple[Checkpoint, Any]:
    """Read what an earlier run left, into an optimizer of the stage in which it stopped."""
    done = count_epochs(checkpoint)
    optimizer = _compile(model, options, head_alone=max(0, done - 1) < options.head_epochs)
    saved = read_checkpoint(checkpoint, model, optimizer)
    return saved or Checkpoint([weight.copy() for weight in model.get_weights()]), optimizer


def _compile(model: Any, options: FitOptions, *, head_alone: bool) -> Any:
    """Set what is held still, and a fresh optimizer for the rest."""
    for layer in model.layers:
        if layer.name != SCALING:
            layer.trainable = not head_alone or layer is model.layers[-1]
    if options.freeze_norms:
        for layer in _norms(model):
            layer.trainable = False
    optimizer = keras.optimizers.AdamW(
        options.learning_rate, weight_decay=options.weight_decay, clipnorm=options.clip_norm
    )
    model.compile(
        optimizer, keras.losses.BinaryCrossentropy(label_smoothing=options.label_smoothing)
    )
    optimizer.build(model.trainable_variables)
    return optimizer


def _norms(model: Any) -> Iterator[Any]:
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            yield layer
        elif isinstance(layer, keras.Model):
            yield from _norms(layer)


def _run_epoch(
    model: Any,
    batches: Iterator[tuple[NDArray[np.uint8], NDArray[np.float32]]],
    steps: int,
    epoch: int,
    saved: Checkpoint,
    options: FitOptions,
    progress: Callable[[Step], None] | None,
) -> list[float]:
    losses: list[float] = []
    started = time.monotonic()
    auc = saved.history[-1]["val_choice"] if saved.history else None
    for views, truth in batches:
        done = epoch * steps + len(losses)
        model.optimizer.learning_rate = _learning_rate(done, steps, options)
        model.reset_metrics()  # else the answer is the mean of all batches so far
        losses.append(float(model.train_on_batch(views, truth)))
        decay = min(options.ema_decay, (1 + done) / (10 + done))
        for kept, weight in zip(saved.average, model.get_weights(), strict=True):
            kept += (1 - decay) * (weight - kept)
        if progress is not None:
            rate = len(losses) * options.batch_size / (time.monotonic() - started)
            recent = float(np.mean(losses[-50:]))
            progress(Step(epoch, options.epochs, len(losses), steps, recent, auc, rate))
    return losses


def _learning_rate(done: int, steps: int, options: FitOptions) -> float:
    warm_up = min(1.0, (done + 1) / min(steps, WARM_UP_STEPS))
    cosine = 0.5 * (1 + math.cos(math.pi * done / (steps * options.epochs)))
    return options.learning_rate * warm_up * max(cosine, 0.01)


def _stale(saved: Checkpoint, patience: int) -> bool:
    return len(saved.history) - 1 - saved.best_epoch >= patience and bool(saved.history)
