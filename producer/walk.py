"""Find the images of directories, files and lists of names, one at a time."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field

from db.listing import FoundImage
from fakesweep.formats import IMAGE_SUFFIXES, SNIFFED_BYTES, looks_like_image
from fakesweep.uri import LONGEST_URI, uri_of_path
from producer.names import read_names
from producer.sources import Globs, Sources, printable

SHOWN_PROBLEMS = 5


@dataclass
class Findings:
    """What a listing met besides images."""

    passed_over: int = 0
    problem_count: int = 0
    problems: list[str] = field(default_factory=list)

    def add_problem(self, text: str) -> None:
        """Note what could not be listed; the first few are kept in words."""
        self.problem_count += 1
        if len(self.problems) < SHOWN_PROBLEMS:
            self.problems.append(text)

    def in_words(self) -> list[str]:
        """Give the noted problems, and how many more there were."""
        more = self.problem_count - len(self.problems)
        return [*self.problems, *([f"and {more} more"] if more else [])]


def find_images(
    sources: Sources, findings: Findings, *, names: bool = True
) -> Iterator[FoundImage | None]:
    """List the images of all sources, holding no more than one directory's sub-directories.

    None is given between images, so that the caller can act, wherever none comes for a while.

    A file counts when its name or its first bytes are an image's; one that is named as a source or
    in a list always counts. Directories are read in the order of their names, files in that of the
    file system. What cannot be listed is noted in `findings` and does not end the listing. Without
    `names` the list of names is left out.

    Raises:
        SourceError: The list of names cannot be read, or is none.
    """
    walk = _Walk(sources, findings)
    for path in sources.paths:
        if os.path.isdir(path):  # noqa: PTH112  (paths may hold undecodable bytes)
            yield from walk.directory(path)
        else:
            yield from walk.named(path)
    if names and sources.files_from is not None:
        for name in read_names(sources.files_from, sources.working_dir):
            if name is None:
                yield None
            else:
                yield from walk.named(name)


class _Walk:
    def __init__(self, sources: Sources, findings: Findings) -> None:
        self.sources = sources
        self.findings = findings
        self.include = Globs(sources.include)
        self.exclude = Globs(sources.exclude)

    def named(self, path: str) -> Iterator[FoundImage | None]:
        """A file that the user named: always an image, even if it is not there any more."""
        try:
            facts = os.stat(path)  # noqa: PTH116
        except (OSError, ValueError):  # ValueError: no path holds a NUL
            yield from self._found(path, None)
            return
        if stat.S_ISDIR(facts.st_mode):
            yield from self.directory(path)
        else:
            yield from self._found(path, facts)

    def directory(self, top: str) -> Iterator[FoundImage | None]:
        """All images below a directory."""
        waiting = [top]
        entered: set[tuple[int, int]] = set()  # against circles of links
        while waiting:
            folder = waiting.pop()
            below: list[str] = []
            try:
                if self.sources.follow_symlinks:
                    facts = os.stat(folder)  # noqa: PTH116
                    if (facts.st_dev, facts.st_ino) in entered:
                        continue
                    entered.add((facts.st_dev, facts.st_ino))
                with os.scandir(folder) as entries:
                    for entry in entries:
                        yield from self._entry(entry, top, below)
            except OSError as error:
                self.findings.add_problem(
                    f"directory {printable(folder)} could not be read to its end"
                    f" ({error.strerror}); not all of its images are part of this scan"
                )
            waiting.extend(sorted(below, reverse=True))

    def _entry(
        self, entry: os.DirEntry[str], top: str, below: list[str]
    ) -> Iterator[FoundImage | None]:
        inside = entry.path[len(top) :].lstrip("/")
        if self.exclude and self.exclude.match(entry.name, inside):
            return
        follow = self.sources.follow_symlinks
        if entry.name.startswith(".") and not self.sources.hidden:
            self.findings.passed_over += not entry.is_dir(follow_symlinks=False)
        elif entry.is_symlink() and not follow:
            self.findings.passed_over += 1
        elif self._is_directory(entry):
            below.append(entry.path)
        elif self.include and not self.include.match(entry.name, inside):
            return
        else:
            yield from self._file(entry)

    def _is_directory(self, entry: os.DirEntry[str]) -> bool:
        try:
            return entry.is_dir(follow_symlinks=self.sources.follow_symlinks)
        except OSError:  # a link in a circle or behind a closed door: its row will say so
            return False

    def _file(self, entry: os.DirEntry[str]) -> Iterator[FoundImage | None]:
        follow = self.sources.follow_symlinks
        try:
            facts = entry.stat(follow_symlinks=follow)
        except OSError:
            yield from self._found(entry.path, None)  # gone or closed: its row will say so
            return
        if not stat.S_ISREG(facts.st_mode) or not (
            _has_image_suffix(entry.name) or _may_be_image(entry.path)
        ):
            self.findings.passed_over += 1
            yield None
            return
        yield from self._found(entry.path, facts)

    def _found(self, path: str, facts: os.stat_result | None) -> Iterator[FoundImage]:
        uri = uri_of_path(path)
        if len(uri) > LONGEST_URI // 4 and len(uri.encode()) > LONGEST_URI:
            self.findings.add_problem(
                f"{printable(path[:60])}...: a path of {len(uri.encode())} bytes is too long for"
                f" the ledger, which holds {LONGEST_URI}"
            )
        elif facts is None:
            yield FoundImage(uri, None, None)
        else:
            yield FoundImage(uri, facts.st_size, facts.st_mtime)


def _has_image_suffix(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES  # noqa: PTH122  (a million times)


def _may_be_image(path: str) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return True  # it may be one: its row will say why it could not be read
    try:
        return looks_like_image(os.read(descriptor, SNIFFED_BYTES))
    except OSError:
        return True
    finally:
        os.close(descriptor)
