"""Judge the images of one batch: threads prepare ahead while the device scores."""

import json
import math
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from db.batches import ImageOutcome, Seconds
from detector.judge import judge_views
from fakesweep.errors import InternalImageError
from worker.ahead import prepare_ahead
from worker.prepare import PreparedImage
from worker.threads import ImageThreads

if TYPE_CHECKING:
    from detector.model import Detector

KnownContents = Callable[[list[str]], dict[str, ImageOutcome]]


def judge_images(
    uris: Iterable[str],
    detector: "Detector",
    *,
    threads: ImageThreads,
    known: KnownContents | None,
    progress: Callable[[], None],
    seconds: Seconds | None = None,
) -> Iterator[ImageOutcome]:
    """Give one outcome for each image, in order.

    Args:
        uris: The images of a batch, each once.
        detector: The loaded model version that judges.
        threads: Read, decode and cut images.
        known: Finds outcomes of identical bytes; their verdicts are taken over without inference.
            None: every image is judged by itself.
        progress: Called whenever an image is prepared or a device batch is scored.
        seconds: What reading, decoding and scoring take is added to it.
    """
    judging = _Judging(detector, known, seconds or Seconds())

    def start(uri: str) -> Future[PreparedImage]:
        return threads.start(uri, detector.card, detector.finder)

    prepared = prepare_ahead(
        uris,
        start,
        least_batch=detector.least_batch,
        device_batch=detector.device_batch,
        progress=progress,
    )
    # Closed at once, also by an interrupt: else threads that are ended would still be given images.
    with closing(prepared), ThreadPoolExecutor(1, thread_name_prefix="score") as device:
        for group in _one_behind(judging.begin(images, device) for images in prepared):
            yield from judging.end(group)
            progress()


@dataclass(frozen=True)
class _Group:
    """Images that are scored together."""

    images: list[PreparedImage]
    to_score: list[PreparedImage]
    scores: Future[list[float]]


def _one_behind(groups: Iterable[_Group]) -> Iterator[_Group]:
    """Give each group once the next has begun: the device does not wait for what is done with scores."""
    last: _Group | None = None
    for group in groups:
        if last is not None:
            yield last
        last = group
    if last is not None:
        yield last


class _Judging:
    """Judges one batch, group after group."""

    def __init__(self, detector: "Detector", known: KnownContents | None, spent: Seconds) -> None:
        self.detector = detector
        self.known = known
        self.spent = spent
        self.of_content: dict[str, ImageOutcome] = {}
        self.begun: set[str] = set()  # contents that are scored, or were

    def begin(self, images: list[PreparedImage], device: Executor) -> _Group:
        """Choose what must be scored, and let the device begin."""
        self.spent.read_s += sum(image.read_s for image in images)
        self.spent.decode_s += sum(image.decode_s for image in images)
        to_score = self._choose([image for image in images if image.error is None])
        views = [view.pixels for image in to_score for view in image.views]
        stacked = np.stack(views) if views else None
        return _Group(images, to_score, device.submit(self._score, stacked))

    def end(self, group: _Group) -> Iterator[ImageOutcome]:
        """Give the outcomes of a group, in order, once its scores are there."""
        judged = dict(self._judge(group))
        for image in group.images:
            if image.error is not None:
                yield _facts(image)._replace(
                    status="failed",
                    error_code=image.error.code,
                    error_message=str(image.error).replace("\0", ""),
                )
            elif image.uri in judged:
                yield judged[image.uri]
            else:
                outcome = self.of_content[str(image.sha256)]
                yield outcome._replace(
                    uri=image.uri, mtime=image.mtime, etag=image.etag, reused=True
                )

    def _choose(self, readable: list[PreparedImage]) -> list[PreparedImage]:
        """Leave out contents with a verdict; of the others take one image each, its copies share its verdict."""
        if self.known is None:
            return readable
        contents: dict[str, PreparedImage] = {}
        for image in readable:
            contents.setdefault(str(image.sha256), image)
        new = sorted(contents.keys() - self.begun - self.of_content.keys())
        if new:
            self.of_content.update(self.known(new))
        to_score = [
            image
            for content, image in contents.items()
            if content not in self.begun and content not in self.of_content
        ]
        self.begun.update(str(image.sha256) for image in to_score)
        return to_score

    def _score(self, views: NDArray[np.uint8] | None) -> list[float]:
        """Run in the thread of the device."""
        if views is None:
            return []
        began = time.monotonic()
        scores: list[float] = self.detector.score_views(views).tolist()
        self.spent.score_s += time.monotonic() - began
        return scores

    def _judge(self, group: _Group) -> Iterator[tuple[str, ImageOutcome]]:
        scores = iter(group.scores.result())
        for image in group.to_score:
            outcome = self._outcome(image, list(islice(scores, len(image.views))))
            if self.known is not None:
                self.of_content[str(image.sha256)] = outcome
            yield image.uri, outcome

    def _outcome(self, image: PreparedImage, scores: list[float]) -> ImageOutcome:
        if not all(map(math.isfinite, scores)):
            return _facts(image)._replace(
                status="failed",
                error_code=InternalImageError.code,
                error_message=f"model version {self.detector.version} gave no number for this image",
            )
        judgement = judge_views(image.views, scores, self.detector.card)
        return _facts(image)._replace(
            status="done",
            verdict=judgement.verdict,
            score=judgement.score,
            faces=json.dumps(judgement.faces),
            reason=judgement.reason,
        )


def _facts(image: PreparedImage) -> ImageOutcome:
    return ImageOutcome(
        uri=image.uri,
        status="running",
        sha256=image.sha256,
        size_bytes=image.size_bytes,
        mtime=image.mtime,
        etag=image.etag,
        width=image.width,
        height=image.height,
        format=image.format,
        frames=image.frames,
    )
