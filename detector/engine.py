"""The engine's door: what computes a model's outputs on this machine.

OpenVINO runs the serving file of a published version: on processors it is the fastest that was measured
(`BENCHMARKS.md`), and it starts in half a second. TensorFlow runs the `.keras` file: on a GPU, and of every
version that has no serving file.
"""

import logging
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from detector.registry import PublishedModel
from fakesweep.errors import ModelError

AUTO, OPENVINO, TENSORFLOW = "auto", "openvino", "tensorflow"

log = logging.getLogger(__name__)


class Engine(Protocol):
    """A loaded network; used by one thread at a time."""

    @property
    def name(self) -> str:
        """`openvino` or `tensorflow`."""

    @property
    def device(self) -> str:
        """What it computes on, such as `CPU (2 cores)`."""

    @property
    def device_batch(self) -> int:
        """Views that fill the device for one call."""

    @property
    def least_batch(self) -> int:
        """Views below which a call takes as long as for so many."""

    @property
    def network(self) -> Any:
        """The Keras model, for looking into it; None of an engine that has none."""

    def score(self, views: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Give the sigmoid's outputs, shape `(n,)`, for views of shape `(n, side, side, 3)`."""


def open_engine(
    model: PublishedModel, *, wanted: str, device_batch: int | None, threads: int | None
) -> Engine:
    """Load a verified model into the fastest engine that computes it right, or into the one wanted.

    Args:
        wanted: `auto`, `openvino` or `tensorflow`.
        device_batch: Views per call of the device; None chooses for the device.
        threads: Threads that compute; None takes the cores that this process may use.

    Raises:
        ModelError: The model does not load, does not take and answer what its card says, or has no
            serving file for the engine wanted.
    """
    if wanted == TENSORFLOW or (wanted == AUTO and model.card.serving is None):
        return _open_tensorflow(model, device_batch, threads)
    if model.card.serving is None:
        raise ModelError(
            f"model version {model.version} has no serving file, which the engine openvino runs; publish"
            " the model again, or set FAKESWEEP_ENGINE to auto"
        )
    if wanted == AUTO and _may_have_gpu():
        engine = _open_tensorflow(model, device_batch, threads)
        if engine.device.startswith("GPU"):
            return engine
    from detector.openvino_engine import OpenVinoEngine

    try:
        return OpenVinoEngine(model, device_batch=device_batch, threads=threads)
    except ModelError as error:
        if wanted == OPENVINO:
            raise
        log.warning("%s; TensorFlow judges instead", error)
        return _open_tensorflow(model, device_batch, threads)


def _open_tensorflow(
    model: PublishedModel, device_batch: int | None, threads: int | None
) -> Engine:
    from detector.keras_engine import KerasEngine  # TensorFlow: only where it serves

    return KerasEngine(model, device_batch=device_batch, threads=threads)


def _may_have_gpu() -> bool:
    """Tell whether a driver shows a GPU of NVIDIA; TensorFlow would take seconds to say."""
    return Path("/dev/nvidia0").exists() or Path("/dev/dxg").exists()
