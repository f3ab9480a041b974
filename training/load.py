"""Look at every training image once: is it readable, what does its file tell, where is its face.

A run keeps what was found in `images.json`; a resumed run reads it and looks at nothing again. The
pixels are decoded anew for each pass, since every pass needs them at their own resolution.
"""

import hashlib
import json
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detector.crops import Box
from detector.faces import FaceFinder
from detector.image import decode_image
from fakesweep.errors import ImageError, TrainingError
from training.files import write_text
from training.images import LabelledImage
from training.split import difference_hash

log = logging.getLogger(__name__)

LIMIT_PX = 100_000_000
SIDE_PX = 224
INDEX = "images.json"
SLICE = 256


@dataclass(frozen=True)
class ImageFacts:
    """What was found in one file; `error` says why it could not be decoded.

    `box` is that of the largest face, None where none was found; `difference_hash` is 64 bits.
    """

    width: int = 0
    height: int = 0
    size_bytes: int = 0
    format: str = ""
    sha256: str = ""
    difference_hash: int = 0
    box: Box | None = None
    error: str | None = None


def load_facts(
    images: Sequence[LabelledImage],
    folder: Path,
    *,
    threads: int = 2,
    progress: Callable[[int, int], None] | None = None,
) -> list[ImageFacts]:
    """Look at all images, or take up what an earlier run left in `folder`.

    Raises:
        TrainingError: More than half of the images cannot be decoded, or the disk is full.
    """
    index, fingerprint = folder / INDEX, _fingerprint(images)
    facts = _read_index(index, fingerprint)
    if facts is None:
        facts = _look_at_all(images, threads, progress)
        record = {"fingerprint": fingerprint, "facts": [asdict(fact) for fact in facts]}
        try:
            write_text(index, json.dumps(record))
        except OSError as error:
            raise TrainingError(f"cannot write {index}: {error}") from error
    _check_readable(images, facts)
    return facts


def decode_file(path: Path) -> NDArray[np.uint8]:
    """Read and decode one file: RGB, shape `(height, width, 3)`, uint8, upright.

    Raises:
        ImageError: The file is no image that the detector reads.
        OSError: The file cannot be read.
    """
    return decode_image(path.read_bytes(), limit_px=LIMIT_PX).pixels


def _look_at_all(
    images: Sequence[LabelledImage],
    threads: int,
    progress: Callable[[int, int], None] | None,
) -> list[ImageFacts]:
    finder = FaceFinder()
    facts: list[ImageFacts] = []
    with ThreadPoolExecutor(threads) as pool:
        for start in range(0, len(images), SLICE):
            paths = [image.path for image in images[start : start + SLICE]]
            facts += pool.map(lambda path: _look_at(path, finder), paths)
            if progress is not None:
                progress(len(facts), len(images))
    return facts


def _look_at(path: Path, finder: FaceFinder) -> ImageFacts:
    try:
        content = path.read_bytes()
        image = decode_image(content, limit_px=LIMIT_PX)
    except (ImageError, OSError) as error:
        return ImageFacts(error=f"{path}: {error}")
    faces = finder.find(image.pixels)
    return ImageFacts(
        width=image.width,
        height=image.height,
        size_bytes=len(content),
        format=image.format,
        sha256=hashlib.sha256(content).hexdigest(),
        difference_hash=difference_hash(image.pixels),
        box=faces[0].box if faces else None,
    )


def _fingerprint(images: Sequence[LabelledImage]) -> str:
    digest = hashlib.sha256()
    for image in images:
        try:
            stat = image.path.stat()
            digest.update(f"{image.path}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode())
        except OSError:
            digest.update(f"{image.path}\0missing\n".encode())
    return digest.hexdigest()


def _read_index(index: Path, fingerprint: str) -> list[ImageFacts] | None:
    if not index.is_file():
        return None
    record = json.loads(index.read_text())
    if record["fingerprint"] != fingerprint:
        log.info("%s is of other files: looking at them again", index)
        return None
    return [
        ImageFacts(**{**fact, "box": tuple(fact["box"]) if fact["box"] else None})
        for fact in record["facts"]
    ]


def _check_readable(images: Sequence[LabelledImage], facts: Sequence[ImageFacts]) -> None:
    errors = [fact.error for fact in facts if fact.error is not None]
    if 2 * len(errors) > len(images):
        raise TrainingError(
            f"{len(errors)} of {len(images)} training images cannot be read; the first: {errors[0]}"
        )
