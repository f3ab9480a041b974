"""What a file holds, as its SHA-256."""

import hashlib
import os
import stat
from pathlib import Path

from fakesweep.errors import SourceError


def hash_file(path: str) -> str | None:
    """Hash a file's bytes: SHA-256 in hexadecimal digits; None where there is no such file.

    Raises:
        SourceError: It is no regular file, or cannot be read.
    """
    shown = ascii(path) if not path.isprintable() else path
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116  (opening a pipe would wait)
            raise SourceError(f"{shown} is no regular file; expected an image file")
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: a NUL in the name
        return None
    except OSError as error:
        raise SourceError(f"{shown} cannot be read: {error.strerror}") from error
