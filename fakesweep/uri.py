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
    absolute = os.path.abspath(path)  # noqa: PTH100  (resolve() would rename links)
    try:
        absolute.encode()
    except UnicodeEncodeError:
        return FILE_URL + quote_from_bytes(os.fsencode(absolute))
    return absolute


def path_of_uri(uri: str) -> str:
    """Find the local path that `uri_of_path` named."""
    if uri.startswith(FILE_URL):
        return os.fsdecode(unquote_to_bytes(uri.removeprefix(FILE_URL)))
    return uri
