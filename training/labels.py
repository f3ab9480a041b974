"""From what people said about images to training images."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from db.labels import Label
from fakesweep.contents import hash_file
from fakesweep.errors import SourceError
from fakesweep.uri import path_of_uri
from training.images import LabelledImage

log = logging.getLogger(__name__)

SOURCE = "reviewed"
NAMED = 5  # files named in a message; the others are counted


@dataclass
class CheckedLabels:
    """Labels as training images, and the URIs of those that cannot be used.

    Attributes:
        images: Files whose bytes are still those that were labelled; source `reviewed`, group the
            SHA-256.
        missing: The file is gone, or may not be read.
        changed: The file has other bytes than when it was labelled.
    """

    images: list[LabelledImage] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)


def labelled_images(rows: Iterable[Label]) -> list[LabelledImage]:
    """Turn labels into training images; what is missing or has changed is logged and left out."""
    checked = check_labels(rows)
    for uris, fault in (
        (checked.missing, "are gone or cannot be read"),
        (checked.changed, "have changed since they were labelled"),
    ):
        if uris:
            more = ", ..." if len(uris) > NAMED else ""
            log.warning(
                "%d labelled files %s and are left out: %s%s",
                len(uris), fault, ", ".join(uris[:NAMED]), more,
            )  # fmt: skip
    return checked.images


def check_labels(rows: Iterable[Label]) -> CheckedLabels:
    """Look which labelled files are there with the bytes that were labelled.

    Of several labels of the same bytes the newest counts; each file is read once.
    """
    newest: dict[str, Label] = {}
    for label in rows:
        known = newest.get(label.sha256)
        if known is None or label.labelled_at >= known.labelled_at:
            newest[label.sha256] = label
    checked = CheckedLabels()
    for label in newest.values():
        path = path_of_uri(label.uri)
        try:
            found = hash_file(path)
        except SourceError:
            found = None
        if found is None:
            checked.missing.append(label.uri)
        elif found != label.sha256:
            checked.changed.append(label.uri)
        else:
            checked.images.append(
                LabelledImage(path=Path(path), label=label.label, source=SOURCE, group=label.sha256)
            )
    return checked
