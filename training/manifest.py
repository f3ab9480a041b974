"""Read a manifest: a CSV or Parquet file of labelled images."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from fakesweep.errors import TrainingError
from training.images import Dataset, LabelledImage, source_name

LABELS = {"0": 0, "1": 1}
PARQUET = (".parquet", ".pq")

Row = Mapping[str, str | None]


def read_manifest(path: Path) -> Dataset:
    """Read a CSV or Parquet file with the columns `path` and `label`, and `source`, `group` and
    `split` where present.

    Paths are relative to the manifest. Rows with an empty label are counted and left out.

    Raises:
        TrainingError: The file cannot be read, a column or a named file is missing, or a label is
            neither 0 nor 1.
    """
    images: list[LabelledImage] = []
    without_label = 0
    folder = path.resolve().parent
    for place, row in _read_rows(path):
        label = (row["label"] or "").strip()
        if not label:
            without_label += 1
            continue
        if label not in LABELS:
            raise TrainingError(
                f"{path}, {place}: a label is 0 (real) or 1 (fake); received: {label!r}"
            )
        file = folder / (row["path"] or "")
        images.append(
            LabelledImage(
                path=file,
                label=LABELS[label],
                source=row.get("source") or source_name(file.parent),
                group=row.get("group") or None,
                split=row.get("split") or None,
            )
        )
    absent = [image.path for image in images if not image.path.is_file()]
    if absent:
        raise TrainingError(
            f"{path}: {len(absent)} of {len(images)} listed files do not exist;"
            f" the first: {absent[0]}"
        )
    return Dataset(images, without_label)


def _read_rows(path: Path) -> Iterator[tuple[str, Row]]:
    """Give each row and where it stands."""
    try:
        if path.suffix.lower() in PARQUET:
            table = pq.read_table(path)
            _check_columns(path, table.column_names)
            for number, values in enumerate(table.to_pylist(), start=1):
                yield f"row {number}", {k: None if v is None else str(v) for k, v in values.items()}
            return
        with path.open(newline="", encoding="utf-8") as stream:
            rows = csv.DictReader(stream)
            _check_columns(path, rows.fieldnames or ())
            for line, row in enumerate(rows, start=2):
                yield f"line {line}", row
    except (OSError, UnicodeDecodeError, csv.Error, pa.ArrowException) as error:
        raise TrainingError(f"cannot read the manifest {path}: {error}") from error


def _check_columns(path: Path, found: Sequence[str]) -> None:
    missing = {"path", "label"} - set(found)
    if missing:
        raise TrainingError(
            f"{path}: column {', '.join(sorted(missing))} is missing;"
            f" received: {', '.join(found) or 'an empty file'}"
        )
