"""How an image is named: its URI.

A local file is named by its absolute path, as it stands. A path that is not UTF-8, which neither
SQL nor CSV could hold, is named by its `file://` URL with the bytes percent-encoded (RFC 8089);
since absolute paths begin with a slash, the two can be told apart and both lead back to the file.
"""

import os
from urllib.parse import quote_from_bytes, unquote_to_bytes

FILE_URL = "file://"
LONGEST_URI = 2600  # bytes; the widest entry that an index of PostgreSQL holds is 2,704


def uri_of_path(path: str) -> str:
    """Name a local file by its absolute path; undecodable bytes come as surrogates (PEP 383)."""
    absolute = absolute_path(path)
    if "\0" in absolute or not _is_text(absolute):
        return file_url(absolute)
    return absolute


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


def path_of_uri(uri: str) -> str:
    """Find the local path that `uri_of_path` named."""
    if not uri.startswith(FILE_URL):
        return uri
    path = uri.removeprefix(FILE_URL).removeprefix("localhost")
    return os.fsdecode(unquote_to_bytes(path))
