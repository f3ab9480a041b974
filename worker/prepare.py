"""From a file to the views that the model sees: the part of judging that threads do ahead."""

import hashlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from detector.card import ModelCard
from detector.finder import Finder
from detector.image import decode_image
from detector.views import View, make_views
from fakesweep.errors import ImageError, InternalImageError
from worker.read import ImageBytes

log = logging.getLogger(__name__)


@dataclass
class PreparedImage:
    """One image, ready to be scored, or the reason why it cannot be."""

    uri: str
    sha256: str | None = None
    size_bytes: int | None = None
    mtime: float | None = None
    etag: str | None = None
    width: int | None = None
    height: int | None = None
    format: str | None = None
    frames: int | None = None
    views: list[View] = field(default_factory=list)
    error: ImageError | None = None
    read_s: float = 0.0
    decode_s: float = 0.0  # faces and views included


def prepare_image(
    uri: str,
    read: Callable[[], ImageBytes],
    card: ModelCard,
    *,
    limit_px: int,
    finder: Finder,
) -> PreparedImage:
    """Read, hash, decode and cut one image; a failure is recorded on the answer, never raised."""
    prepared = PreparedImage(uri)
    began = time.monotonic()
    try:
        file = read()
        prepared.read_s = time.monotonic() - began
        prepared.size_bytes, prepared.mtime, prepared.etag = file.size_bytes, file.mtime, file.etag
        prepared.sha256 = hashlib.sha256(file.content).hexdigest()
        image = decode_image(file.content, limit_px=limit_px)
        prepared.width, prepared.height = image.width, image.height
        prepared.format, prepared.frames = image.format, image.frames
        prepared.views = make_views(image.pixels, card, finder)
    except ImageError as error:
        prepared.error = error
    except Exception as error:  # the one boundary: whatever an image does, its batch goes on
        log.exception("%s: unexpected failure", uri)
        prepared.error = InternalImageError(f"unexpected {type(error).__name__}: {error}")
        prepared.error.__cause__ = error
    prepared.decode_s = time.monotonic() - began - prepared.read_s
    return prepared
