"""Find the images of buckets, and look up objects that are named one by one."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from db.listing import FoundImage
from fakesweep.errors import ImageError, SourceError
from fakesweep.formats import SNIFFED_BYTES, looks_like_image
from fakesweep.uri import is_archive, is_remote
from producer.archives import ArchiveWalk
from producer.choice import Choice, has_image_suffix
from producer.findings import Findings
from worker.bucket import StoredObject, describe_object, list_objects, read_head

ASKED_AT_ONCE = 16
LOOKED_AHEAD = 256


class BucketWalk:
    """Lists the objects below a URL that are images, and those inside archives."""

    def __init__(self, choice: Choice, findings: Findings, archives: ArchiveWalk | None) -> None:
        self.choice = choice
        self.findings = findings
        self.archives = archives
        self.pool = ThreadPoolExecutor(ASKED_AT_ONCE, thread_name_prefix="look")

    def close(self) -> None:
        """End the threads."""
        self.pool.shutdown(cancel_futures=True)

    def below(self, top: str) -> Iterator[FoundImage | None]:
        """Give the images below a folder; a listing that breaks off is noted."""
        try:
            for page in list_objects(top):
                yield from self._page(page, len(top.rstrip("/")) + 1)
                yield None
        except (ImageError, SourceError) as error:
            self.findings.add_problem(
                f"{top} could not be listed to its end ({error}); not all of its images are part of"
                " this scan"
            )

    def _page(self, page: list[StoredObject], start: int) -> Iterator[FoundImage | None]:
        unsure: list[StoredObject] = []
        for stored in page:
            inside = stored.uri[start:]
            name = inside.rpartition("/")[2]
            if self.choice.is_excluded(inside):
                continue
            if self.choice.is_hidden(inside):
                self.findings.passed_over += 1
            elif is_archive(name) and self.archives is not None:
                yield from self.archives.members(_found(stored))
            elif not self.choice.is_included(inside):
                continue
            elif has_image_suffix(name):
                yield from self.findings.checked(_found(stored))
            elif "." in name:  # a request for each of these would cost more than the listing
                self.findings.passed_over += 1
            else:
                unsure.append(stored)
        for stored, is_image in zip(unsure, self.pool.map(_begins_like_image, unsure), strict=True):
            if is_image:
                yield from self.findings.checked(_found(stored))
            else:
                self.findings.passed_over += 1

    def look_up(self, named: Iterable[FoundImage | None]) -> Iterator[FoundImage | None]:
        """Fill in what the stores say about objects that were named, many asked at a time.

        What is no object passes through; None passes through, too. The order may change.
        """
        asked: deque[Future[FoundImage]] = deque()
        for found in named:
            if found is not None and is_remote(found.uri) and found.size_bytes is None:
                asked.append(self.pool.submit(_look_up, found))
            else:
                yield found
            while len(asked) > LOOKED_AHEAD or (asked and asked[0].done()):
                yield asked.popleft().result()
        while asked:
            yield asked.popleft().result()


def _found(stored: StoredObject, record: str | None = None) -> FoundImage:
    return FoundImage(stored.uri, stored.size_bytes, stored.mtime, stored.etag, record)


def _look_up(found: FoundImage) -> FoundImage:
    try:
        return _found(describe_object(found.uri), found.record)
    except (ImageError, SourceError):
        return found  # its row will say so


def _begins_like_image(stored: StoredObject) -> bool:
    try:
        return looks_like_image(read_head(stored.uri, SNIFFED_BYTES))
    except (ImageError, SourceError):
        return True  # it may be one: its row will say why it could not be read
