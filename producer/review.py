"""From what a person says about images to labels: one image or a whole review queue."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from db.labels import Label, judged_hashes
from db.ledger import Ledger
from fakesweep.contents import hash_file
from fakesweep.errors import SourceError
from fakesweep.uri import path_of_uri, uri_of_name

LABELS = {"real": 0, "fake": 1, "0": 0, "1": 1}


@dataclass(frozen=True)
class Reviewed:
    """An image as a person named it, and what they said; `place` says where, for messages."""

    image: str
    label: int
    note: str | None = None
    place: str = ""


def read_review(path: Path) -> list[Reviewed]:
    """Read a review queue: CSV with the columns `uri`, `label` and, where present, `note`.

    Rows whose label is still empty are left out.

    Raises:
        SourceError: The file cannot be read, a column is missing, or a label is none.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            return list(_review_rows(path, csv.DictReader(stream)))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SourceError(f"the review queue {path} cannot be read: {error}") from error


def _review_rows(path: Path, rows: "csv.DictReader[str]") -> Iterator[Reviewed]:
    missing = {"uri", "label"} - set(rows.fieldnames or ())
    if missing:
        raise SourceError(
            f"the review queue {path} has no column {', '.join(sorted(missing))};"
            f" received: {', '.join(rows.fieldnames or ()) or 'an empty file'}"
        )
    for row in rows:
        said = (row["label"] or "").strip().lower()
        if not said:
            continue
        place = f"{path}, line {rows.line_num}: "
        if said not in LABELS:
            raise SourceError(f"{place}a label is real (0) or fake (1). Received: {row['label']!r}")
        if not row["uri"]:
            raise SourceError(f"{place}the column uri is empty")
        yield Reviewed(row["uri"], LABELS[said], row.get("note") or None, place)


def make_labels(
    ledger: Ledger, reviewed: Sequence[Reviewed], *, who: str, at: datetime
) -> list[Label]:
    """Bind what was said to the bytes of each image: the file's, else those of its last verdict.

    Raises:
        SourceError: An image is neither a file nor known to the ledger by its content.
    """
    uris = [uri_of_name(said.image) for said in reviewed]
    hashes = [hash_file(path_of_uri(uri)) for uri in uris]
    gone = [uri for uri, sha256 in zip(uris, hashes, strict=True) if sha256 is None]
    with ledger.read() as connection:
        judged = judged_hashes(connection, gone)
    labels = []
    for said, uri, found in zip(reviewed, uris, hashes, strict=True):
        sha256 = found or judged.get(uri)
        if sha256 is None:
            shown = ascii(said.image) if not said.image.isprintable() else said.image
            raise SourceError(
                f"{said.place}{shown}: there is no such file, and no verdict in the ledger knows"
                " its content; check the path"
            )
        labels.append(Label(uri, sha256, said.label, who, at, said.note))
    return labels
