"""Score images through the very code that serves: decode, make views, score, judge.

An image is decoded once; each of its rewritings is made from those pixels. The views of many images
fill whole device batches, while threads prepare the next images.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detector.card import Calibration, ModelCard
from detector.image import decode_image
from detector.judge import judge_views
from detector.model import Detector, load_detector
from detector.registry import PublishedModel
from detector.views import View, make_views
from fakesweep.errors import ImageError
from training.load import LIMIT_PX
from training.rewrite import Rewrite

BATCHES = 4
MISSING = "missing"


@dataclass(frozen=True)
class ScoredFile:
    """What a file tells without its pixels; `error` is the code of why it could not be decoded."""

    width: int = 0
    height: int = 0
    size_bytes: int = 0
    sha256: str = ""
    error: str | None = None


@dataclass(frozen=True)
class Judged:
    """What the serving code answers, image by image.

    Attributes:
        raw: Scores before any calibration, shape `(n,)`; NaN where an image has none.
        reasons: Why an image has no score (`no_face`, `face_too_small`, an error code), else None.
    """

    raw: NDArray[np.float64]
    reasons: list[str | None]


@dataclass(frozen=True)
class _Prepared:
    file: ScoredFile
    views: dict[str, list[View]]


def open_raw(model: PublishedModel, *, threads: int | None = None) -> Detector:
    """Load a model as a worker would, but uncalibrated.

    Platt's map is affine on the log-odds and so is their mean over views: calibrating the aggregated
    score afterwards gives what calibrating every view gives.

    Raises:
        ModelError: The file is no model that the detector can load.
    """
    return load_detector(replace(model, card=uncalibrated(model.card)), threads=threads)


def uncalibrated(card: ModelCard) -> ModelCard:
    """Return the card without its calibration, and without the calibrated golden scores."""
    return card.model_copy(update={"calibration": Calibration(method="none"), "golden": []})


def score_images(
    detector: Detector,
    paths: Sequence[Path],
    rewrites: Mapping[str, Rewrite],
    *,
    numbers: Sequence[int] | None = None,
    threads: int = 2,
    on_scored: Callable[[int, int], None] | None = None,
) -> tuple[dict[str, Judged], list[ScoredFile]]:
    """Score each rewriting of each image.

    Args:
        detector: Loaded by `open_raw`.
        rewrites: By name; each takes the decoded pixels and the image's number.
        numbers: What seeds the rewriting of each image; its position by default.
        on_scored: Gets the images scored so far and all.

    Returns:
        For each rewriting its answers, in the order of the paths; and the facts of the files.
    """
    seeds = list(range(len(paths))) if numbers is None else list(numbers)
    found: dict[str, list[tuple[float, str | None]]] = {name: [] for name in rewrites}
    files: list[ScoredFile] = []
    for part in _prepare_ahead(detector, paths, seeds, rewrites, threads):
        views = [view for image in part for made in image.views.values() for view in made]
        pixels = [view.pixels for view in views]
        scores = iter(detector.score_views(np.stack(pixels)).tolist() if pixels else [])
        for image in part:
            files.append(image.file)
            for name in rewrites:
                made = image.views[name]
                answer = _judge(made, [next(scores) for _ in made], detector.card, image.file.error)
                found[name].append(answer)
        if on_scored is not None:
            on_scored(len(files), len(paths))
    judged = {
        name: Judged(
            np.array([score for score, _ in answers], dtype=np.float64),
            [reason for _, reason in answers],
        )
        for name, answers in found.items()
    }
    return judged, files


def _prepare_ahead(
    detector: Detector,
    paths: Sequence[Path],
    numbers: Sequence[int],
    rewrites: Mapping[str, Rewrite],
    threads: int,
) -> Iterator[list[_Prepared]]:
    """Yield some prepared images after another, the next ones being prepared meanwhile."""
    size = max(16, BATCHES * detector.device_batch // max(1, len(rewrites)))
    waiting: list[list[Future[_Prepared]]] = []
    with ThreadPoolExecutor(threads) as pool:
        for start in range(0, len(paths), size):
            waiting.append(
                [
                    pool.submit(_prepare, path, number, rewrites, detector.card)
                    for path, number in zip(
                        paths[start : start + size], numbers[start : start + size], strict=True
                    )
                ]
            )
            if len(waiting) == 2:
                yield [future.result() for future in waiting.pop(0)]
        for futures in waiting:
            yield [future.result() for future in futures]


def _prepare(
    path: Path, number: int, rewrites: Mapping[str, Rewrite], card: ModelCard
) -> _Prepared:
    nothing: dict[str, list[View]] = {name: [] for name in rewrites}
    try:
        content = path.read_bytes()
        image = decode_image(content, limit_px=LIMIT_PX)
    except ImageError as error:
        return _Prepared(ScoredFile(error=error.code), nothing)
    except OSError:
        return _Prepared(ScoredFile(error=MISSING), nothing)
    file = ScoredFile(image.width, image.height, len(content), hashlib.sha256(content).hexdigest())
    views = {
        name: make_views(rewrite(image.pixels, number), card) for name, rewrite in rewrites.items()
    }
    return _Prepared(file, views)


def _judge(
    views: Sequence[View], scores: Sequence[float], card: ModelCard, error: str | None
) -> tuple[float, str | None]:
    if error is not None:
        return float("nan"), error
    judgement = judge_views(views, scores, card)
    if judgement.score is None:
        return float("nan"), judgement.reason or judgement.verdict
    return judgement.score, None
