"""Judge new images as they arrive: directories by the system's events, buckets by looking again."""

import logging
import math
import os
import stat
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from watchfiles import watch as watch_files

from db.ledger import Ledger
from db.listing import FoundImage, known_images
from fakesweep.formats import SNIFFED_BYTES, looks_like_image
from fakesweep.settings import Settings
from fakesweep.uri import is_archive, is_remote, outermost, path_of_uri
from producer.choice import Choice, has_image_suffix
from producer.findings import Findings
from producer.listing import is_unchanged
from producer.sources import Sources
from producer.walk import find_images
from worker.models import check_model
from worker.read import archive_limits

log = logging.getLogger(__name__)

LARGEST_SCAN = 1000  # new images of one scan
LOOK_S = 0.5
LOOKUP = 1000
LOOKS_PER_LISTING = 10  # of a bucket, for one listing of the directories
Signature = tuple[int, int]  # bytes, nanoseconds of the modification time


@dataclass
class Watch:
    """What is watched, and how.

    Attributes:
        sources: Directories and URLs, with the rules for names.
        settle_s: A file counts as fully written when it has not changed for so long.
        poll_s: Seconds between two looks at buckets; directories are listed a tenth as often.
        begin: Begins a scan of these images.
        stop: Set to end.
    """

    ledger: Ledger
    settings: Settings
    sources: Sources
    settle_s: float
    poll_s: float
    begin: Callable[[Sources], None]
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Catch up on what arrived meanwhile, then watch until told to stop.

        Raises:
            FakesweepError: A scan cannot begin, or the database does not answer.
        """
        folders = [path for path in self.sources.paths if not is_remote(path)]
        buckets = [path for path in self.sources.paths if is_remote(path)]
        arrivals = Arrivals(folders, self.sources, self.settle_s)
        begun: Mapping[str, object] = {}  # objects, in the version they had
        listed_at = looked_at = -math.inf
        for changed in _changes(folders, self.stop):
            now = time.monotonic()
            for path in changed:
                arrivals.add(path, now)
            if now - listed_at >= LOOKS_PER_LISTING * self.poll_s:
                arrivals.add_new(
                    {path_of_uri(outermost(image.uri)) for image in self._new(folders)}
                )
                listed_at = time.monotonic()
            self._scan(arrivals.ready(time.monotonic()))
            if now - looked_at >= self.poll_s:
                objects = {
                    image.uri: (image.etag, image.size_bytes, image.mtime)
                    for image in self._new(buckets)
                }
                self._scan([uri for uri, facts in objects.items() if begun.get(uri) != facts])
                begun = objects
                looked_at = time.monotonic()

    def _scan(self, names: Sequence[str]) -> None:
        for first in range(0, len(names), LARGEST_SCAN):
            group = tuple(names[first : first + LARGEST_SCAN])
            log.info("%d new images", len(group))
            self.begin(replace(self.sources, paths=group))

    def _new(self, paths: Sequence[str]) -> Iterator[FoundImage]:
        """List what has no verdict yet, or has changed since; nothing is recorded."""
        if not paths:
            return
        sources = replace(self.sources, paths=tuple(paths))
        version = check_model(self.settings, None)
        findings = Findings()
        images = (
            image
            for image in find_images(sources, findings, archive_limits(self.settings))
            if image is not None
        )
        while group := list(islice(images, LOOKUP)):
            with self.ledger.read() as connection:
                _, known = known_images(
                    connection,
                    [image.uri for image in group],
                    model_version=version,
                    scan_id=None,
                )
            for image in group:
                if not is_unchanged(image, known.get(image.uri), failed_too=True):
                    yield image
        for problem in findings.in_words():
            log.warning("%s", problem)


class Arrivals:
    """Files in watched directories that were written to, until they have been left alone for a while.

    What is written into a folder before the system watches it makes no event, nor does what is in a
    folder that is moved in: it is found by looking into a folder when it comes and when it has settled,
    and by `add_new`.
    """

    def __init__(self, folders: Sequence[str], sources: Sources, settle_s: float) -> None:
        self.folders = folders
        self.archives = sources.archives
        self.choice = Choice(sources)
        self.settle_s = settle_s
        self._waiting: dict[str, tuple[Signature, float]] = {}
        self._given: dict[str, Signature] = {}

    def add(self, path: str, now: float) -> None:
        """Wait for a file that changed if it is one to judge; look into a folder that came."""
        inside = self._inside(path)
        if inside is None or self.choice.is_excluded(inside) or self.choice.is_hidden(inside):
            return
        if os.path.isdir(path):  # noqa: PTH112
            self._wait(path, now)
            self._look_into(path, now)
        elif self._is_image(path, inside):
            self._wait(path, now)

    def add_new(self, paths: Set[str]) -> None:
        """Wait for files that have no verdict; all others are known, and need not be remembered."""
        self._given = {path: seen for path, seen in self._given.items() if path in paths}
        for path in paths:
            self._wait(path, time.monotonic())

    def ready(self, now: float) -> list[str]:
        """Give the files that are fully written, each once as long as it stays as it is."""
        done = []
        for path, (before, since) in list(self._waiting.items()):
            signature = _signature(path)
            if signature is None:  # moved on, or deleted again
                del self._waiting[path]
            elif signature != before:
                self._waiting[path] = (signature, now)
            elif now - since >= self.settle_s:
                del self._waiting[path]
                if os.path.isdir(path):  # noqa: PTH112
                    self._look_into(path, now)
                else:
                    self._given[path] = signature
                    done.append(path)
        return done

    def _wait(self, path: str, now: float) -> None:
        signature = _signature(path)
        waiting = self._waiting.get(path)
        if signature is not None and signature not in (
            waiting and waiting[0],
            self._given.get(path),
        ):
            self._waiting[path] = (signature, now)

    def _look_into(self, folder: str, now: float) -> None:
        for inner, _, names in os.walk(folder):
            for name in names:
                self.add(os.path.join(inner, name), now)  # noqa: PTH118

    def _inside(self, path: str) -> str | None:
        """Name a path as seen from the watched directory that it lies in."""
        for folder in self.folders:
            top = folder.rstrip("/") + "/"
            if path.startswith(top):
                return path[len(top) :]
        return None

    def _is_image(self, path: str, inside: str) -> bool:
        if is_archive(path):
            return self.archives
        if not self.choice.is_included(inside):
            return False
        try:
            if not stat.S_ISREG(os.lstat(path).st_mode):
                return False
            if has_image_suffix(path):
                return True
            with Path(path).open("rb") as file:
                return looks_like_image(file.read(SNIFFED_BYTES))
        except OSError:
            return False


def _signature(path: str) -> Signature | None:
    try:
        facts = os.stat(path)  # noqa: PTH116
    except OSError:
        return None
    return facts.st_size, facts.st_mtime_ns


def _changes(folders: Sequence[str], stop: threading.Event) -> Iterator[set[str]]:
    """Give the paths that were added or changed, an empty set first and whenever there is none."""
    if not folders:
        while not stop.wait(LOOK_S):
            yield set()
        return
    step = round(1000 * LOOK_S)
    for changes in watch_files(
        *folders,
        watch_filter=None,
        stop_event=stop,
        step=50,
        debounce=step,
        rust_timeout=step,
        yield_on_timeout=True,
        raise_interrupt=False,
    ):
        yield {
            path
            for kind, path in changes
            if kind.name == "added" or (kind.name == "modified" and not os.path.isdir(path))  # noqa: PTH112
        }
