"""A published model, verified, loaded and ready to score views. Imports no engine by itself."""

import logging

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.calibration import calibrate
from detector.engine import AUTO, Engine, open_engine
from detector.finder import Finder, default_finder
from detector.registry import PublishedModel, verify_model
from detector.views import check_finder, check_views
from fakesweep.errors import ModelError

log = logging.getLogger(__name__)


class Detector:
    """A loaded model that scores views.

    Attributes:
        version: The model version, as every verdict names it.
        card: The model card.
        engine: What computes it.
        finder: What finds the faces that it judges.
    """

    def __init__(self, model: PublishedModel, engine: Engine, finder: Finder) -> None:
        """Hold what is loaded; use `load_detector`."""
        self.version = model.version
        self.card = model.card
        self.engine = engine
        self.finder = finder

    @property
    def device(self) -> str:
        """What it computes on."""
        return self.engine.device

    @property
    def device_batch(self) -> int:
        """Views that fill the device for one call."""
        return self.engine.device_batch

    @property
    def least_batch(self) -> int:
        """Views below which a call takes the device as long as for so many."""
        return self.engine.least_batch

    def score_views(self, views: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Score any number of views.

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
        calibration = self.card.calibration
        return calibrate(
            self.engine.score(views), slope=calibration.slope, intercept=calibration.intercept
        )


def load_detector(
    model: PublishedModel,
    *,
    device_batch: int | None = None,
    threads: int | None = None,
    finder: Finder | None = None,
    engine: str = AUTO,
) -> Detector:
    """Verify, load and warm up a published model.

    Args:
        device_batch: Views per call of the device; None chooses for the device.
        threads: Threads that compute; None takes the cores that this process may use. OpenCV is
            always kept to one, since images are decoded on several threads already.
        finder: What finds the faces; None takes BlazeFace.
        engine: `auto`, `openvino` or `tensorflow`.

    Raises:
        ModelError: A file is missing, altered or no model, would run code, does not take and answer
            what its card says, or needs another face finder.
    """
    check_views(model.card)
    finder = finder or default_finder()
    check_finder(model.card, finder)
    if device_batch is not None and device_batch < 1:
        raise ModelError(f"the device batch must be at least 1. Received: {device_batch}")
    verify_model(model)
    cv2.setNumThreads(1)
    opened = open_engine(model, wanted=engine, device_batch=device_batch, threads=threads)
    log.info(
        "model version %s loaded into %s on %s, device batch %d, face finder %s",
        model.version,
        opened.name,
        opened.device,
        opened.device_batch,
        finder.name if model.card.card_format > 1 else model.card.faces.finder,
    )
    return Detector(model, opened, finder)
