"""Decode the training images once, through the code that serves, into one array on disk.

A run decodes each image a single time: `views.u8` holds `(n, side, side, 3)` uint8 views, and
`views.json` says of which files. A resumed run finds both and decodes nothing.
"""

import hashlib
import json
import logging
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detector.image import DecodedImage, decode_image
from detector.views import whole_view
from fakesweep.errors import ImageError, TrainingError
from training.files import write_text
from training.images import LabelledImage

log = logging.getLogger(__name__)

LIMIT_PX = 100_000_000
SIDE_PX = 224
SLICE = 256


@dataclass(frozen=True)
class FileFacts:
    """What a file tells without its pixels; `error` says why it could not be decoded."""

    width: int
    height: int
    size_bytes: int
    format: str
    sha256: str
    error: str | None = None


@dataclass(frozen=True)
class LoadedViews:
    """Views of all images in data-set order, `(n, side, side, 3)` uint8.

    Rows of unreadable images are black.
    """

    views: NDArray[np.uint8]
    facts: list[FileFacts]

    @property
    def readable(self) -> NDArray[np.bool_]:
        """Tell which rows hold an image, shape `(n,)`."""
        return np.array([facts.error is None for facts in self.facts], dtype=bool)


def load_views(
    images: Sequence[LabelledImage],
    folder: Path,
    *,
    side_px: int = SIDE_PX,
    threads: int = 2,
    progress: Callable[[int, int], None] | None = None,
) -> LoadedViews:
    """Decode all images into `folder`, or take up what an earlier run left there.

    Raises:
        TrainingError: More than half of the images cannot be decoded, or the disk is full.
    """
    array, index = folder / "views.u8", folder / "views.json"
    shape = (len(images), side_px, side_px, 3)
    fingerprint = _fingerprint(images, side_px)
    facts = _read_index(index, array, fingerprint, shape)
    if facts is None:
        facts = _decode_all(images, array, shape, threads, progress)
        record = {"fingerprint": fingerprint, "facts": [asdict(fact) for fact in facts]}
        write_text(index, json.dumps(record))
    _check_readable(images, facts)
    return LoadedViews(np.memmap(array, dtype=np.uint8, mode="r", shape=shape), facts)


def decode_file(path: Path) -> tuple[DecodedImage, bytes]:
    """Read and decode one file.

    Raises:
        ImageError: The file is no image that the detector reads.
        OSError: The file cannot be read.
    """
    content = path.read_bytes()
    return decode_image(content, limit_px=LIMIT_PX), content


def _decode_all(
    images: Sequence[LabelledImage],
    array: Path,
    shape: tuple[int, int, int, int],
    threads: int,
    progress: Callable[[int, int], None] | None,
) -> list[FileFacts]:
    facts: list[FileFacts] = []
    try:
        with array.open("wb") as stream:
            os.posix_fallocate(stream.fileno(), 0, int(np.prod(shape)))
        views = np.memmap(array, dtype=np.uint8, mode="r+", shape=shape)
        with ThreadPoolExecutor(threads) as pool:
            for start in range(0, len(images), SLICE):
                paths = [image.path for image in images[start : start + SLICE]]
                for offset, (view, fact) in enumerate(
                    pool.map(lambda path: _decode_one(path, shape[1]), paths)
                ):
                    views[start + offset] = view
                    facts.append(fact)
                if progress is not None:
                    progress(len(facts), len(images))
        views.flush()
    except OSError as error:
        array.unlink(missing_ok=True)
        raise TrainingError(f"cannot write the views to {array}: {error}") from error
    return facts


def _decode_one(path: Path, side_px: int) -> tuple[NDArray[np.uint8], FileFacts]:
    try:
        image, content = decode_file(path)
    except (ImageError, OSError) as error:
        black = np.zeros((side_px, side_px, 3), dtype=np.uint8)
        return black, FileFacts(0, 0, 0, "", "", error=f"{path}: {error}")
    facts = FileFacts(
        width=image.width,
        height=image.height,
        size_bytes=len(content),
        format=image.format,
        sha256=hashlib.sha256(content).hexdigest(),
    )
    return whole_view(image.pixels, side_px), facts


def _fingerprint(images: Sequence[LabelledImage], side_px: int) -> str:
    digest = hashlib.sha256(str(side_px).encode())
    for image in images:
        try:
            stat = image.path.stat()
            digest.update(f"{image.path}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode())
        except OSError:
            digest.update(f"{image.path}\0missing\n".encode())
    return digest.hexdigest()


def _read_index(
    index: Path, array: Path, fingerprint: str, shape: tuple[int, ...]
) -> list[FileFacts] | None:
    if not index.is_file() or not array.is_file() or array.stat().st_size != np.prod(shape):
        return None
    record = json.loads(index.read_text())
    if record["fingerprint"] != fingerprint:
        log.info("%s is of other files: decoding again", array)
        return None
    return [FileFacts(**fact) for fact in record["facts"]]


def _check_readable(images: Sequence[LabelledImage], facts: Sequence[FileFacts]) -> None:
    errors = [fact.error for fact in facts if fact.error is not None]
    if 2 * len(errors) > len(images):
        raise TrainingError(
            f"{len(errors)} of {len(images)} training images cannot be read; the first: {errors[0]}"
        )
