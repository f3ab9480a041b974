"""Read local files, and nothing that only looks like one."""

import os
import stat

from fakesweep.errors import (
    ForbiddenImage,
    ImageTooLarge,
    MissingImage,
    UnreadableImage,
    UnsupportedImage,
)

BLOCK = 1024 * 1024


def read_file(path: str, *, limit_bytes: int) -> tuple[bytes, os.stat_result]:
    """Read one file whole, with the facts about it.

    Raises:
        MissingImage: There is no such file any more.
        ForbiddenImage: It may not be read.
        UnsupportedImage: The name is that of a directory, pipe or device.
        ImageTooLarge: It has more than `limit_bytes` bytes; nothing was read.
        UnreadableImage: The storage failed.
    """
    descriptor, facts = open_regular(path)
    try:
        return _read_regular(descriptor, facts, limit_bytes), facts
    except OSError as error:
        raise UnreadableImage(f"the storage failed: {error.strerror or error}") from error
    finally:
        os.close(descriptor)


def open_regular(path: str) -> tuple[int, os.stat_result]:
    """Open a regular file for reading and give its descriptor; raises what `read_file` does."""
    try:
        # O_NONBLOCK: opening a pipe without a writer would wait for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:  # ValueError: a NUL in it
        raise MissingImage("the file was listed, but is not there any more") from error
    except PermissionError as error:
        raise ForbiddenImage("this user may not read the file") from error
    except OSError as error:
        raise UnreadableImage(f"the storage failed: {error.strerror or error}") from error
    facts = os.fstat(descriptor)
    if not stat.S_ISREG(facts.st_mode):
        os.close(descriptor)
        raise UnsupportedImage("not a regular file but a directory, pipe or device")
    return descriptor, facts


def _read_regular(descriptor: int, facts: os.stat_result, limit_bytes: int) -> bytes:
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
