"""Judge the images of one batch: threads prepare ahead while the device scores."""

import json
import math
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

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
    spent = seconds or Seconds()
    for group in _groups(_prepared(uris, detector, threads, progress), detector.device_batch):
        spent.read_s += sum(image.read_s for image in group)
        spent.decode_s += sum(image.decode_s for image in group)
        began = time.monotonic()
        judged = list(_judge_group(group, detector, known))
        spent.score_s += time.monotonic() - began
        yield from judged
        progress()


def _prepared(
    uris: Iterable[str],
    detector: "Detector",
    threads: ImageThreads,
    progress: Callable[[], None],
) -> Iterator[PreparedImage]:
    """Give the prepared images in order."""

    def start(uri: str) -> Future[PreparedImage]:
        return threads.start(uri, detector.card, detector.finder)

    for image in prepare_ahead(uris, start, device_batch=detector.device_batch):
        progress()
        yield image


def _groups(images: Iterable[PreparedImage], views: int) -> Iterator[list[PreparedImage]]:
    """Collect images until their views fill a device batch."""
    group: list[PreparedImage] = []
    filled = 0
    for image in images:
        group.append(image)
        filled += len(image.views)
        if filled >= views:
            yield group
            group, filled = [], 0
    if group:
        yield group


def _judge_group(
    group: list[PreparedImage], detector: "Detector", known: KnownContents | None
) -> Iterator[ImageOutcome]:
    readable = [image for image in group if image.error is None]
    hashes = sorted({str(image.sha256) for image in readable})
    earlier = known(hashes) if known and hashes else {}
    to_score = [image for image in readable if image.sha256 not in earlier]
    if known:  # one image of each content; its copies in the group take over its verdict
        first_of: dict[str | None, PreparedImage] = {}
        for image in to_score:
            first_of.setdefault(image.sha256, image)
        to_score = list(first_of.values())
    judged = dict(zip((image.uri for image in to_score), _score(to_score, detector), strict=True))
    by_content = earlier | {str(outcome.sha256): outcome for outcome in judged.values()}
    for image in group:
        if image.error is not None:
            yield replace(
                _facts(image),
                status="failed",
                error_code=image.error.code,
                error_message=str(image.error).replace("\0", ""),
            )
        elif image.uri in judged:
            yield judged[image.uri]
        else:
            outcome = by_content[str(image.sha256)]
            yield replace(outcome, uri=image.uri, mtime=image.mtime, etag=image.etag, reused=True)


def _score(images: list[PreparedImage], detector: "Detector") -> Iterator[ImageOutcome]:
    views = [view.pixels for image in images for view in image.views]
    scores: Iterator[float] = iter(detector.score_views(np.stack(views)) if views else ())
    for image in images:
        mine = [float(score) for score in islice(scores, len(image.views))]
        if not all(map(math.isfinite, mine)):
            yield replace(
                _facts(image),
                status="failed",
                error_code=InternalImageError.code,
                error_message=f"model version {detector.version} gave no number for this image",
            )
            continue
        judgement = judge_views(image.views, mine, detector.card)
        yield replace(
            _facts(image),
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
