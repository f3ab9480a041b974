"""Find the images inside archives."""

from collections.abc import Iterator

from db.listing import FoundImage
from fakesweep.errors import ImageError, UnreachableImage
from fakesweep.formats import SNIFFED_BYTES, looks_like_image
from fakesweep.uri import INSIDE, is_archive
from producer.choice import Choice, has_image_suffix
from producer.findings import Findings
from producer.sources import printable
from worker.archive import Archive, ArchiveLimits
from worker.open_archives import OpenArchives


class ArchiveWalk:
    """Lists the members of archives that are images, archives inside archives included."""

    def __init__(self, choice: Choice, findings: Findings, limits: ArchiveLimits) -> None:
        self.choice = choice
        self.findings = findings
        self.archives = OpenArchives(limits)

    def close(self) -> None:
        """Close what is open."""
        self.archives.close()

    def members(self, found: FoundImage) -> Iterator[FoundImage | None]:
        """Give the images of an archive.

        One that cannot be opened, or breaks off, is given itself too: its row will say why.
        """
        try:
            with self.archives.opened(found.uri) as archive:
                for name in archive.members:
                    yield from self._member(archive, name, found)
                if archive.fault is not None:
                    yield found
        except UnreachableImage as error:
            self.findings.add_problem(
                f"archive {printable(found.uri)} could not be listed ({error}); its images are not"
                " part of this scan"
            )
            yield found
        except ImageError:
            yield found

    def _member(
        self, archive: Archive, name: str, outer: FoundImage
    ) -> Iterator[FoundImage | None]:
        member = archive.members[name]
        uri = f"{outer.uri}{INSIDE}{name}"
        found = FoundImage(uri, member.size_bytes, member.mtime, member.etag, outer.record)
        if self.choice.is_excluded(name):
            return
        if self.choice.is_hidden(name):
            self.findings.passed_over += 1
        elif is_archive(name):
            yield from self.members(found)
        elif not self.choice.is_included(name):
            return
        elif has_image_suffix(name) or _begins_like_image(archive, name):
            yield from self.findings.checked(found)
        else:
            self.findings.passed_over += 1
            yield None


def _begins_like_image(archive: Archive, name: str) -> bool:
    try:
        with archive.stream(name) as stream:
            return looks_like_image(stream.read(SNIFFED_BYTES))
    except ImageError:
        return False
