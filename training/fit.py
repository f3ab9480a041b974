"""Fit a network: the loop, its checkpoints, early stopping, and the averaged weights that are kept.

Adam, binary cross-entropy, a cosine learning rate after one epoch of warm-up. An exponential moving
average of the weights is what is validated and kept. After each epoch a checkpoint holds everything
that the next epoch needs.
"""

import json
import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras  # type: ignore[import-untyped]  # ships no annotations
import numpy as np
from numpy.typing import NDArray

from training.batches import BatchPlan, augmented_batches
from training.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from training.metrics import rank_sources

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FitOptions:
    """How to fit; `patience` counts epochs without a better validation AUC."""

    epochs: int = 30
    batch_size: int = 64
    epoch_images: int | None = None
    learning_rate: float = 1e-3
    label_smoothing: float = 0.03
    ema_decay: float = 0.998
    patience: int = 10
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
class LabelledViews:
    """Rows of a view array with their labels and sources."""

    views: NDArray[np.uint8]
    rows: NDArray[np.int64]
    labels: NDArray[np.int64]
    sources: Sequence[str]


@dataclass(frozen=True)
class Fitted:
    """A fit that ended: the epoch that was kept, and one record per epoch."""

    best_epoch: int
    history: list[dict[str, float]]


def fit_model(
    model: Any,
    train: LabelledViews,
    val: LabelledViews,
    options: FitOptions,
    checkpoint: Path,
    *,
    progress: Callable[[Step], None] | None = None,
) -> Fitted:
    """Fit `model` in place and leave the best averaged weights in it.

    Go on from `checkpoint` where it exists.

    Raises:
        TrainingError: The checkpoint is of another network, or it cannot be written.
    """
    keras.utils.set_random_seed(options.seed)
    optimizer = keras.optimizers.Adam(options.learning_rate)
    loss = keras.losses.BinaryCrossentropy(label_smoothing=options.label_smoothing)
    model.compile(optimizer, loss)
    optimizer.build(model.trainable_variables)
    saved = read_checkpoint(checkpoint, model, optimizer) or Checkpoint(
        [weight.copy() for weight in model.get_weights()]
    )
    plan = BatchPlan(train.sources, train.labels.tolist(), train.rows, seed=options.seed)
    size = options.epoch_images or len(train.rows)
    labels = dict(zip(train.rows.tolist(), train.labels.tolist(), strict=True))
    for epoch in range(len(saved.history), options.epochs):
        if _stale(saved, options.patience):
            break
        started = time.monotonic()
        drawn = plan.draw_epoch(epoch, max(size, options.batch_size))
        losses = _run_epoch(
            model, train.views, labels, drawn, epoch, saved, options, progress=progress
        )
        aucs = _validate(model, val, saved.average, options.batch_size)
        record = {
            "epoch": epoch,
            "loss": float(np.mean(losses)),
            **aucs,
            "images_per_s": len(losses) * options.batch_size / (time.monotonic() - started),
        }
        saved.history.append(record)
        if record["val_choice"] > saved.best_value:
            saved.best_value, saved.best_epoch = record["val_choice"], epoch
            saved.best = [weight.copy() for weight in saved.average]
        write_checkpoint(checkpoint, saved, model, optimizer)
        log.info("epoch %d of %d: %s", epoch + 1, options.epochs, json.dumps(record))
    model.set_weights(saved.best if saved.best is not None else saved.average)
    return Fitted(saved.best_epoch, saved.history)


def score_views(model: Any, views: NDArray[np.uint8], batch_size: int = 64) -> NDArray[np.float64]:
    """Return the uncalibrated scores of views `(n, side, side, 3)`, shape `(n,)`, range [0, 1]."""
    scores = [
        np.asarray(model.predict_on_batch(np.asarray(views[start : start + batch_size])))[:, 0]
        for start in range(0, len(views), batch_size)
    ]
    return np.concatenate(scores).astype(np.float64)


def _run_epoch(
    model: Any,
    views: NDArray[np.uint8],
    labels: dict[int, int],
    drawn: NDArray[np.int64],
    epoch: int,
    saved: Checkpoint,
    options: FitOptions,
    *,
    progress: Callable[[Step], None] | None,
) -> list[float]:
    losses: list[float] = []
    started = time.monotonic()
    steps = len(drawn) // options.batch_size
    auc = saved.history[-1]["val_choice"] if saved.history else None
    for rows, batch in augmented_batches(
        views,
        drawn,
        batch_size=options.batch_size,
        seed=options.seed,
        epoch=epoch,
        threads=options.threads,
    ):
        done = epoch * steps + len(losses)
        model.optimizer.learning_rate = _learning_rate(done, steps, options)
        truth = np.array([[labels[int(row)]] for row in rows], dtype=np.float32)
        losses.append(float(model.train_on_batch(batch, truth)))
        decay = min(options.ema_decay, (1 + done) / (10 + done))
        for kept, weight in zip(saved.average, model.get_weights(), strict=True):
            kept += (1 - decay) * (weight - kept)
        if progress is not None:
            rate = len(losses) * options.batch_size / (time.monotonic() - started)
            recent = float(np.mean(losses[-50:]))
            progress(Step(epoch, options.epochs, len(losses), steps, recent, auc, rate))
    return losses


def _learning_rate(done: int, steps: int, options: FitOptions) -> float:
    warm_up = min(1.0, (done + 1) / steps)
    cosine = 0.5 * (1 + math.cos(math.pi * done / (steps * options.epochs)))
    return options.learning_rate * warm_up * max(cosine, 0.01)


def _validate(
    model: Any, val: LabelledViews, average: list[NDArray[Any]], batch_size: int
) -> dict[str, float]:
    current = model.get_weights()
    model.set_weights(average)
    scores = score_views(model, val.views[val.rows], batch_size)
    model.set_weights(current)
    return rank_sources(val.labels, scores, val.sources)


def _stale(saved: Checkpoint, patience: int) -> bool:
    return len(saved.history) - 1 - saved.best_epoch >= patience and bool(saved.history)
