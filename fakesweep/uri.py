"""How an image is named: its URI.

A local file is named by its absolute path, as it stands. A path that is not UTF-8, which neither
SQL nor CSV could hold, is named by its `file://` URL with the bytes percent-encoded (RFC 8089);
since absolute paths begin with a slash, the two can be told apart and both lead back to the file.
An object of a bucket is named by its URL, `s3://bucket/key`, the key as it stands. A member of an
archive is named by the archive's URI, `!/` and its name inside: `/photos/2019.zip!/a/b.jpg`.
"""

import os
import re
from urllib.parse import quote_from_bytes, unquote_to_bytes

from fakesweep.formats import ARCHIVE_SUFFIXES

FILE_URL = "file://"
INSIDE = "!/"
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_MEMBER = re.compile(
    rf"(?:{'|'.join(map(re.escape, ARCHIVE_SUFFIXES))}){re.escape(INSIDE)}", re.IGNORECASE
)
LONGEST_URI = 2600  # bytes; the widest entry that an index of PostgreSQL holds is 2,704


def uri_of_path(path: str) -> str:
    """Name a local file by its absolute path; undecodable bytes come as surrogates (PEP 383)."""
    absolute = absolute_path(path)
    if "\0" in absolute or not _is_text(absolute) or _MEMBER.search(absolute):
        return file_url(absolute)  # the last: a folder that looks like an archive with members
    return absolute


def outermost(uri: str) -> str:
    """Give the archive in a file system or bucket that a member lies in; another URI as it is."""
    while (inside := split_member(uri)) is not None:
        uri = inside[0]
    return uri


def uri_of_name(name: str, working_dir: str = "") -> str:
    """Name an image as people write it: a path, a URL, or a member as `ARCHIVE!/NAME`.

    Args:
        working_dir: Where relative paths begin, absolute; empty: in the current folder.
    """
    if is_remote(name):
        return name
    path = os.path.join(working_dir, path_of_uri(name))  # noqa: PTH118
    member = split_member(name)
    if member is not None and not os.path.lexists(path):
        return f"{uri_of_name(member[0], working_dir)}{INSIDE}{member[1]}"
    return uri_of_path(path)


def is_remote(uri: str) -> bool:
    """Tell whether a URI is, or lies in, an object of a bucket, or anything else with a URL."""
    return bool(_SCHEME.match(uri)) and not uri.startswith(FILE_URL)


def is_archive(name: str) -> bool:
    """Tell by its ending whether a file is an archive."""
    return name.lower().endswith(ARCHIVE_SUFFIXES)


def split_member(uri: str) -> tuple[str, str] | None:
    """Split the URI of a member into its archive's URI and its name inside; None: it is no member.

    Of nested archives the innermost is split off.
    """
    marks = list(_MEMBER.finditer(uri))
    if not marks or marks[-1].end() == len(uri):
        return None
    found = marks[-1]
    return uri[: found.end() - len(INSIDE)], uri[found.end() :]


def file_url(path: str) -> str:
    """Write an absolute path as its `file://` URL."""
    return FILE_URL + quote_from_bytes(os.fsencode(path))


def _is_text(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def absolute_path(path: str) -> str:
    """Make a path absolute without renaming links, and without `.` and `..`."""
    folder, name = os.path.split(path)
    if ".." in folder.split("/"):
        # Only the file system knows what is above a link: `link/..` is not the folder of the link.
        path = os.path.join(os.path.realpath(folder), name)  # noqa: PTH118
    return os.path.abspath(path)  # noqa: PTH100  (resolve() would rename links)


def absolute_name(name: str) -> str:
    """Make a source's name absolute: a path, or a URL without a slash at its end."""
    return name.rstrip("/") if is_remote(name) else absolute_path(path_of_uri(name))


def path_of_uri(uri: str) -> str:
    """Find the local path that `uri_of_path` named."""
    if not uri.startswith(FILE_URL):
        return uri
    path = uri.removeprefix(FILE_URL).removeprefix("localhost")
    return os.fsdecode(unquote_to_bytes(path))
