"""Tar archives, also compressed by gzip, bzip2, xz or Zstandard.

A compressed one is unpacked once into a nameless temporary file; from there members are read at their
places, as from a plain one.
"""

import bz2
import gzip
import lzma
import os
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BufferedReader, RawIOBase
from typing import IO, Any

import zstandard

from fakesweep.errors import ImageError, MissingImage, UnreachableImage, UnreadableImage, one_line
from worker.archive import BROKEN, ArchiveLimits, Member, member_name

BLOCK = 1024 * 1024

COMPRESSED: tuple[tuple[bytes, Callable[[Any], Any]], ...] = (
    (b"\x1f\x8b", lambda file: gzip.GzipFile(fileobj=file)),
    (b"BZh", bz2.BZ2File),
    (b"\xfd7zXZ\x00", lzma.LZMAFile),
    (
        b"\x28\xb5\x2f\xfd",
        lambda file: zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True),
    ),
)
"""First bytes of compressed files, and what unpacks them."""


@dataclass(frozen=True)
class _Place:
    """Where a member's bytes lie in a tar."""

    offset: int
    size: int


class _Part(RawIOBase):
    """The bytes of one member, read at their place, whatever else is read from the file meanwhile."""

    def __init__(self, descriptor: int, place: _Place) -> None:
        self.descriptor = descriptor
        self.place = place
        self.done = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        wanted = min(len(buffer), self.place.size - self.done)
        part = os.pread(self.descriptor, wanted, self.place.offset + self.done)
        if wanted and not part:
            raise UnreadableImage("the archive breaks off inside this member")
        buffer[: len(part)] = part
        self.done += len(part)
        return len(part)


@dataclass
class TarArchive:
    """An open tar that lies in a file of its own, read by offsets; threads may read side by side."""

    file: IO[bytes]
    limits: ArchiveLimits
    fault: ImageError | None
    members: dict[str, Member] = field(default_factory=dict)
    places: dict[str, _Place] = field(default_factory=dict)

    def __post_init__(self) -> None:
        try:
            with tarfile.open(fileobj=self.file, mode="r:") as tar:
                for info in _entries(tar):
                    self._add(info)
        except BROKEN as error:
            self.fault = self.fault or UnreadableImage(f"the archive breaks off: {one_line(error)}")

    def _add(self, info: tarfile.TarInfo) -> None:
        name = member_name(info.name)
        if info.islnk():  # a second name of an earlier member
            place = self.places.get(member_name(info.linkname))
        else:
            place = _Place(info.offset_data, info.size)
        if place is None:
            return
        self.limits.check_members(len(self.members) + 1)
        self.places[name] = place
        self.members[name] = Member(name, place.size, float(info.mtime), None)

    @contextmanager
    def stream(self, name: str) -> Iterator[IO[bytes]]:
        """Give the bytes of a member to read."""
        place = self.places.get(name)
        if place is None:
            raise self.fault or MissingImage("the archive has no member of this name")
        with BufferedReader(_Part(self.file.fileno(), place)) as stream:
            yield stream

    def close(self) -> None:
        """Let go of the file."""
        self.file.close()


def _entries(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Give the files and their second names, without keeping them all."""
    while (info := tar.next()) is not None:
        tar.members = []  # type: ignore[attr-defined]  # it would keep every header
        if (info.isreg() and not info.issparse()) or info.islnk():
            yield info


def is_tar(file: IO[bytes]) -> bool:
    """Tell whether a file begins with a member's header, or with the end of an empty tar."""
    block = file.read(tarfile.BLOCKSIZE)
    file.seek(0)
    if block == bytes(tarfile.BLOCKSIZE):
        return True
    try:
        tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


def spool_file(file: Any, limit_bytes: int) -> IO[bytes]:
    """Copy a stream into a nameless temporary file.

    Raises:
        ImageTooLarge: It holds more than `limit_bytes` bytes.
        UnreachableImage: The temporary folder has no room for it.
    """
    limits = ArchiveLimits(members=1, unpacked_bytes=limit_bytes, ratio=1, depth=1)
    spool, fault = unpack(file, limit_bytes, limits)
    if fault is not None:
        spool.close()
        raise fault
    return spool


def unpack(
    stream: Any, packed_bytes: int, limits: ArchiveLimits
) -> tuple[IO[bytes], ImageError | None]:
    """Copy a stream into a temporary file; what came out before it broke off is kept."""
    spool = tempfile.TemporaryFile()  # noqa: SIM115  (it outlives this function)
    written, fault = 0, None
    try:
        while True:
            try:
                block = stream.read(BLOCK)
            except (*BROKEN, OSError) as error:
                fault = UnreadableImage(f"the archive breaks off: {one_line(error)}")
                break
            if not block:
                break
            written += len(block)
            limits.check_size(written, packed_bytes)
            try:
                spool.write(block)
            except OSError as error:
                folder = tempfile.gettempdir()
                raise UnreachableImage(
                    f"the archive cannot be unpacked into {folder}: {error.strerror}"
                ) from error
        spool.flush()
        spool.seek(0)
    except BaseException:
        spool.close()
        raise
    return spool, fault
