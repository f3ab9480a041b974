"""Find the images of all sources, one at a time; those of directories and files by itself."""

import os
import stat
from collections.abc import Iterable, Iterator

from db.listing import FoundImage
from fakesweep.errors import ImageError, SourceError
from fakesweep.formats import IMAGE_SUFFIXES, SNIFFED_BYTES, looks_like_image
from fakesweep.uri import LONGEST_URI, is_archive, is_remote, path_of_uri, split_member, uri_of_path
from producer.archives import ArchiveWalk
from producer.buckets import BucketWalk
from producer.choice import Choice, has_image_suffix
from producer.findings import Findings
from producer.manifest import read_manifest
from producer.names import read_names
from producer.sources import Sources, is_manifest, printable
from worker.archive import ArchiveLimits
from worker.bucket import describe_object

SUFFIXES = tuple(IMAGE_SUFFIXES)
LONGEST_NAME = 255  # bytes, of a file in any of the usual file systems


def find_images(
    sources: Sources, findings: Findings, limits: ArchiveLimits, *, names: bool = True
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
    walk = _Walk(sources, findings, limits)
    try:
        for source in sources.paths:
            yield from walk.source(source)
        if names and sources.files_from is not None:
            listed = read_names(sources.files_from, sources.working_dir)
            yield from walk.named_all(
                uri if uri is None else FoundImage(uri, None, None) for uri in listed
            )
    finally:
        walk.close()


class _Walk:
    def __init__(self, sources: Sources, findings: Findings, limits: ArchiveLimits) -> None:
        self.sources = sources
        self.findings = findings
        choice = Choice(sources)
        self.include, self.exclude = choice.include, choice.exclude
        self.archives = ArchiveWalk(choice, findings, limits) if sources.archives else None
        self.buckets = BucketWalk(choice, findings, self.archives)

    def close(self) -> None:
        """End threads and close what is open."""
        self.buckets.close()
        if self.archives is not None:
            self.archives.close()

    def source(self, source: str) -> Iterator[FoundImage | None]:
        """All images of one source."""
        if is_manifest(source):
            yield from self.named_all(read_manifest(source, self.findings))
        elif is_remote(source) and split_member(source) is None:
            yield from self._remote(source)
        elif is_remote(source):
            yield from self._named(FoundImage(source, None, None))
        else:
            yield from self._named(FoundImage(uri_of_path(source), None, None))

    def named_all(self, named: Iterable[FoundImage | None]) -> Iterator[FoundImage | None]:
        """What a list or manifest names: always images, or what lies below them."""
        for found in self.buckets.look_up(named):
            yield from (None,) if found is None else self._named(found)

    def _named(self, found: FoundImage) -> Iterator[FoundImage | None]:
        """What the user named: always an image, even if it is not there any more."""
        if is_remote(found.uri) or split_member(found.uri) is not None:
            yield from self._opened(found)
            return
        path = path_of_uri(found.uri)
        try:
            facts = os.stat(path)  # noqa: PTH116
        except (OSError, ValueError):  # ValueError: no path holds a NUL
            yield from self.findings.checked(found)
            return
        if stat.S_ISDIR(facts.st_mode):
            yield from self.directory(path)
        else:
            for named in self._found(path, facts, found.record):
                yield from self._opened(named)

    def _remote(self, source: str) -> Iterator[FoundImage | None]:
        """All images below a URL, or the one object that it names."""
        try:
            stored = describe_object(source)
        except (ImageError, SourceError) as error:
            self.findings.add_problem(f"{source} could not be listed: {error}")
            return
        if stored.is_folder:
            yield from self.buckets.below(source)
        else:
            facts = (stored.size_bytes, stored.mtime, stored.etag)
            yield from self._opened(FoundImage(source, *facts))

    def _opened(self, found: FoundImage) -> Iterator[FoundImage | None]:
        """The images in an archive; anything else as it is."""
        if is_archive(found.uri) and self.archives is not None:
            yield from self.archives.members(found)
        else:
            yield from self.findings.checked(found)

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
                start = self._start_of_names(folder)
                with os.scandir(folder) as entries:
                    for entry in entries:
                        if start is not None and (found := _quick(entry, start)) is not None:
                            yield found
                        else:
                            yield from self._entry(entry, top, below)
            except OSError as error:
                self.findings.add_problem(
                    f"directory {printable(folder)} could not be read to its end"
                    f" ({error.strerror}); not all of its images are part of this scan"
                )
            waiting.extend(sorted(below, reverse=True))

    def _start_of_names(self, folder: str) -> str | None:
        """Give what the URI of a plain name in this folder begins with; None: each needs a closer look."""
        if self.include or self.exclude:
            return None
        start = f"{folder.rstrip('/')}/"
        return (
            start
            if len(start) + LONGEST_NAME < LONGEST_URI // 4
            and uri_of_path(f"{start}x") == f"{start}x"
            else None
        )

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
        if self.archives is not None and is_archive(entry.name) and stat.S_ISREG(facts.st_mode):
            uri = uri_of_path(entry.path)
            yield from self.archives.members(FoundImage(uri, facts.st_size, facts.st_mtime))
            return
        if not stat.S_ISREG(facts.st_mode) or not (
            has_image_suffix(entry.name) or _may_be_image(entry.path)
        ):
            self.findings.passed_over += 1
            yield None
            return
        yield from self._found(entry.path, facts)

    def _found(
        self, path: str, facts: os.stat_result | None, record: str | None = None
    ) -> Iterator[FoundImage]:
        size, mtime = (None, None) if facts is None else (facts.st_size, facts.st_mtime)
        yield from self.findings.checked(FoundImage(uri_of_path(path), size, mtime, record=record))


def _quick(entry: os.DirEntry[str], start: str) -> FoundImage | None:
    """Give what nearly every entry is, a plain file with an image's ending; None: look closer."""
    name = entry.name
    if name[0] == "." or not name.isascii() or not name.lower().endswith(SUFFIXES):
        return None
    try:
        if not entry.is_file(follow_symlinks=False):
            return None
        facts = entry.stat(follow_symlinks=False)
    except OSError:
        return None
    return FoundImage(start + name, facts.st_size, facts.st_mtime)


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
