"""Prepare images in threads ahead of the device, no more than fit into memory."""

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
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
    least_batch: int,
    device_batch: int,
    progress: Callable[[], None],
) -> Generator[list[PreparedImage]]:
    """Prepare in threads, a bounded number of views ahead, and give the images in order, in groups.

    A group is waited for until it has `least_batch` views; images that are ready by then come with it, so
    that the device neither waits for views it does not need nor is called more often than necessary.

    Args:
        uris: Taken as they are needed.
        start: Begins to prepare one image, in a thread; what it answers raises nothing.
        least_batch: Views of a group, or more, but for the last one.
        device_batch: A group that has so many views is complete. At most so many images are in
            preparation; at most `AHEAD` times as many views wait, with the images in preparation counted as
            one view each.
        progress: Called whenever an image is prepared.
    """
    ahead = _Ahead(iter(uris), start, device_batch)
    group: list[PreparedImage] = []
    views = 0
    try:
        ahead.fill()
        while (future := ahead.next()) is not None:
            if views >= device_batch or (views >= least_batch and not future.done()):
                yield group
                group, views = [], 0
            image = future.result()
            ahead.take(image)
            group.append(image)
            views += len(image.views)
            progress()
        if group:
            yield group
    finally:
        ahead.cancel()


class _Ahead:
    """Images in preparation and prepared ones, in order.

    Whoever ends one image begins the next: were it only the taker, the threads would stand still whenever
    the device scores for longer than they need for what they have in hand.
    """

    def __init__(
        self,
        names: Iterator[str],
        start: Callable[[str], Future[PreparedImage]],
        device_batch: int,
    ) -> None:
        self.names = names
        self.start = start
        self.device_batch = device_batch
        self.futures: deque[Future[PreparedImage]] = deque()
        self.in_hand = 0
        self.waiting = 0  # views
        self.lock = threading.RLock()  # a future that is done already calls `_end` from `fill`

    def fill(self) -> None:
        """Begin to prepare as many images as there is room for."""
        with self.lock:
            room = min(
                self.device_batch - self.in_hand,
                AHEAD * self.device_batch - self.in_hand - self.waiting,
            )
            for uri in islice(self.names, max(0, room)):
                self.in_hand += 1
                future = self.start(uri)
                self.futures.append(future)
                future.add_done_callback(self._end)

    def next(self) -> Future[PreparedImage] | None:
        """Give the next image in order, ready or not; None after the last one."""
        with self.lock:
            return self.futures.popleft() if self.futures else None

    def take(self, image: PreparedImage) -> None:
        """Make room for what was prepared for longest."""
        with self.lock:
            self.waiting -= _count_views(image)
        self.fill()

    def cancel(self) -> None:
        """Begin nothing more, and give up what has not begun."""
        with self.lock:
            self.names = iter(())
            futures = list(self.futures)
        for future in futures:
            future.cancel()

    def _end(self, future: Future[PreparedImage]) -> None:
        with self.lock:
            self.in_hand -= 1
            if not future.cancelled() and future.exception() is None:
                self.waiting += _count_views(future.result())
        self.fill()


def _count_views(image: PreparedImage) -> int:
    return max(1, len(image.views))
