"""The door to the stores that fsspec opens by a URL: their file systems, and how they are asked.

Credentials and endpoints are those of each cloud's own standard chain. Every request has a time
limit and is made again, later each time, until it is answered or its time is up.
"""

import logging
import random
import time
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

from fakesweep.errors import ForbiddenImage, MissingImage, SourceError, UnreachableImage, one_line

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

ANSWER_S = 20.0  # what a request may take, and a second more for every BYTES_PER_S of its answer
BYTES_PER_S = 1024 * 1024
GIVE_UP_S = 45.0  # after so many seconds of failures an object is unreachable; well below a lease
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.3, 8.0
Answer = TypeVar("Answer")


def open_store(uri: str) -> tuple[Any, str]:
    """Give the file system of a URL, and the object's path in it.

    Raises:
        SourceError: The scheme is unknown, or its package is not installed.
    """
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


def call_store(fs: Any, method: str, *args: Any, seconds: float = ANSWER_S, **options: Any) -> Any:
    """Call a file system, no longer than `seconds` where it can be interrupted."""
    if fs.async_impl:
        from fsspec.asyn import sync

        return sync(fs.loop, getattr(fs, f"_{method}"), *args, timeout=seconds, **options)
    return getattr(fs, method)(*args, **options)


def ask(call: Callable[[], Answer], uri: str) -> Answer:
    """Make a request until it is answered; tell apart what is gone, forbidden and out of reach.

    Raises:
        MissingImage: There is none of this name.
        ForbiddenImage: The credentials do not allow it, or there are none.
        UnreachableImage: The store did not answer.
    """
    began, pause = time.monotonic(), FIRST_PAUSE_S
    while True:
        try:
            return call()
        except FileNotFoundError as error:
            raise MissingImage("there is no such object") from error
        except PermissionError as error:
            raise ForbiddenImage(f"the credentials do not allow it: {one_line(error)}") from error
        except (TypeError, AttributeError, NotImplementedError):
            raise  # a fault of ours, or something that this store cannot do
        except Exception as error:  # clients raise errors of their own, not only OSError
            if type(error).__name__ in ("NoCredentialsError", "PartialCredentialsError"):
                raise ForbiddenImage(f"there are no credentials: {one_line(error)}") from error
            if time.monotonic() - began + pause > GIVE_UP_S:
                raise UnreachableImage(f"the storage did not answer: {one_line(error)}") from error
            log.info("%s: %s; asked again in %.1f s", uri, one_line(error), pause)
        time.sleep(pause * random.uniform(0.5, 1))  # noqa: S311  (no secret)
        pause = min(2 * pause, LONGEST_PAUSE_S)
