"""The threads that read and prepare images.

Local files are read where they are decoded. What lies in a bucket or an archive is waited for in
threads of its own, many at a time, so that no core stands still meanwhile.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress

from detector.card import ModelCard
from detector.finder import Finder
from fakesweep.settings import MIB, Settings
from fakesweep.uri import is_remote, split_member
from worker.prepare import PreparedImage, prepare_image
from worker.read import ImageBytes, Reader, make_reader

HELD_BYTES = 512 * MIB  # of what was read from buckets and waits to be decoded


class ImageThreads:
    """Reads and prepares images for one process."""

    def __init__(self, settings: Settings) -> None:
        self.limit_px = settings.limit_px
        self.reader: Reader = make_reader(settings)
        self.room = Room(HELD_BYTES)
        self.decoding = ThreadPoolExecutor(settings.cpu_threads, thread_name_prefix="prepare")
        self.reading = ThreadPoolExecutor(settings.reads, thread_name_prefix="read")

    def close(self) -> None:
        """End the threads and close what they read from."""
        self.reading.shutdown(cancel_futures=True)
        self.decoding.shutdown(cancel_futures=True)
        self.reader.close()

    def start(self, uri: str, card: ModelCard, finder: Finder) -> Future[PreparedImage]:
        """Begin to read and prepare an image; its future raises nothing."""
        if not is_remote(uri) and split_member(uri) is None:
            return self.decoding.submit(
                self._prepare, uri, lambda: self.reader.read(uri), card, finder
            )
        answer: Future[PreparedImage] = Future()
        self.reading.submit(self._fetch, uri, card, finder, answer)
        return answer

    def _prepare(
        self, uri: str, read: Callable[[], ImageBytes], card: ModelCard, finder: Finder
    ) -> PreparedImage:
        return prepare_image(uri, read, card, limit_px=self.limit_px, finder=finder)

    def _fetch(
        self, uri: str, card: ModelCard, finder: Finder, answer: Future[PreparedImage]
    ) -> None:
        """Read in this thread, then decode in another."""
        if not answer.set_running_or_notify_cancel():
            return
        held, began = Held(self.room), time.monotonic()
        read: Future[ImageBytes] = Future()
        try:
            read.set_result(self.reader.read(uri, wait_for_room=held.take))
        except Exception as error:  # raised again where the image is prepared, and recorded there
            read.set_exception(error)
        read_s = time.monotonic() - began

        def decode() -> None:
            try:
                prepared = self._prepare(uri, read.result, card, finder)
                prepared.read_s = read_s
                answer.set_result(prepared)
            finally:
                held.release()

        try:
            self.decoding.submit(decode)
        except RuntimeError:  # the threads were ended meanwhile: nobody waits any more
            held.release()
            with suppress(Exception):
                answer.set_exception(InterruptedError("the process ends"))


class Room:
    """So many bytes may be held at a time; one image that is larger alone."""

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self.held = 0
        self.changed = threading.Condition()


class Held:
    """What one image holds of a room."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self.size = 0

    def take(self, size: int) -> None:
        """Wait until there is room."""
        room = self.room
        with room.changed:
            room.changed.wait_for(lambda: not room.held or room.held + size <= room.limit_bytes)
            room.held += size
            self.size += size

    def release(self) -> None:
        """Give back what was taken."""
        with self.room.changed:
            self.room.held -= self.size
            self.size = 0
            self.room.changed.notify_all()
