"""Scores by OpenVINO, from the serving file of a published version."""

import os
from collections import deque
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detector.calibration import calibrate
from detector.compiled import COMPILE_ERRORS, compile_network, share
from detector.golden import compare_golden, golden_views
from detector.registry import PublishedModel
from fakesweep.errors import ModelError, one_line

DEVICE_BATCH = 32
SLICE = 2
"""Views of one request. What few views need while they pass through the network stays in the core's
cache: on two cores 2 are 1.1 to 2 times as fast as 32, and at most 7 % behind the best size of a network."""

REQUESTS = 2
"""Requests of each stream: while one is computed the next one waits, so that the stream need not."""


class OpenVinoEngine:
    """A compiled network: one stream for each thread, a few views in each request.

    Attributes:
        name: `openvino`.
        device: Such as `CPU (2 cores)`.
        device_batch: Views that are worth collecting for one call.
        least_batch: Views that give every stream a request.
    """

    name = "openvino"
    network = None

    def __init__(
        self, model: PublishedModel, *, device_batch: int | None, threads: int | None
    ) -> None:
        """Compile a verified serving file, and have it repeat the scores of the model's card.

        Raises:
            ModelError: The file cannot be run, or scores otherwise than the published network.
        """
        if model.serving is None:
            raise ModelError(f"model version {model.version} has no serving file")
        cores = len(os.sched_getaffinity(0))
        self.device = f"CPU ({cores} cores)"
        self.device_batch = DEVICE_BATCH if device_batch is None else device_batch
        side_px = model.card.input.side_px
        streams = threads or cores
        self.least_batch = min(SLICE * streams, self.device_batch)
        try:
            compiled = compile_network(model.serving, streams=streams, batch=SLICE)
            shapes = list(compiled.input(0).shape), list(compiled.output(0).shape)
            if shapes != ([SLICE, side_px, side_px, 3], [SLICE]):
                raise ModelError(
                    f"{model.serving}: expected input and output of the shapes"
                    f" {[SLICE, side_px, side_px, 3]} and {[SLICE]}. Received: {shapes}"
                )
            self._requests = [compiled.create_infer_request() for _ in range(REQUESTS * streams)]
            names, views = zip(*golden_views(), strict=True)
            outputs = self.score(np.stack(views))
        except COMPILE_ERRORS as error:
            raise ModelError(
                f"{model.serving}: OpenVINO cannot run the network: {one_line(error)}"
            ) from error
        slope, intercept = model.card.calibration.slope, model.card.calibration.intercept
        calibrated = calibrate(outputs, slope=slope, intercept=intercept).tolist()
        scores = dict(zip(names, calibrated, strict=True))
        expected = {golden.name: golden.score for golden in model.card.golden}
        if fault := compare_golden(scores, expected):
            raise ModelError(f"{model.serving}: OpenVINO computes another result: {fault}")

    def score(self, views: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Give the sigmoid's outputs, shape `(n,)`, for views of shape `(n, side, side, 3)`."""
        outputs = np.empty(len(views), dtype=np.float32)
        running: deque[tuple[Any, slice, NDArray[np.uint8]]] = deque()
        for number, start in enumerate(range(0, len(views), SLICE)):
            if len(running) == len(self._requests):
                _finish(*running.popleft(), outputs)
            request = self._requests[number % len(self._requests)]
            place = slice(start, min(start + SLICE, len(views)))
            part = _fill_up(views[place])
            request.set_input_tensor(share(part))
            request.start_async()
            running.append((request, place, part))
        while running:
            _finish(*running.popleft(), outputs)
        return outputs


def _fill_up(part: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Fill a short slice with black: the network was compiled for one shape."""
    if len(part) == SLICE:
        return np.ascontiguousarray(part)
    return np.concatenate([part, np.zeros((SLICE - len(part), *part.shape[1:]), np.uint8)])


def _finish(
    request: Any, place: slice, part: NDArray[np.uint8], outputs: NDArray[np.float32]
) -> None:
    """Wait for a request, whose pixels are kept until then, and take its outputs."""
    request.wait()
    outputs[place] = request.get_output_tensor(0).data[: place.stop - place.start]
