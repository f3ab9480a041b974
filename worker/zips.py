"""Zip archives: members are compressed one by one, so that threads may read side by side."""

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from fakesweep.errors import (
    EncryptedImage,
    ImageError,
    MissingImage,
    UnreadableImage,
    UnsupportedImage,
    one_line,
)
from worker.archive import BROKEN, ArchiveLimits, Member, member_name

ENCRYPTED = 1  # bit of a member's flags


class ZipArchive:
    """An open zip."""

    def __init__(self, file: IO[bytes], packed_bytes: int, limits: ArchiveLimits) -> None:
        self.file = file
        self.fault: ImageError | None = None
        self.zip = zipfile.ZipFile(file)
        self.infos = {
            member_name(info.filename): info for info in self.zip.infolist() if not info.is_dir()
        }
        limits.check_members(len(self.infos))
        limits.check_size(sum(info.file_size for info in self.infos.values()), packed_bytes)
        self.members = {
            name: Member(name, info.file_size, None, f"crc32:{info.CRC:08x}")
            for name, info in self.infos.items()
        }

    @contextmanager
    def stream(self, name: str) -> Iterator[IO[bytes]]:
        """Give the bytes of a member to read."""
        info = self.infos.get(name)
        if info is None:
            raise MissingImage("the archive has no member of this name")
        if info.flag_bits & ENCRYPTED:
            raise EncryptedImage("the member is encrypted; unpack the archive with its password")
        try:
            with self.zip.open(info) as stream:
                yield stream
        except NotImplementedError as error:
            raise UnsupportedImage(f"the member cannot be unpacked: {one_line(error)}") from error
        except BROKEN as error:
            raise UnreadableImage(f"the member is damaged: {one_line(error)}") from error

    def close(self) -> None:
        """Let go of the file."""
        self.zip.close()
        self.file.close()
