"""What a scan reads, and which of its files count; kept with the scan, so that it can go on."""

import fnmatch
import os
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePath
from typing import Any

from db.again import Condition
from fakesweep.errors import ForbiddenImage, MissingImage, SourceError, UnreachableImage
from fakesweep.uri import absolute_name, absolute_path, is_remote, path_of_uri

STDIN = "-"
MANIFEST_SUFFIXES = (".csv", ".jsonl", ".ndjson", ".parquet")


@dataclass(frozen=True)
class Sources:
    """The sources of a scan.

    Attributes:
        paths: Directories and files, absolute; URLs; manifests among both.
        files_from: A file of names, newline- or NUL-separated; `-` is standard input.
        include: A file counts only if it matches one of these globs; empty: all do.
        exclude: A file or directory that matches one of these globs is left out.
        hidden: Whether names that begin with a dot count.
        follow_symlinks: Whether links found inside a directory are followed.
        archives: Whether archives are opened.
        working_dir: Where relative names of a list begin.
        repeatable: Whether the list can be read again; standard input and pipes cannot.
        where: Images come from the ledger: those whose latest verdict meets this condition, and
            that lie below `paths` where there are any.
    """

    paths: tuple[str, ...] = ()
    files_from: str | None = None
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    hidden: bool = False
    follow_symlinks: bool = False
    archives: bool = True
    working_dir: str = "/"
    repeatable: bool = True
    where: Condition | None = None

    def to_json(self) -> dict[str, Any]:
        """Turn into what JSON can carry; undecodable bytes of a path stay as escaped surrogates."""
        return asdict(self)

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "Sources":
        """Read what `to_json` wrote."""
        tuples = {name: tuple(fields[name]) for name in ("paths", "include", "exclude")}
        where = Condition(**fields["where"]) if fields.get("where") else None
        return cls(**{**fields, **tuples, "where": where})


def judged_sources(paths: Sequence[str], where: str) -> Sources:
    """Take images from the ledger, by a condition on their latest verdict; paths may be gone."""
    return Sources(
        paths=tuple(dict.fromkeys(map(absolute_name, paths))),
        where=Condition(where),
    )


def absolute_sources(paths: Sequence[str]) -> Sources:
    """Take sources as they are named; whether they are there, the scan will tell."""
    return Sources(paths=tuple(dict.fromkeys(map(absolute_name, paths))))


def named_sources(paths: Sequence[str], files_from: str | None, **policy: Any) -> Sources:
    """Check the sources of a new scan: directories, files, manifests and URLs; make paths absolute.

    A directory that lies inside another one, and a source given twice, is dropped.

    Raises:
        SourceError: A source does not exist, is no file or directory, or may not be read; a scheme
            is unknown; a manifest has no column `uri`.
    """
    if not paths and files_from is None:
        raise SourceError("nothing to scan; give a directory, a file or --files-from FILE")
    for path in paths:
        _check(path)
    absolute = dict.fromkeys(map(absolute_name, paths))
    folders = {path for path in absolute if not is_remote(path) and os.path.isdir(path)}  # noqa: PTH112
    kept = [
        path
        for path in absolute
        if path not in folders or folders.isdisjoint(map(str, PurePath(path).parents))
    ]
    repeatable = True
    if files_from == STDIN:
        repeatable = False
    elif files_from is not None:
        _check_list(files_from)
        files_from = absolute_path(files_from)
        repeatable = os.path.isfile(files_from)  # noqa: PTH113
    return Sources(
        paths=tuple(kept),
        files_from=files_from,
        working_dir=str(Path.cwd()),
        repeatable=repeatable,
        **policy,
    )


def check_again(sources: Sources) -> None:
    """Make sure that the sources of an interrupted listing are still there.

    Raises:
        SourceError: One is not; a folder whose disk is away must not count as empty.
    """
    if sources.where is not None:
        return
    for path in sources.paths:
        _check(path)
    if sources.files_from is not None and sources.repeatable:
        _check_list(sources.files_from)


def _check(path: str) -> None:
    if not path:
        raise SourceError("a source is empty; give a directory or a file")
    if is_remote(path):
        _check_remote(path)
    else:
        _check_local(path_of_uri(path))
    if is_manifest(path):
        from producer.manifest import check_manifest

        check_manifest(path)


def _check_remote(path: str) -> None:
    from worker.bucket import describe_object  # the clients of buckets: only where one is named

    shown = printable(path)
    try:
        describe_object(path)
    except SourceError as error:
        raise SourceError(f"source {shown}: {error}") from error
    except ForbiddenImage as error:
        raise SourceError(
            f"source {shown} may not be read: {error}; check the credentials"
        ) from error
    except MissingImage as error:
        raise SourceError(f"source {shown} does not exist; check the bucket and the key") from error
    except UnreachableImage as error:
        raise SourceError(f"source {shown} is out of reach: {error}") from error


def _check_local(path: str) -> None:
    shown = printable(path)
    try:
        if os.path.isdir(path):  # noqa: PTH112  (a path may hold bytes that pathlib prints badly)
            with os.scandir(path):
                return
        if os.path.isfile(path):  # noqa: PTH113
            with open(path, "rb"):  # noqa: PTH123
                return
    except PermissionError as error:
        raise SourceError(
            f"source {shown} may not be read by this user; change its permissions or the user"
        ) from error
    except OSError as error:
        raise SourceError(f"source {shown} cannot be read: {error.strerror}") from error
    if os.path.lexists(path):
        raise SourceError(f"source {shown} is neither a directory nor a regular file")
    raise SourceError(f"source {shown} does not exist; check the path")


def _check_list(path: str) -> None:
    shown = printable(path)
    if not os.path.exists(path):  # noqa: PTH110
        raise SourceError(f"the list of names {shown} does not exist; check the path")
    if os.path.isdir(path):  # noqa: PTH112
        raise SourceError(f"the list of names {shown} is a directory; expected a file of names")
    if not os.access(path, os.R_OK):
        raise SourceError(f"the list of names {shown} may not be read by this user")


def is_manifest(path: str) -> bool:
    """Tell by its ending whether a source is a manifest."""
    return path.lower().endswith(MANIFEST_SUFFIXES)


def printable(path: str) -> str:
    """Show a path on one line, whatever bytes it holds."""
    return ascii(path) if not path.isprintable() else path


class Globs:
    """Globs for files: one with a slash is matched with the path inside the source, one without it
    with the name alone."""

    def __init__(self, patterns: Sequence[str]) -> None:
        """Compile."""
        self.names = [_compile(pattern) for pattern in patterns if "/" not in pattern]
        self.paths = [_compile(pattern.strip("/")) for pattern in patterns if "/" in pattern]

    def __bool__(self) -> bool:
        """Tell whether there is any glob."""
        return bool(self.names or self.paths)

    def match(self, name: str, inside: str) -> bool:
        """Tell whether one of the globs fits a name, or the path inside the source."""
        return any(glob.match(name) for glob in self.names) or any(
            glob.match(inside) for glob in self.paths
        )


def _compile(pattern: str) -> re.Pattern[str]:
    return re.compile(fnmatch.translate(pattern), re.DOTALL)
