"""The bytes of an image by its URI: a file, an object of a bucket, or a member of an archive."""

from collections.abc import Callable
from dataclasses import dataclass

from fakesweep.errors import ImageError, UnreadableImage, UnsupportedImage
from fakesweep.formats import SNIFFED_BYTES, looks_like_image
from fakesweep.settings import Settings
from fakesweep.uri import is_archive, is_remote, path_of_uri, split_member
from worker.archive import ArchiveLimits
from worker.bucket import read_object
from worker.files import read_file
from worker.open_archives import OpenArchives


@dataclass(frozen=True)
class ImageBytes:
    """One image as it was when read.

    Attributes:
        mtime: Seconds since 1970, None where its place knows none.
        etag: Names this content, where there is no mtime or a bucket says it; else None.
    """

    content: bytes
    size_bytes: int
    mtime: float | None
    etag: str | None = None


class Reader:
    """Reads images for one process; safe for threads."""

    def __init__(self, *, limit_bytes: int, archives: ArchiveLimits) -> None:
        self.limit_bytes = limit_bytes
        self.archives = OpenArchives(archives)

    def close(self) -> None:
        """Close the archives that are still open."""
        self.archives.close()

    def read(
        self, uri: str, *, wait_for_room: Callable[[int], None] = lambda _: None
    ) -> ImageBytes:
        """Read one image whole.

        Args:
            wait_for_room: Called with the size of what lies in a bucket before it is read; may wait.

        Raises:
            ImageError: It cannot be read; its `code` and text say why.
        """
        if not is_archive(uri):
            return self._read_bytes(uri, wait_for_room)
        try:
            return self._why_not_opened(uri)
        except UnreadableImage as error:  # perhaps an image under a wrong name
            try:
                read = self._read_bytes(uri, wait_for_room)
            except ImageError:
                raise error from None
            if looks_like_image(read.content[:SNIFFED_BYTES]):
                return read
            raise

    def _read_bytes(self, uri: str, wait_for_room: Callable[[int], None]) -> ImageBytes:
        if split_member(uri) is not None:
            content, member = self.archives.read(uri, self.limit_bytes)
            return ImageBytes(content, len(content), member.mtime, member.etag)
        if is_remote(uri):
            content, facts = read_object(
                uri, limit_bytes=self.limit_bytes, wait_for_room=wait_for_room
            )
            return ImageBytes(content, len(content), facts.mtime, facts.etag)
        content, local = read_file(path_of_uri(uri), limit_bytes=self.limit_bytes)
        return ImageBytes(content, len(content), local.st_mtime)

    def _why_not_opened(self, uri: str) -> ImageBytes:
        """An archive is listed itself only where it could not be opened or breaks off."""
        with self.archives.opened(uri) as archive:
            raise archive.fault or UnsupportedImage(
                "an archive, not an image; the next scan lists its members"
            )


def make_reader(settings: Settings) -> Reader:
    """Make a reader with the limits of the settings."""
    return Reader(limit_bytes=settings.limit_bytes, archives=archive_limits(settings))


def archive_limits(settings: Settings) -> ArchiveLimits:
    """Collect the limits of archives from the settings."""
    return ArchiveLimits(
        members=settings.archive_members,
        unpacked_bytes=settings.archive_bytes,
        ratio=settings.archive_ratio,
        depth=settings.archive_depth,
    )
