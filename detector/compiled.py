"""OpenVINO's door: a network in a `.tflite` file, compiled for the processor.

Every stream is a thread of its own with its own memory, and computes one request at a time. Nothing else
imports OpenVINO: merely imported it tells its maker over the network, unless what it tells with is not to be had.
"""

import sys
from functools import cache
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]  # cannot be imported any more

import openvino  # noqa: E402  (after it is kept from telling)

FULL_PRECISION = "f32"
"""Left to itself OpenVINO computes with 8 bits of mantissa wherever the processor has such
instructions: another score on every kind of machine, and no faster on those without tiles (AMX)."""

COMPILE_ERRORS = (RuntimeError, ValueError, TypeError)
"""What OpenVINO raises on a file that it cannot read or run."""


def compile_network(path: Path, *, streams: int, batch: int | None = None) -> Any:
    """Read a network and compile it.

    Args:
        streams: Requests computed at a time, each by one thread.
        batch: Pictures of one request; None leaves the shape as the file has it.

    Returns:
        An `openvino.CompiledModel`.
    """
    network = _core().read_model(path)
    if batch is not None:
        network.reshape([batch, *list(network.input(0).partial_shape)[1:]])
    return _core().compile_model(
        network,
        "CPU",
        {
            "INFERENCE_NUM_THREADS": streams,
            "NUM_STREAMS": streams,
            "INFERENCE_PRECISION_HINT": FULL_PRECISION,
            "ENABLE_CPU_PINNING": False,  # other threads and other workers want the cores, too
        },
    )


def share(values: NDArray[Any]) -> Any:
    """Give an `openvino.Tensor` over an array's own memory; the array must live as long."""
    return openvino.Tensor(values, shared_memory=True)


@cache
def _core() -> Any:
    return openvino.Core()
