"""Which names count: the rules of a scan for objects of buckets and members of archives."""

import os

from fakesweep.formats import IMAGE_SUFFIXES
from producer.sources import Globs, Sources


class Choice:
    """The rules for hidden names, --include and --exclude, as a walk of directories keeps them."""

    def __init__(self, sources: Sources) -> None:
        self.hidden = sources.hidden
        self.include = Globs(sources.include)
        self.exclude = Globs(sources.exclude)

    def is_excluded(self, inside: str) -> bool:
        """Tell whether --exclude leaves out a name, or a folder that it lies in."""
        if not self.exclude:
            return False
        parts = inside.split("/")
        return any(
            self.exclude.match(part, "/".join(parts[: number + 1]))
            for number, part in enumerate(parts)
        )

    def is_hidden(self, inside: str) -> bool:
        """Tell whether a name, or a folder that it lies in, begins with a dot and must not."""
        return not self.hidden and any(part.startswith(".") for part in inside.split("/"))

    def is_included(self, inside: str) -> bool:
        """Tell whether --include lets a name count."""
        return not self.include or self.include.match(inside.rpartition("/")[2], inside)


def has_image_suffix(name: str) -> bool:
    """Tell by its ending whether a file is an image."""
    return os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES  # noqa: PTH122  (a million times)
