"""Bytes of an image, and the facts about the file they came from."""

import os
import stat
from dataclasses import dataclass
from io import RawIOBase

from fakesweep.errors import (
    ForbiddenImage,
    ImageTooLarge,
    MissingImage,
    UnreadableImage,
    UnsupportedImage,
)
from fakesweep.uri import path_of_uri

BLOCK = 1024 * 1024


@dataclass(frozen=True)
class ImageBytes:
    """One file as it was when read: mtime in seconds since 1970."""

    content: bytes
    size_bytes: int
    mtime: float


def read_image(uri: str, *, limit_bytes: int) -> ImageBytes:
    """Read one image file whole.

    Raises:
        MissingImage: There is no such file any more.
        ForbiddenImage: It may not be read.
        UnsupportedImage: The name is that of a directory, pipe or device.
        ImageTooLarge: It has more than `limit_bytes` bytes; nothing was read.
        UnreadableImage: The storage failed.
    """
    try:
        # O_NONBLOCK: opening a pipe without a writer would wait for ever.
        descriptor = os.open(path_of_uri(uri), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb", buffering=0) as stream:
            facts = os.fstat(descriptor)
            if not stat.S_ISREG(facts.st_mode):
                raise UnsupportedImage("not a regular file but a pipe or device")
            if facts.st_size > limit_bytes:
                raise ImageTooLarge(
                    f"the file has {facts.st_size:,} bytes, the limit is {limit_bytes:,}"
                    " (setting limit_bytes)"
                )
            content = _read_at_most(stream, limit_bytes, facts.st_size)
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:  # ValueError: a NUL in it
        raise MissingImage("the file was listed, but is not there any more") from error
    except IsADirectoryError as error:
        raise UnsupportedImage("not a regular file but a directory") from error
    except PermissionError as error:
        raise ForbiddenImage("this user may not read the file") from error
    except OSError as error:
        raise UnreadableImage(f"the storage failed: {error.strerror or error}") from error
    return ImageBytes(content, len(content), facts.st_mtime)


def _read_at_most(stream: RawIOBase, limit_bytes: int, size_bytes: int) -> bytes:
    """Read to the end; a file may be longer than it says, or grow meanwhile."""
    parts: list[bytes] = []
    wanted = size_bytes + 1
    while part := stream.read(wanted):
        parts.append(part)
        if sum(map(len, parts)) > limit_bytes:
            raise ImageTooLarge(
                f"the file has more than {limit_bytes:,} bytes, the limit (setting limit_bytes)"
            )
        wanted = BLOCK
    return b"".join(parts)
