"""Judge new images as they arrive: directories by the system's events, buckets by looking again."""

import logging
import os
import stat
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from watchfiles import watch as watch_files

from db.ledger import Ledger
from db.listing import FoundImage, known_verdicts
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


@dataclass
class Watch:
    """What is watched, and how.

    Attributes:
        sources: Directories and URLs, with the rules for names.
        settle_s: A file counts as fully written when it has not changed for so long.
        poll_s: Seconds between two looks at buckets.
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
        buckets = replace(
            self.sources, paths=tuple(path for path in self.sources.paths if is_remote(path))
        )
        settling = Settling(self.settle_s)
        caught_up = False
        looked_at = -self.poll_s
        for changed in _changes(folders, self.stop):
            if not changed and not caught_up:
                caught_up = True
                for image in self._new(replace(self.sources, paths=tuple(folders))):
                    settling.add(path_of_uri(outermost(image.uri)), time.monotonic())
            for path in changed:
                if self._counts(path, folders):
                    settling.add(path, time.monotonic())
            self._scan(settling.ready(time.monotonic()))
            if buckets.paths and time.monotonic() - looked_at >= self.poll_s:
                self._scan([image.uri for image in self._new(buckets)])
                looked_at = time.monotonic()

    def _scan(self, names: Sequence[str]) -> None:
        for first in range(0, len(names), LARGEST_SCAN):
            group = tuple(names[first : first + LARGEST_SCAN])
            log.info("%d new images", len(group))
            self.begin(replace(self.sources, paths=group))

    def _new(self, sources: Sources) -> Iterator[FoundImage]:
        """List what has no verdict yet, or has changed since; nothing is recorded."""
        if not sources.paths:
            return
        version = check_model(self.settings, None)
        findings = Findings()
        images = (
            image
            for image in find_images(sources, findings, archive_limits(self.settings))
            if image is not None
        )
        while group := list(islice(images, LOOKUP)):
            with self.ledger.read() as connection:
                known = known_verdicts(connection, [image.uri for image in group], version)
            for image in group:
                if not is_unchanged(image, known.get(image.uri), failed_too=True):
                    yield image
        for problem in findings.in_words():
            log.warning("%s", problem)

    def _counts(self, path: str, folders: Sequence[str]) -> bool:
        """Tell whether a file in a watched directory is one to judge."""
        top = next(
            (folder for folder in folders if path.startswith(folder.rstrip("/") + "/")), None
        )
        if top is None:
            return False
        inside = path[len(top.rstrip("/")) + 1 :]
        choice = Choice(self.sources)
        if choice.is_excluded(inside) or choice.is_hidden(inside):
            return False
        if is_archive(path):
            return self.sources.archives
        if not choice.is_included(inside):
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


class Settling:
    """Files that were written to, until they have been left alone for a while."""

    def __init__(self, settle_s: float) -> None:
        self.settle_s = settle_s
        self._files: dict[str, tuple[tuple[int, int] | None, float]] = {}

    def add(self, path: str, now: float) -> None:
        """Wait for a file that has changed."""
        self._files[path] = (_signature(path), now)

    def ready(self, now: float) -> list[str]:
        """Give the files that are fully written, and wait for them no more."""
        done = []
        for path, (before, since) in list(self._files.items()):
            signature = _signature(path)
            if signature is None:  # moved on, or deleted again
                del self._files[path]
            elif signature != before:
                self._files[path] = (signature, now)
            elif now - since >= self.settle_s:
                del self._files[path]
                done.append(path)
        return done


def _signature(path: str) -> tuple[int, int] | None:
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
        yield {path for kind, path in changes if kind.name in ("added", "modified")}
