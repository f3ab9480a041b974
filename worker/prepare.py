"""From a file to the views that the model sees: the part of judging that threads do ahead."""

import hashlib
import logging
from dataclasses import dataclass, field

from detector.card import ModelCard
from detector.finder import Finder
from detector.image import decode_image
from detector.views import View, make_views
from fakesweep.errors import ImageError, InternalImageError
from worker.read import read_image

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Limits:
    """Above these an image is neither read nor decoded."""

    limit_px: int
    limit_bytes: int


@dataclass
class PreparedImage:
    """One image, ready to be scored, or the reason why it cannot be."""

    uri: str
    sha256: str | None = None
    size_bytes: int | None = None
    mtime: float | None = None
    width: int | None = None
    height: int | None = None
    format: str | None = None
    frames: int | None = None
    views: list[View] = field(default_factory=list)
    error: ImageError | None = None


def prepare_image(uri: str, card: ModelCard, limits: Limits, finder: Finder) -> PreparedImage:
    """Read, hash, decode and cut one image; a failure is recorded on the answer, never raised."""
    prepared = PreparedImage(uri)
    try:
        _fill(prepared, card, limits, finder)
    except ImageError as error:
        prepared.error = error
    except Exception as error:  # the one boundary: whatever an image does, its batch goes on
        log.exception("%s: unexpected failure", uri)
        prepared.error = InternalImageError(f"unexpected {type(error).__name__}: {error}")
        prepared.error.__cause__ = error
    return prepared


def _fill(prepared: PreparedImage, card: ModelCard, limits: Limits, finder: Finder) -> None:
    file = read_image(prepared.uri, limit_bytes=limits.limit_bytes)
    prepared.size_bytes, prepared.mtime = file.size_bytes, file.mtime
    prepared.sha256 = hashlib.sha256(file.content).hexdigest()
    image = decode_image(file.content, limit_px=limits.limit_px)
    prepared.width, prepared.height = image.width, image.height
    prepared.format, prepared.frames = image.format, image.frames
    prepared.views = make_views(image.pixels, card, finder)
