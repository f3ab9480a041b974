"""Open archives, what they are by their bytes, and keep a few of them open."""

import os
import stat
import threading
import time
import zipfile
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO

from fakesweep.errors import (
    ImageTooLarge,
    MissingImage,
    UnreadableImage,
    UnsupportedImage,
    one_line,
)
from fakesweep.uri import is_remote, outermost, path_of_uri, split_member
from worker.archive import BROKEN, Archive, ArchiveLimits, Member, read_member
from worker.bucket import describe_object, open_object
from worker.files import open_regular
from worker.tars import COMPRESSED, TarArchive, is_tar, spool_file, unpack
from worker.zips import ZipArchive

KEPT = 4
ASK_AGAIN_S = 30.0  # an archive in a bucket is looked at for changes so often


@dataclass
class _Entry:
    """An archive that is open or being opened."""

    uri: str
    version: object
    looked_at: float
    users: int = 0
    archive: Archive | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)


class OpenArchives:
    """Archives by URI; safe for threads. One that has changed is opened anew."""

    def __init__(self, limits: ArchiveLimits) -> None:
        self.limits = limits
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, uri: str, limit_bytes: int) -> tuple[bytes, Member]:
        """Read a member whole, by its URI.

        Raises:
            ImageError: The archive or the member cannot be read; it says why.
        """
        outer, name = split_member(uri) or (uri, "")
        with self.opened(outer) as archive:
            return read_member(archive, name, limit_bytes), archive.members[name]

    @contextmanager
    def opened(self, uri: str) -> Iterator[Archive]:
        """Give an archive, open until the end of the block.

        Raises:
            ImageError: It cannot be opened; it says why.
        """
        entry = self._enter(uri)
        try:
            with entry.lock:
                if entry.archive is None:
                    entry.archive = self._open(uri)
                archive = entry.archive
            yield archive
        finally:
            self._leave(entry)

    def close(self) -> None:
        """Close all of them."""
        with self._lock:
            entries = list(self._entries.values())
            self._entries.clear()
        for entry in entries:
            if entry.archive is not None and not entry.users:
                entry.archive.close()

    def _enter(self, uri: str) -> _Entry:
        with self._lock:
            known = self._entries.get(uri)
            fresh = known is not None and time.monotonic() - known.looked_at < ASK_AGAIN_S
        version = known.version if known and fresh and is_remote(uri) else _version(uri)
        with self._lock:
            entry = self._entries.get(uri)
            if entry is None or entry.version != version:
                if entry is not None:
                    self._drop(entry)
                entry = self._entries[uri] = _Entry(uri, version, time.monotonic())
            self._entries.move_to_end(uri)
            entry.users += 1
            return entry

    def _leave(self, entry: _Entry) -> None:
        with self._lock:
            entry.users -= 1
            if entry.archive is None and self._entries.get(entry.uri) is entry and not entry.users:
                del self._entries[entry.uri]  # it could not be opened
            elif self._entries.get(entry.uri) is not entry and not entry.users:
                self._close(entry)  # dropped while it was read from
            for old in [e for e in self._entries.values() if not e.users][:-KEPT]:
                self._drop(old)

    def _drop(self, entry: _Entry) -> None:
        if self._entries.get(entry.uri) is entry:
            del self._entries[entry.uri]
        if not entry.users:
            self._close(entry)

    def _close(self, entry: _Entry) -> None:
        if entry.archive is not None:
            entry.archive.close()
            entry.archive = None

    def _open(self, uri: str) -> Archive:
        depth, outside = 1, split_member(uri)
        while outside is not None:
            depth, outside = depth + 1, split_member(outside[0])
        if depth > self.limits.depth:
            raise ImageTooLarge(
                f"the archive lies {depth} archives deep; expected at most {self.limits.depth}"
                " (setting archive_depth)"
            )
        inside = split_member(uri)
        if inside is not None:
            with self.opened(inside[0]) as outer, outer.stream(inside[1]) as stream:
                file = spool_file(stream, self.limits.unpacked_bytes)
            return open_archive(file, os.fstat(file.fileno()).st_size, self.limits)
        file, size = _open_remote(uri) if is_remote(uri) else _open_local(uri)
        return open_archive(file, size, self.limits)


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
        return _open_by_content(file, packed_bytes, limits)
    except BaseException as error:
        file.close()
        if isinstance(error, BROKEN):
            raise UnreadableImage(f"the archive is broken: {one_line(error)}") from error
        raise


def _open_by_content(file: IO[bytes], packed_bytes: int, limits: ArchiveLimits) -> Archive:
    head = file.read(6)
    file.seek(0)
    for magic, unpacked in COMPRESSED:
        if head.startswith(magic):
            spool, fault = unpack(unpacked(file), packed_bytes, limits)
            file.close()
            return TarArchive(spool, limits, fault)
    if head.startswith(b"PK") or (not is_tar(file) and zipfile.is_zipfile(file)):
        return ZipArchive(file, packed_bytes, limits)
    if not is_tar(file):
        raise UnreadableImage("the file is named like an archive, but is neither zip nor tar")
    if not _lies_on_disk(file):
        file, packed = spool_file(file, limits.unpacked_bytes), file
        packed.close()
    return TarArchive(file, limits, None)


def _lies_on_disk(file: IO[bytes]) -> bool:
    try:
        return file.fileno() >= 0
    except OSError:  # an object of a bucket
        return False


def _open_remote(uri: str) -> tuple[IO[bytes], int]:
    facts = describe_object(uri)
    if facts.is_folder:
        raise UnsupportedImage("not an archive but a folder")
    return open_object(uri), facts.size_bytes or 0


def _open_local(uri: str) -> tuple[IO[bytes], int]:
    descriptor, facts = open_regular(path_of_uri(uri))
    return os.fdopen(descriptor, "rb"), facts.st_size


def _version(uri: str) -> object:
    """Give what changes when the outermost file of an archive does.

    Raises:
        ImageError: There is no such file, or its store does not answer.
    """
    uri = outermost(uri)
    if is_remote(uri):
        facts = describe_object(uri)
        return facts.etag or (facts.size_bytes, facts.mtime)
    try:
        local = os.stat(path_of_uri(uri))  # noqa: PTH116
    except (OSError, ValueError) as error:
        raise MissingImage("there is no such archive") from error
    if not stat.S_ISREG(local.st_mode):
        raise UnsupportedImage("not a regular file but a directory, pipe or device")
    return local.st_ino, local.st_size, local.st_mtime_ns
