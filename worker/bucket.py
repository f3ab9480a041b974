"""Objects of buckets, and of anything else that fsspec opens by a URL: find, list, read.

Credentials and endpoints are those of each cloud's own standard chain. Every request has a time
limit and is made again, later each time, until it is answered or its time is up.
"""

import errno
import logging
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cache, partial
from typing import Any, TypeVar

from fakesweep.errors import (
    ForbiddenImage,
    ImageTooLarge,
    MissingImage,
    SourceError,
    UnreachableImage,
    UnsupportedImage,
)

log = logging.getLogger(__name__)

EXTRAS = {
    "s3": "s3",
    "s3a": "s3",
    "gs": "gcs",
    "gcs": "gcs",
    "az": "azure",
    "abfs": "azure",
    "abfss": "azure",
    "adl": "azure",
}
NOT_PLACES = (
    "file",
    "local",
    "data",
    "reference",
    "zip",
    "tar",
    "libarchive",
    "cached",
    "simplecache",
)

ANSWER_S = 20.0  # what a request may take, and a second more for every MIB_PER_S of its answer
BYTES_PER_S = 1024 * 1024
GIVE_UP_S = 45.0  # after so many seconds of failures an object is unreachable; well below a lease
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.3, 8.0
PAGE = 1000  # objects in one answer to a listing of S3, the most it gives

# What tells a version of the content, by the names that the file systems give it.
_ETAGS = ("ETag", "etag", "md5Hash", "content_md5", "contentHash", "checksum")
_TIMES = ("LastModified", "last_modified", "updated", "mtime", "created")

Answer = TypeVar("Answer")


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
    fs, path = _open(uri)
    return _describe(uri, _ask(lambda: _call(fs, "info", path), uri))


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
    fs, path = _open(uri)
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
        content = bytes(_call(fs, "cat_file", path, seconds=ANSWER_S + size / BYTES_PER_S))
        if facts.size_bytes is not None and len(content) != size:
            raise OSError(errno.EIO, f"the answer has {len(content)} of {size} bytes")
        return content

    return _ask(read, uri), facts


def read_head(uri: str, count: int) -> bytes:
    """Read the first bytes of an object; raises what `read_object` does."""
    fs, path = _open(uri)
    return bytes(_ask(lambda: _call(fs, "cat_file", path, start=0, end=count), uri))


def open_object(uri: str) -> Any:
    """Open an object as a binary file that can be read at any place, a block at a time.

    Raises:
        What `describe_object` does.
    """
    fs, path = _open(uri)
    return _ask(lambda: fs.open(path, "rb", block_size=1024 * 1024), uri)


def list_objects(uri: str) -> Iterator[list[StoredObject]]:
    """List all objects below a URL, a page or a folder of them at a time.

    Raises:
        What `describe_object` does; a listing can break off between pages.
    """
    fs, path = _open(uri)
    scheme = uri.partition("://")[0]
    if EXTRAS.get(scheme) == "s3":
        yield from _list_s3(fs, scheme, path.rstrip("/"), uri)
        return
    waiting = [path.rstrip("/")]
    while waiting:
        folder = waiting.pop()
        entries = _ask(partial(_call, fs, "ls", folder, detail=True), uri)
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
        answer = _ask(lambda: _call(fs, "call_s3", "list_objects_v2", **request), uri)
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


def _open(uri: str) -> tuple[Any, str]:
    import fsspec  # half a second with its client: only where a URL is read

    fs = _filesystem(uri.partition("://")[0])
    if isinstance(fs, fsspec.AbstractFileSystem):
        return fs, str(fs._strip_protocol(uri))
    raise TypeError(f"expected a file system, received {type(fs).__name__}")


@cache
def _filesystem(scheme: str) -> Any:
    import fsspec

    if scheme in NOT_PLACES:
        raise SourceError(f"{scheme}:// names no bucket; give the path of the directory or file")
    try:
        return fsspec.filesystem(scheme, use_listings_cache=False)
    except ImportError as error:
        extra = EXTRAS.get(scheme)
        how = f"pip install 'fakesweep[{extra}]'" if extra else f"install its package ({error})"
        raise SourceError(f"{scheme}:// is not installed: {how}") from error
    except ValueError as error:
        raise SourceError(
            f"unknown scheme {scheme}://; expected s3://, gs://, az:// or another that fsspec opens"
        ) from error


def _name(fs: Any, scheme: str, path: str) -> str:
    return path if "://" in path else f"{scheme}://{path.lstrip('/') if scheme in EXTRAS else path}"


def _call(fs: Any, method: str, *args: Any, seconds: float = ANSWER_S, **options: Any) -> Any:
    """Call a file system, no longer than `seconds` where it can be interrupted."""
    if fs.async_impl:
        from fsspec.asyn import sync

        return sync(fs.loop, getattr(fs, f"_{method}"), *args, timeout=seconds, **options)
    return getattr(fs, method)(*args, **options)


def _ask(call: Callable[[], Answer], uri: str) -> Answer:
    """Make a request until it is answered; tell apart what is gone, forbidden and out of reach."""
    began, pause = time.monotonic(), FIRST_PAUSE_S
    while True:
        try:
            return call()
        except FileNotFoundError as error:
            raise MissingImage("there is no such object") from error
        except PermissionError as error:
            raise ForbiddenImage(f"the credentials do not allow it: {_say(error)}") from error
        except Exception as error:  # clients raise errors of their own, not only OSError
            if type(error).__name__ in ("NoCredentialsError", "PartialCredentialsError"):
                raise ForbiddenImage(f"there are no credentials: {_say(error)}") from error
            if time.monotonic() - began + pause > GIVE_UP_S:
                raise UnreachableImage(f"the storage did not answer: {_say(error)}") from error
            log.info("%s: %s; asked again in %.1f s", uri, _say(error), pause)
        time.sleep(pause * random.uniform(0.5, 1))  # noqa: S311  (no secret)
        pause = min(2 * pause, LONGEST_PAUSE_S)


def _say(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


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
