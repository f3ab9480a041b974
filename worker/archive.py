"""What an archive is to whoever reads it: members by name, within limits.

Nothing is ever unpacked by a name that an archive holds.
"""

import gzip
import lzma
import tarfile
import zipfile
import zlib
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import IO, Protocol

import zstandard

from fakesweep.errors import ImageError, ImageTooLarge

RATIO_COUNTS_FROM = (
    256 * 1024 * 1024
)  # below it any ratio will do: a picture of one colour has a high one
BROKEN = (
    EOFError,
    lzma.LZMAError,
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    zstandard.ZstdError,
    gzip.BadGzipFile,
    ValueError,
    OverflowError,
)
"""What the libraries raise for archives that are damaged."""


@dataclass(frozen=True)
class ArchiveLimits:
    """Above these an archive is not opened.

    Attributes:
        members: Most members.
        unpacked_bytes: Most bytes of all members together.
        ratio: Most bytes unpacked from one byte, once more than 256 MiB come out.
        depth: Most archives inside each other; 1: no archive inside an archive.
    """

    members: int
    unpacked_bytes: int
    ratio: int
    depth: int

    def check_size(self, unpacked: int, packed: int) -> None:
        """Refuse an archive that unpacks to too much.

        Raises:
            ImageTooLarge: It does.
        """
        if unpacked > self.unpacked_bytes:
            raise ImageTooLarge(
                f"the archive unpacks to {unpacked:,} bytes or more, the limit is"
                f" {self.unpacked_bytes:,} (setting archive_bytes)"
            )
        if unpacked > RATIO_COUNTS_FROM and unpacked > self.ratio * packed:
            raise ImageTooLarge(
                f"the archive unpacks {packed:,} bytes to {unpacked:,} or more; expected at most"
                f" {self.ratio} times as many (setting archive_ratio)"
            )

    def check_members(self, count: int) -> None:
        """Refuse an archive of too many members.

        Raises:
            ImageTooLarge: It has more.
        """
        if count > self.members:
            raise ImageTooLarge(
                f"the archive has more than {self.members:,} members (setting archive_members)"
            )


@dataclass(frozen=True)
class Member:
    """A file inside an archive; `mtime` in seconds since 1970, `etag` names its content."""

    name: str
    size_bytes: int
    mtime: float | None
    etag: str | None


class Archive(Protocol):
    """An open archive.

    Attributes:
        members: Its files by name; of several of one name the last, as unpacking would leave it.
        fault: What ended the list of members early; None: it is complete.
    """

    members: dict[str, Member]
    fault: ImageError | None

    def stream(self, name: str) -> AbstractContextManager[IO[bytes]]:
        """Give the bytes of a member to read; raises an ImageError that says why it cannot."""

    def close(self) -> None:
        """Let go of the file."""


def read_member(archive: Archive, name: str, limit_bytes: int) -> bytes:
    """Read a member whole.

    Raises:
        ImageTooLarge: It has more than `limit_bytes` bytes; no more than these were unpacked.
        EncryptedImage, MissingImage, UnreadableImage, UnsupportedImage: It cannot be read.
    """
    member = archive.members.get(name)
    if member is not None:
        check_member(member.size_bytes, limit_bytes)
    with archive.stream(name) as stream:
        content = stream.read(limit_bytes + 1)
    check_member(len(content), limit_bytes)
    return content


def member_name(name: str) -> str:
    """Give a member the name by which it is told: text, without `./` or `/` before it."""
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    while text.startswith(("./", "/")):
        text = text.removeprefix(".").removeprefix("/")
    return text.replace("\0", "\\x00")


def check_member(size: int, limit_bytes: int) -> None:
    """Refuse a member above the limit.

    Raises:
        ImageTooLarge: It is.
    """
    if size > limit_bytes:
        raise ImageTooLarge(
            f"the member has {size:,} bytes or more, the limit is {limit_bytes:,}"
            " (setting limit_bytes)"
        )
