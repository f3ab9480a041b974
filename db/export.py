"""Stream verdicts to CSV, JSON Lines or Parquet, in memory that does not grow with their number."""

import csv
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import IO, Any

from sqlalchemy import Column, Connection, Float, Row, Select, Text, column, select, table

from db.schema import UtcTime, verdicts
from fakesweep.errors import LedgerError

COLUMNS = (
    "scan_id", "uri", "status", "verdict", "score", "model_version", "error_code", "error_message",
    "sha256", "size_bytes", "mtime", "width", "height", "format", "faces", "attempts", "decided_at",
    "frames", "reused", "reason",
)  # fmt: skip
STDOUT = "-"
FETCHED_ROWS = 5000
ROW_GROUP = 50_000

# A cell that begins with one of these is run as a formula by spreadsheet programs.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class Selection:
    """Which rows to export: of one scan or of all, by verdict, by least score."""

    scan_id: int | None = None
    verdicts: tuple[str, ...] = ()
    min_score: float | None = None
    latest: bool = False


def select_rows(selection: Selection) -> Select[Any]:
    """Build the query of a selection, columns as in `COLUMNS`, oldest row first."""
    source: Any = verdicts
    if selection.latest:
        source = table("latest_verdicts", *(column(c.name, c.type) for c in verdicts.columns))
    query = select(*(source.c[name] for name in COLUMNS)).order_by(source.c.id)
    if selection.scan_id is not None:
        query = query.where(source.c.scan_id == selection.scan_id)
    if selection.verdicts:
        query = query.where(source.c.verdict.in_(selection.verdicts))
    if selection.min_score is not None:
        query = query.where(source.c.score >= selection.min_score)
    return query


def stream_rows(connection: Connection, selection: Selection) -> Iterator[Row[Any]]:
    """Give the rows of a selection one at a time, a few thousand fetched at once."""
    yield from connection.execution_options(stream_results=True, yield_per=FETCHED_ROWS).execute(
        select_rows(selection)
    )


def export_rows(connection: Connection, selection: Selection, output: str) -> int:
    """Write a selection to a file, whose ending names the format; `-` is CSV on standard output.

    A file appears whole or not at all. Returns the number of rows.

    Raises:
        LedgerError: The ending is unknown, or the file cannot be written.
    """
    rows = stream_rows(connection, selection)
    if output == STDOUT:
        return write_csv(rows, sys.stdout)
    write = _WRITERS.get(Path(output).suffix.lower())
    if write is None:
        raise LedgerError(
            f"the export {output!r} ends in {Path(output).suffix!r};"
            f" expected one of {', '.join(_WRITERS)} or - for standard output"
        )
    with whole_file(output) as partial:
        return write(rows, partial)


@contextmanager
def whole_file(output: str) -> Iterator[Path]:
    """Give a path to write to, which becomes the output at the end of the block, or nothing at all.

    Raises:
        LedgerError: The file cannot be written.
    """
    path = Path(output)
    partial = path.with_name(f".fakesweep-{os.getpid()}{path.suffix}")
    try:
        yield partial
        partial.replace(path)
    except OSError as error:
        raise LedgerError(f"the export {output!r} cannot be written: {error.strerror}") from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def write_csv(
    rows: Iterable[Sequence[Any]], stream: IO[str], columns: Sequence[str] = COLUMNS
) -> int:
    """Write rows as CSV (RFC 4180, UTF-8), formulas in text neutralised by a leading apostrophe."""
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    count = 0
    for row in rows:
        writer.writerow([neutral_cell(value) for value in row])
        count += 1
    return count


def neutral_cell(value: Any) -> Any:
    """Turn a value into what a CSV cell holds; text that spreadsheets would run gets a `'`."""
    if isinstance(value, str):
        return "'" + value if value.startswith(FORMULA_STARTS) else value
    if isinstance(value, bool):
        return int(value)
    return value.isoformat() if isinstance(value, datetime) else value


def _csv_file(rows: Iterable[Row[Any]], path: Path) -> int:
    with path.open("w", encoding="utf-8", newline="") as stream:
        return write_csv(rows, stream)


def _jsonl_file(rows: Iterable[Row[Any]], path: Path) -> int:
    count = 0
    with path.open("w", encoding="utf-8") as stream:
        for row in rows:
            count += 1
            fields = dict(zip(COLUMNS, row, strict=True))
            fields["faces"] = json.loads(fields["faces"]) if fields["faces"] else None
            stream.write(json.dumps(fields, default=datetime.isoformat, ensure_ascii=False) + "\n")
    return count


def _parquet_file(rows: Iterable[Row[Any]], path: Path) -> int:
    import pyarrow as pa  # 0.3 s to import: only where Parquet is asked for

    schema = pa.schema([(name, _arrow_type(pa, verdicts.c[name])) for name in COLUMNS])
    return write_parquet(rows, path, schema)


def write_parquet(rows: Iterable[Sequence[Any]], path: Path, schema: Any) -> int:
    """Write rows as Parquet by an Arrow schema, one row group after another."""
    import pyarrow as pa
    from pyarrow import parquet

    count = 0
    with parquet.ParquetWriter(path, schema) as writer:
        iterator = iter(rows)
        while group := list(islice(iterator, ROW_GROUP)):
            columns = zip(*group, strict=True)
            arrays = [pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
            count += len(group)
    return count


def _arrow_type(pa: Any, source: Column[Any]) -> Any:
    if isinstance(source.type, UtcTime):
        return pa.timestamp("us", tz="UTC")
    if isinstance(source.type, Text):
        return pa.string()
    if isinstance(source.type, Float):
        return pa.float64()
    return pa.bool_() if source.name == "reused" else pa.int64()


_WRITERS: dict[str, Callable[[Iterable[Row[Any]], Path], int]] = {
    ".csv": _csv_file,
    ".jsonl": _jsonl_file,
    ".parquet": _parquet_file,
}
