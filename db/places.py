"""Conditions on where an image is."""

from collections.abc import Iterable

from sqlalchemy import ColumnElement, and_, false, or_
from sqlalchemy.sql import ColumnExpressionArgument

from fakesweep.uri import INSIDE, file_url, is_remote, uri_of_path


def lies_under(uri: ColumnElement[str], paths: Iterable[str]) -> ColumnElement[bool]:
    """Tell whether an image is one of these files or lies below one of these directories.

    It compares ranges, which an index on `uri` serves.
    """
    tests: list[ColumnExpressionArgument[bool]] = []
    for path in paths:
        # Below a folder with a readable name may be names that are not: they begin differently.
        for name in (path,) if is_remote(path) else (uri_of_path(path), file_url(path)):
            below = name.rstrip("/")
            for mark in ("/", INSIDE):  # a directory, or an archive
                end = mark[:-1] + chr(ord(mark[-1]) + 1)
                tests.append(and_(uri > below + mark, uri < below + end))
            tests.append(uri == name)
    return or_(false(), *tests)
