"""Objects of buckets, and of anything else that has a URL: find, list, read."""

import errno
import io
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import IO, Any

from fakesweep.errors import ImageTooLarge, UnsupportedImage
from worker.stores import ANSWER_S, BYTES_PER_S, EXTRAS, ask, call_store, open_store

BLOCK = 1024 * 1024  # bytes of one answer, where an object is read in parts
PAGE = 1000  # objects in one answer to a listing of S3, the most it gives

# What tells a version of the content, by the names that the file systems give it.
_ETAGS = ("ETag", "etag", "md5Hash", "content_md5", "contentHash", "checksum")
_TIMES = ("LastModified", "last_modified", "updated", "mtime", "created")


@dataclass(frozen=True)
class StoredObject:
    """An object as its store describes it.

    Attributes:
        mtime: Seconds since 1970, None where the store does not say.
        etag: Names this content; it changes when the content does. None where there is none.
    """

    uri: str
    size_bytes: int | None
    mtime: float | None
    etag: str | None
    is_folder: bool = False


def describe_object(uri: str) -> StoredObject:
    """Ask for the facts about an object.

    Raises:
        MissingImage: There is none of this name.
        ForbiddenImage: The credentials do not allow it, or there are none.
        UnreachableImage: The store did not answer.
        SourceError: The scheme is unknown, or its package is not installed.
    """
    fs, path = open_store(uri)
    return _describe(uri, ask(lambda: call_store(fs, "info", path), uri))


def read_object(
    uri: str, *, limit_bytes: int, wait_for_room: Callable[[int], None] = lambda _: None
) -> tuple[bytes, StoredObject]:
    """Read an object whole.

    Args:
        limit_bytes: A larger one is not read.
        wait_for_room: Called with its size before it is read; may wait.

    Raises:
        ImageTooLarge: It has more than `limit_bytes` bytes; nothing was read.
        UnsupportedImage: The name is that of a folder.
        UnreachableImage: The store did not answer, or broke off.
        MissingImage: There is none of this name.
        ForbiddenImage: The credentials do not allow it.
    """
    fs, path = open_store(uri)
    facts = describe_object(uri)
    if facts.is_folder:
        raise UnsupportedImage("not an object but a folder")
    size = facts.size_bytes or 0
    if size > limit_bytes:
        raise ImageTooLarge(
            f"the object has {size:,} bytes, the limit is {limit_bytes:,} (setting limit_bytes)"
        )
    wait_for_room(size)

    def read() -> bytes:
        content = bytes(call_store(fs, "cat_file", path, seconds=ANSWER_S + size / BYTES_PER_S))
        if facts.size_bytes is not None and len(content) != size:
            raise OSError(errno.EIO, f"the answer has {len(content)} of {size} bytes")
        return content

    return ask(read, uri), facts


def read_head(uri: str, count: int) -> bytes:
    """Read the first bytes of an object; raises what `read_object` does."""
    fs, path = open_store(uri)
    return bytes(ask(lambda: call_store(fs, "cat_file", path, start=0, end=count), uri))


def open_object(uri: str) -> IO[bytes]:
    """Open an object as a binary file that can be read at any place, a block at a time.

    Raises:
        What `describe_object` does; so does reading from the file.
    """
    fs, path = open_store(uri)
    facts = describe_object(uri)
    if facts.is_folder:
        raise UnsupportedImage("not an object but a folder")
    return io.BufferedReader(_ObjectFile(fs, path, uri, facts.size_bytes or 0), BLOCK)


class _ObjectFile(io.RawIOBase):
    """Reads ranges of an object."""

    def __init__(self, fs: Any, path: str, uri: str, size: int) -> None:
        self.fs, self.path, self.uri, self.size = fs, path, uri, size
        self.place = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self.place, os.SEEK_END: self.size}[whence]
        if start + offset < 0:
            raise ValueError(f"seek to {start + offset}, before the beginning")
        self.place = start + offset
        return self.place

    def tell(self) -> int:
        return self.place

    def readinto(self, buffer: Any) -> int:
        end = min(self.place + len(buffer), self.size)
        if end <= self.place:
            return 0

        def read() -> bytes:
            part = bytes(call_store(self.fs, "cat_file", self.path, start=self.place, end=end))
            if len(part) != end - self.place:
                raise OSError(errno.EIO, f"the answer has {len(part)} of {end - self.place} bytes")
            return part

        part = ask(read, self.uri)
        buffer[: len(part)] = part
        self.place += len(part)
        return len(part)


def list_objects(uri: str) -> Iterator[list[StoredObject]]:
    """List all objects below a URL, a page or a folder of them at a time.

    Raises:
        What `describe_object` does; a listing can break off between pages.
    """
    fs, path = open_store(uri)
    scheme = uri.partition("://")[0]
    if EXTRAS.get(scheme) == "s3":
        yield from _list_s3(fs, scheme, path.rstrip("/"), uri)
        return
    waiting = [path.rstrip("/")]
    while waiting:
        folder = waiting.pop()
        entries = ask(partial(call_store, fs, "ls", folder, detail=True), uri)
        here = [e for e in entries if e["name"].rstrip("/") != folder]
        below = [e["name"].rstrip("/") for e in here if e["type"] == "directory"]
        waiting.extend(sorted(below, reverse=True))
        yield [
            _describe(_name(fs, scheme, entry["name"]), entry)
            for entry in here
            if entry["type"] == "file"
        ]


def _list_s3(fs: Any, scheme: str, path: str, uri: str) -> Iterator[list[StoredObject]]:
    bucket, _, prefix = path.partition("/")
    request: dict[str, Any] = {
        "Bucket": bucket,
        "Prefix": f"{prefix}/" if prefix else "",
        "MaxKeys": PAGE,
    }
    while True:
        answer = ask(lambda: call_store(fs, "call_s3", "list_objects_v2", **request), uri)
        yield [
            StoredObject(
                f"{scheme}://{bucket}/{entry['Key']}",
                entry["Size"],
                entry["LastModified"].timestamp(),
                entry["ETag"].strip('"'),
            )
            for entry in answer.get("Contents", ())
            if not entry["Key"].endswith("/")
        ]
        if not answer.get("IsTruncated"):
            return
        request["ContinuationToken"] = answer["NextContinuationToken"]


def _name(fs: Any, scheme: str, path: str) -> str:
    return path if "://" in path else f"{scheme}://{path.lstrip('/') if scheme in EXTRAS else path}"


def _describe(uri: str, info: dict[str, Any]) -> StoredObject:
    etag = next((str(info[key]).strip('"') for key in _ETAGS if info.get(key)), None)
    moment = next((info[key] for key in _TIMES if info.get(key)), None)
    return StoredObject(
        uri=uri,
        size_bytes=None if info.get("size") is None else int(info["size"]),
        mtime=_seconds(moment),
        etag=etag,
        is_folder=info.get("type") == "directory",
    )


def _seconds(moment: Any) -> float | None:
    if isinstance(moment, str):
        try:
            moment = datetime.fromisoformat(moment)
        except ValueError:
            return None
    if isinstance(moment, datetime):
        return moment.timestamp()
    return float(moment) if isinstance(moment, int | float) else None
