"""Archives and their members: zip, and tar as it is or compressed by gzip, bzip2, xz or Zstandard.

What an archive is, its bytes say, not its name. Nothing is ever unpacked by a name that it holds. A
compressed tar is unpacked once into a nameless temporary file; from there members are read at
random, as from a plain one.
"""

import bz2
import gzip
import lzma
import os
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from io import BufferedReader, RawIOBase
from typing import IO, Any, Protocol

import zstandard

from fakesweep.errors import (
    EncryptedImage,
    ImageError,
    ImageTooLarge,
    MissingImage,
    UnreachableImage,
    UnreadableImage,
    UnsupportedImage,
)

BLOCK = 1024 * 1024
RATIO_COUNTS_FROM = (
    256 * BLOCK
)  # below it any ratio will do: a picture of one colour has a high one
ENCRYPTED = 1  # bit of a zip member's flags

_COMPRESSED: tuple[tuple[bytes, Callable[[Any], Any]], ...] = (
    (b"\x1f\x8b", lambda file: gzip.GzipFile(fileobj=file)),
    (b"BZh", bz2.BZ2File),
    (b"\xfd7zXZ\x00", lzma.LZMAFile),
    (
        b"\x28\xb5\x2f\xfd",
        lambda file: zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True),
    ),
)
_BROKEN = (
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
        _check_member(member.size_bytes, limit_bytes)
    with archive.stream(name) as stream:
        content = stream.read(limit_bytes + 1)
    _check_member(len(content), limit_bytes)
    return content


def open_archive(file: IO[bytes], packed_bytes: int, limits: ArchiveLimits) -> Archive:
    """Open an archive, which from then on owns the file.

    Args:
        file: At its beginning; it can be read at any place.
        packed_bytes: Its size.

    Raises:
        UnreadableImage: It is broken, or no archive.
        ImageTooLarge: It unpacks to more than the limits allow.
        UnreachableImage: There is no room to unpack it.
    """
    try:
        return _open(file, packed_bytes, limits)
    except BaseException as error:
        file.close()
        if isinstance(error, _BROKEN):
            raise UnreadableImage(f"the archive is broken: {_say(error)}") from error
        raise


def _open(file: IO[bytes], packed_bytes: int, limits: ArchiveLimits) -> Archive:
    head = file.read(6)
    file.seek(0)
    for magic, unpacked in _COMPRESSED:
        if head.startswith(magic):
            spool, fault = _unpack(unpacked(file), packed_bytes, limits)
            file.close()
            return _TarArchive(spool, limits, fault)
    if head.startswith(b"PK") or (not _is_tar(file) and zipfile.is_zipfile(file)):
        return _ZipArchive(file, packed_bytes, limits)
    if not _is_tar(file):
        raise UnreadableImage("the file is named like an archive, but is neither zip nor tar")
    if not _lies_on_disk(file):
        file, packed = spool_file(file, limits.unpacked_bytes), file
        packed.close()
    return _TarArchive(file, limits, None)


def _lies_on_disk(file: IO[bytes]) -> bool:
    try:
        return file.fileno() >= 0
    except OSError:  # an object of a bucket
        return False


def spool_file(file: Any, limit_bytes: int) -> IO[bytes]:
    """Copy a stream into a nameless temporary file.

    Raises:
        ImageTooLarge: It holds more than `limit_bytes` bytes.
        UnreachableImage: The temporary folder has no room for it.
    """
    limits = ArchiveLimits(members=1, unpacked_bytes=limit_bytes, ratio=1, depth=1)
    spool, fault = _unpack(file, limit_bytes, limits)
    if fault is not None:
        spool.close()
        raise fault
    return spool


def _unpack(
    stream: Any, packed_bytes: int, limits: ArchiveLimits
) -> tuple[IO[bytes], ImageError | None]:
    """Copy a stream into a temporary file; what came out before it broke off is kept."""
    spool = tempfile.TemporaryFile()  # noqa: SIM115  (it outlives this function)
    written, fault = 0, None
    try:
        while True:
            try:
                block = stream.read(BLOCK)
            except (*_BROKEN, OSError) as error:
                fault = UnreadableImage(f"the archive breaks off: {_say(error)}")
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


def _is_tar(file: IO[bytes]) -> bool:
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


class _ZipArchive:
    """Members are compressed one by one; threads may read side by side."""

    def __init__(self, file: IO[bytes], packed_bytes: int, limits: ArchiveLimits) -> None:
        self.file = file
        self.fault: ImageError | None = None
        self.zip = zipfile.ZipFile(file)
        self.infos = {
            member_name(info.filename): info for info in self.zip.infolist() if not info.is_dir()
        }
        limits.check_members(len(self.infos))
        limits.check_size(sum(info.file_size for info in self.infos.values()), packed_bytes)
        self.members = {
            name: Member(name, info.file_size, None, f"crc32:{info.CRC:08x}")
            for name, info in self.infos.items()
        }

    @contextmanager
    def stream(self, name: str) -> Iterator[IO[bytes]]:
        info = self.infos.get(name)
        if info is None:
            raise MissingImage("the archive has no member of this name")
        if info.flag_bits & ENCRYPTED:
            raise EncryptedImage("the member is encrypted; unpack the archive with its password")
        try:
            with self.zip.open(info) as stream:
                yield stream
        except NotImplementedError as error:
            raise UnsupportedImage(f"the member cannot be unpacked: {_say(error)}") from error
        except _BROKEN as error:
            raise UnreadableImage(f"the member is damaged: {_say(error)}") from error

    def close(self) -> None:
        self.zip.close()
        self.file.close()


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
class _TarArchive:
    """A tar that lies in a file of its own, read by offsets; threads may read side by side."""

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
        except _BROKEN as error:
            self.fault = self.fault or UnreadableImage(f"the archive breaks off: {_say(error)}")

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
        place = self.places.get(name)
        if place is None:
            raise self.fault or MissingImage("the archive has no member of this name")
        with BufferedReader(_Part(self.file.fileno(), place)) as stream:
            yield stream

    def close(self) -> None:
        self.file.close()


def _entries(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Give the files and their second names, without keeping them all."""
    while (info := tar.next()) is not None:
        tar.members = []  # type: ignore[attr-defined]  # it would keep every header
        if (info.isreg() and not info.issparse()) or info.islnk():
            yield info


def member_name(name: str) -> str:
    """Give a member the name by which it is told: text, without `./` or `/` before it."""
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    while text.startswith(("./", "/")):
        text = text.removeprefix(".").removeprefix("/")
    return text.replace("\0", "\\x00")


def _check_member(size: int, limit_bytes: int) -> None:
    if size > limit_bytes:
        raise ImageTooLarge(
            f"the member has {size:,} bytes or more, the limit is {limit_bytes:,}"
            " (setting limit_bytes)"
        )


def _say(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
