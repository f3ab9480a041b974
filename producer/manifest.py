"""Read manifests: CSV, JSON Lines or Parquet with a column `uri`; other columns are carried along."""

import csv
import io
import json
import posixpath
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from db.listing import FoundImage
from fakesweep.errors import ImageError, SourceError
from fakesweep.uri import is_remote, uri_of_name
from producer.findings import Findings
from producer.sources import printable
from worker.bucket import open_object

COLUMN = "uri"
ROWS = 2000  # of Parquet, held at a time

Row = dict[str, Any]


def check_manifest(source: str) -> None:
    """Make sure that a manifest can be read and has a column `uri`.

    Raises:
        SourceError: It cannot, or has none.
    """
    with _opened(source) as file:
        if source.lower().endswith(".parquet"):
            columns = list(_parquet(file).schema_arrow.names)
        else:
            with _text(file) as text:
                if source.lower().endswith(".csv"):
                    columns = next(csv.reader(text), [])
                else:
                    line = next((line for line in text if line.strip()), "{}")
                    columns = list(_json_object(line) or {})
    if COLUMN not in columns:
        raise SourceError(
            f"the manifest {printable(source)} has no column {COLUMN}; expected one, received:"
            f" {', '.join(map(printable, columns)) or 'none'}"
        )


def read_manifest(source: str, findings: Findings) -> Iterator[FoundImage]:
    """Give the images of a manifest; relative names begin in its folder.

    A row that names no image is noted in `findings`; so is a manifest that cannot be read further.
    """
    shown = printable(source)
    try:
        with _opened(source) as file:
            for place, row in _rows(source, file):
                name = (row or {}).pop(COLUMN, None)
                if not isinstance(name, str) or not name.strip():
                    findings.add_problem(f"manifest {shown}, {place}: it names no {COLUMN}")
                    continue
                record = {key: said for key, said in (row or {}).items() if said is not None}
                yield FoundImage(
                    _uri(source, name),
                    None,
                    None,
                    record=json.dumps(record, default=str) if record else None,
                )
    except (SourceError, csv.Error, OSError, ValueError, ImageError) as error:
        findings.add_problem(
            f"manifest {shown} could not be read to its end ({error}); not all of its images are"
            " part of this scan"
        )


def _uri(source: str, name: str) -> str:
    if not is_remote(source):
        return uri_of_name(name, str(Path(source).parent))
    if is_remote(name) or name.startswith("/"):
        return uri_of_name(name)
    return f"{posixpath.dirname(source)}/{name}"


def _rows(source: str, file: IO[bytes]) -> Iterator[tuple[str, Row | None]]:
    """Give the rows of a manifest and their places; None for a line that is no JSON object."""
    if source.lower().endswith(".parquet"):
        number = 0
        for batch in _parquet(file).iter_batches(batch_size=ROWS):
            for row in batch.to_pylist():
                number += 1
                yield f"row {number}", row
    elif source.lower().endswith(".csv"):
        with _text(file) as text:
            reader = csv.DictReader(text)
            for fields in reader:
                fields.pop(None, None)  # cells beyond the header
                yield f"line {reader.line_num}", fields
    else:
        with _text(file) as text:
            for number, line in enumerate(text, start=1):
                if line.strip():
                    yield f"line {number}", _json_object(line)


@contextmanager
def _opened(source: str) -> Iterator[IO[bytes]]:
    try:
        with open_object(source) if is_remote(source) else Path(source).open("rb") as file:
            yield file
    except OSError as error:
        raise SourceError(
            f"the manifest {printable(source)} cannot be read: {error.strerror or error}"
        ) from error


def _text(file: IO[bytes]) -> IO[str]:
    return io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="")


def _parquet(file: IO[bytes]) -> Any:
    import pyarrow as pa  # 0.3 s to import: only where a Parquet manifest is read
    from pyarrow import parquet

    try:
        return parquet.ParquetFile(file)
    except pa.ArrowInvalid as error:
        raise SourceError(f"it is no Parquet file: {error}") from error


def _json_object(line: str) -> Row | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) else None
