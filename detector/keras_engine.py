"""Keras's door: scores by TensorFlow, from the `.keras` file of a published version."""

import logging
import os
import zipfile
from collections.abc import Callable
from typing import Any

import keras  # type: ignore[import-untyped]  # ships no annotations
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from detector.registry import PublishedModel
from fakesweep.errors import ModelError, one_line

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


class KerasEngine:
    """A Keras network, traced once for one shape; shorter calls are padded.

    Attributes:
        name: `tensorflow`.
        device: What it computes on.
        device_batch: Views per call of the device.
        least_batch: As many; fewer are padded.
        network: The Keras model itself, for looking into it.
    """

    name = "tensorflow"

    def __init__(
        self, model: PublishedModel, *, device_batch: int | None, threads: int | None
    ) -> None:
        """Load a verified file and run it once.

        Args:
            threads: Only the first load of a process can set them.

        Raises:
            ModelError: It is no `.keras` file, would run code, or does not take and answer what its
                card says.
        """
        if model.path.suffix != SUFFIX:
            raise ModelError(f"{model.path}: expected a {SUFFIX} file. Received: {model.path.name}")
        _configure_device(threads)
        self.network = _load_network(model)
        self.device = describe_device()
        self.device_batch = _choose_batch() if device_batch is None else device_batch
        self.least_batch = self.device_batch
        try:
            self._score_batch = _trace(self.network, self.device_batch, model.card.input.side_px)
        except LOAD_ERRORS as error:
            raise ModelError(f"{model.path}: the model cannot be run: {one_line(error)}") from error

    def score(self, views: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Give the sigmoid's outputs, shape `(n,)`, for views of shape `(n, side, side, 3)`."""
        outputs = np.empty(len(views), dtype=np.float32)
        for start in range(0, len(views), self.device_batch):
            batch = views[start : start + self.device_batch]
            outputs[start : start + len(batch)] = self._score_batch(self._pad(batch))[: len(batch)]
        return outputs

    def _pad(self, batch: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Fill a short batch with black: another shape would make TensorFlow trace anew."""
        if len(batch) == self.device_batch:
            return batch
        padded = np.zeros((self.device_batch, *batch.shape[1:]), dtype=np.uint8)
        padded[: len(batch)] = batch
        return padded


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
            f"{model.card.artefact.keras_version}: {one_line(error)}"
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
