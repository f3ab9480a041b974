"""Bytes of an image, and the facts about the file they came from."""

import os
import stat
from dataclasses import dataclass

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
        try:
            facts = os.fstat(descriptor)
            content = _read_regular(descriptor, facts, limit_bytes)
        finally:
            os.close(descriptor)
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:  # ValueError: a NUL in it
        raise MissingImage("the file was listed, but is not there any more") from error
    except PermissionError as error:
        raise ForbiddenImage("this user may not read the file") from error
    except OSError as error:
        raise UnreadableImage(f"the storage failed: {error.strerror or error}") from error
    return ImageBytes(content, len(content), facts.st_mtime)


def _read_regular(descriptor: int, facts: os.stat_result, limit_bytes: int) -> bytes:
    if not stat.S_ISREG(facts.st_mode):
        raise UnsupportedImage("not a regular file but a directory, pipe or device")
    if facts.st_size > limit_bytes:
        raise ImageTooLarge(
            f"the file has {facts.st_size:,} bytes, the limit is {limit_bytes:,}"
            " (setting limit_bytes)"
        )
    parts: list[bytes] = []
    wanted = facts.st_size + 1
    while part := os.read(descriptor, wanted):
        parts.append(part)
        # A file may be longer than it says, or grow meanwhile.
        if sum(map(len, parts)) > limit_bytes:
            raise ImageTooLarge(
                f"the file has more than {limit_bytes:,} bytes, the limit (setting limit_bytes)"
            )
        wanted = BLOCK
    return b"".join(parts)
