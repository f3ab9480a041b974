"""Keras's door: a published model file, verified, loaded and ready to score views."""

import logging
import os
import zipfile
from collections.abc import Callable
from typing import Any

import cv2
import keras  # type: ignore[import-untyped]  # ships no annotations
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from detector.calibration import calibrate
from detector.card import ModelCard
from detector.finder import Finder, default_finder
from detector.registry import PublishedModel, verify_model
from detector.views import check_finder, check_views
from fakesweep.errors import ModelError

log = logging.getLogger(__name__)

SUFFIX = ".keras"
CPU_BATCH = 32
GPU_BATCH = 256

LOAD_ERRORS = (
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    OSError,
    ImportError,
    RuntimeError,
    zipfile.BadZipFile,
    tf.errors.OpError,
)
"""All that Keras raises on a file of another version, of other layers, or that would run code."""

ScoreBatch = Callable[[Any], Any]


class Detector:
    """A loaded model that scores views.

    Attributes:
        version: The model version, as every verdict names it.
        card: The model card.
        device_batch: Views per call of the device; shorter calls are padded.
        device: What it computes on.
        finder: What finds the faces that it judges.
        network: The Keras model itself, for looking into it.
    """

    def __init__(
        self,
        card: ModelCard,
        *,
        device_batch: int,
        score_batch: ScoreBatch,
        finder: Finder,
        network: Any,
    ) -> None:
        """Hold a traced function; use `load_detector`."""
        self.version = card.version
        self.card = card
        self.device_batch = device_batch
        self.device = describe_device()
        self.finder = finder
        self.network = network
        self._score_batch = score_batch

    def score_views(self, views: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Score any number of views, one padded device batch after another.

        Args:
            views: RGB, shape `(n, 224, 224, 3)`, dtype uint8, range [0, 255].

        Returns:
            Calibrated scores, shape `(n,)`, dtype float64, range [0, 1]; NaN where the model answers
            no number.

        Raises:
            ModelError: The views do not fit the model.
        """
        side_px = self.card.input.side_px
        if views.dtype != np.uint8 or views.shape[1:] != (side_px, side_px, 3):
            raise ModelError(
                f"model version {self.version} takes views of shape (n, {side_px}, {side_px}, 3) "
                f"and dtype uint8. Received: shape {views.shape} and dtype {views.dtype}"
            )
        outputs = np.empty(len(views), dtype=np.float64)
        for start in range(0, len(views), self.device_batch):
            batch = views[start : start + self.device_batch]
            outputs[start : start + len(batch)] = self._score_batch(self._pad(batch))[: len(batch)]
        calibration = self.card.calibration
        return calibrate(outputs, slope=calibration.slope, intercept=calibration.intercept)

    def _pad(self, batch: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Fill a short batch with black: another shape would make TensorFlow trace anew."""
        if len(batch) == self.device_batch:
            return batch
        padded = np.zeros((self.device_batch, *batch.shape[1:]), dtype=np.uint8)
        padded[: len(batch)] = batch
        return padded


def load_detector(
    model: PublishedModel,
    *,
    device_batch: int | None = None,
    threads: int | None = None,
    finder: Finder | None = None,
) -> Detector:
    """Verify, load and warm up a published model.

    Args:
        device_batch: Views per call of the device; None chooses for the device.
        threads: Threads for TensorFlow's operations; None leaves the choice to TensorFlow.
            Only the first load of a process can set them. OpenCV is always kept to one, since
            images are decoded on several threads already.
        finder: What finds the faces; None takes BlazeFace.

    Raises:
        ModelError: The file is missing, altered, no `.keras` file, would run code, does not take
            and answer what its card says, or needs another face finder.
    """
    check_views(model.card)
    finder = finder or default_finder()
    check_finder(model.card, finder)
    if model.path.suffix != SUFFIX:
        raise ModelError(f"{model.path}: expected a {SUFFIX} file. Received: {model.path.name}")
    verify_model(model)
    _configure_device(threads)
    network = _load_network(model)
    size = device_batch if device_batch is not None else _choose_batch()
    if size < 1:
        raise ModelError(f"the device batch must be at least 1. Received: {size}")
    try:
        score_batch = _trace(network, size, model.card.input.side_px)
    except LOAD_ERRORS as error:
        raise ModelError(f"{model.path}: the model cannot be run: {_explain(error)}") from error
    detector = Detector(
        model.card,
        device_batch=size,
        score_batch=score_batch,
        finder=finder,
        network=network,
    )
    log.info(
        "model version %s loaded on %s, device batch %d, face finder %s",
        model.version,
        detector.device,
        size,
        finder.name if model.card.card_format > 1 else model.card.faces.finder,
    )
    return detector


def describe_device() -> str:
    """Name what TensorFlow computes on, such as `CPU (2 cores)` or `GPU (NVIDIA H200)`."""
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        names = [
            tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name)
            for gpu in gpus
        ]
        return f"GPU ({', '.join(names)})"
    return f"CPU ({len(os.sched_getaffinity(0))} cores)"


def _configure_device(threads: int | None) -> None:
    """Set threads and memory growth, which TensorFlow takes before its first operation only."""
    cv2.setNumThreads(1)
    try:
        for gpu in tf.config.list_physical_devices("GPU"):
            tf.config.experimental.set_memory_growth(gpu, True)
        if threads is not None:
            tf.config.threading.set_intra_op_parallelism_threads(threads)
            tf.config.threading.set_inter_op_parallelism_threads(threads)
    except (RuntimeError, ValueError) as error:
        log.debug("TensorFlow is running already and keeps its settings: %s", error)


def _choose_batch() -> int:
    return GPU_BATCH if tf.config.list_physical_devices("GPU") else CPU_BATCH


def _load_network(model: PublishedModel) -> Any:
    """Load the file without running anything in it, and check what goes in and comes out."""
    try:
        network = keras.models.load_model(model.path, compile=False, safe_mode=True)
    except LOAD_ERRORS as error:
        raise ModelError(
            f"{model.path}: Keras {keras.__version__} cannot load the model, written by Keras "
            f"{model.card.artefact.keras_version}: {_explain(error)}"
        ) from error
    side_px = model.card.input.side_px
    for name, received, expected in (
        ("input", getattr(network, "input_shape", None), (None, side_px, side_px, 3)),
        ("output", getattr(network, "output_shape", None), (None, 1)),
    ):
        if received != expected:
            raise ModelError(
                f"{model.path}: the model's {name} must have shape {expected}. Received: {received}"
            )
    return network


def _trace(network: Any, device_batch: int, side_px: int) -> ScoreBatch:
    """Trace the network once for one fixed shape and run it once."""
    signature = tf.TensorSpec((device_batch, side_px, side_px, 3), tf.uint8)

    @tf.function(input_signature=[signature])  # type: ignore[untyped-decorator]  # of TensorFlow
    def score(views: Any) -> Any:
        return network(tf.cast(views, tf.float32), training=False)[:, 0]

    def score_batch(views: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.asarray(score(tf.constant(views)).numpy(), dtype=np.float32)

    score_batch(np.zeros(signature.shape, dtype=np.uint8))
    return score_batch


def _explain(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]
