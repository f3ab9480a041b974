"""Prepare images in threads ahead of the device, no more than fit into memory."""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from itertools import islice

from worker.prepare import PreparedImage

AHEAD = 3
"""Device batches prepared or in preparation while one is scored. Counted in views, of which a group
picture has up to twice as many as faces are judged: as many images would not fit into memory."""


def prepare_ahead(
    uris: Iterable[str],
    start: Callable[[str], Future[PreparedImage]],
    *,
    device_batch: int,
) -> Iterator[PreparedImage]:
    """Prepare in threads, a bounded number of views ahead, and give the images in order.

    Args:
        uris: Taken as they are needed.
        start: Begins to prepare one image, in a thread; what it answers raises nothing.
        device_batch: At most so many images are in preparation; at most `AHEAD` times as many views
            wait, with the images in preparation counted as one view each.
    """
    names = iter(uris)
    ahead: deque[Future[PreparedImage]] = deque()
    counted = _Counted()

    def fill() -> None:
        room = min(device_batch - counted.in_hand, AHEAD * device_batch - counted.all())
        for uri in islice(names, max(0, room)):
            counted.begin()
            future = start(uri)
            future.add_done_callback(counted.end)
            ahead.append(future)

    try:
        fill()
        while ahead:
            image = ahead.popleft().result()
            counted.take(image)
            fill()
            yield image
    finally:
        for future in ahead:
            future.cancel()


class _Counted:
    """Images in preparation, and views of those that wait."""

    def __init__(self) -> None:
        self.in_hand = 0
        self.waiting = 0
        self._lock = threading.Lock()

    def begin(self) -> None:
        with self._lock:
            self.in_hand += 1

    def end(self, future: Future[PreparedImage]) -> None:
        with self._lock:
            self.in_hand -= 1
            if not future.cancelled() and future.exception() is None:
                self.waiting += _count_views(future.result())

    def take(self, image: PreparedImage) -> None:
        with self._lock:
            self.waiting -= _count_views(image)

    def all(self) -> int:
        return self.in_hand + self.waiting


def _count_views(image: PreparedImage) -> int:
    return max(1, len(image.views))
