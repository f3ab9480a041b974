"""Read a list of names: from a file, a pipe or standard input, a bounded part of it at a time."""

import os
import select
import sys
from collections.abc import Iterator

from fakesweep.errors import SourceError
from fakesweep.uri import uri_of_name
from producer.sources import STDIN, printable

BLOCK = 65536
LONGEST_NAME = 3 * 4096 + 16  # bytes: the longest path, every byte percent-encoded
PATIENCE_S = 0.25
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def read_names(files_from: str, working_dir: str) -> Iterator[str | None]:
    """Give the URIs of a list, separated by NUL if its beginning holds one, else by newline.

    Relative names begin in `working_dir`; URLs and members of archives are taken too. None is given whenever a
    pipe has had nothing to read for a while.

    Raises:
        SourceError: The list cannot be read, or holds something that is no name.
    """
    shown = "on standard input" if files_from == STDIN else printable(files_from)
    try:
        descriptor = (
            os.dup(sys.stdin.fileno())
            if files_from == STDIN
            else os.open(files_from, os.O_RDONLY | os.O_CLOEXEC)
        )
    except (OSError, ValueError) as error:
        raise SourceError(f"the list of names {shown} cannot be read: {error}") from error
    try:
        for name in _split(descriptor):
            yield None if name is None else _uri(name, working_dir)
    except OSError as error:
        raise SourceError(f"the list of names {shown} cannot be read: {error}") from error
    except ValueError as error:
        raise SourceError(f"the list of names {shown}: {error}") from error
    finally:
        os.close(descriptor)


def _split(descriptor: int) -> Iterator[bytes | None]:
    """Cut a stream into names.

    Raises:
        ValueError: A name is longer than any path, or holds a NUL.
    """
    rest, separator = b"", b""
    while True:
        if not select.select([descriptor], [], [], PATIENCE_S)[0]:
            yield None
            continue
        block = os.read(descriptor, BLOCK)
        if not block:
            break
        if not separator:
            block = block.removeprefix(BYTE_ORDER_MARK)
            separator = b"\0" if b"\0" in block else b"\n"
        *names, rest = (rest + block).split(separator)
        yield from (_checked(name, separator) for name in names if name)
        _checked(rest, separator)
    if rest:
        yield _checked(rest, separator)


def _checked(name: bytes, separator: bytes) -> bytes:
    if len(name) > LONGEST_NAME:
        raise ValueError(
            f"expected names separated by newlines or NULs. Received: {len(name)} bytes without one"
        )
    if b"\0" in name:
        raise ValueError("it is separated by newlines, but later holds a NUL; use one of them")
    return name.removesuffix(b"\r") if separator == b"\n" else name  # lists made on Windows


def _uri(name: bytes, working_dir: str) -> str:
    return uri_of_name(os.fsdecode(name), working_dir)
