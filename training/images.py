"""What a labelled image is: a path, a class and the source it comes from.

The **source** of an image is the set it belongs to; metrics are reported per source. For a
directory it is the directory's own name, or its parent's where that name only says the class
(`real`, `training_fake`, `1`, ...): `faces/celeba/real` is `celeba`.
"""

import re
from dataclasses import dataclass
from pathlib import Path

CLASS_WORD = re.compile(
    r"^(train|training|val|valid|validation|test)?[_\-. ]?(real|fake|0|1)s?$", re.IGNORECASE
)


@dataclass(frozen=True)
class LabelledImage:
    """One image of known class; `group` and `split` only where a manifest gives them."""

    path: Path
    label: int
    source: str
    group: str | None = None
    split: str | None = None


@dataclass(frozen=True)
class Dataset:
    """The images in a stable order, and how many manifest rows had no label."""

    images: list[LabelledImage]
    without_label: int = 0


def source_name(folder: Path) -> str:
    """Name the source of a directory.

    Its own name, or its parent's where it only says the class.
    """
    folder = folder.resolve()
    return folder.parent.name if CLASS_WORD.match(folder.name) else folder.name
