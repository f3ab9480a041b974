"""Stream verdicts to CSV, JSON Lines or Parquet, in memory that does not grow with their number."""

import csv
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import IO, Any

from sqlalchemy import (
    Column,
    Connection,
    Float,
    Row,
    Select,
    Text,
    column,
    literal,
    or_,
    select,
    table,
    type_coerce,
)

from db.prune import Pruning
from db.schema import UtcTime, verdicts
from fakesweep.errors import LedgerError

COLUMNS = (
    "scan_id", "uri", "status", "verdict", "score", "model_version", "error_code", "error_message",
    "sha256", "size_bytes", "mtime", "width", "height", "format", "faces", "attempts", "decided_at",
    "frames", "reused", "reason", "etag",
)  # fmt: skip
MOMENTS = ("decided_at",)
STRANGE_TEXT = ("uri", "error_message", "etag")  # not of our own making
RECORD = "record"
STDOUT = "-"
FETCHED_ROWS = 5000
ROW_GROUP = 20_000

# A cell that begins with one of these is run as a formula by spreadsheet programs.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


Rows = Iterable[Sequence[Any]]


@dataclass(frozen=True)
class Selection:
    """Which rows to export: of one scan or of all, by verdict, by least score, those that will go."""

    scan_id: int | None = None
    verdicts: tuple[str, ...] = ()
    min_score: float | None = None
    latest: bool = False
    pruning: Pruning | None = None


def select_rows(selection: Selection, *, record: bool) -> Select[Any]:
    """Build the query of a selection, columns as in `COLUMNS` and maybe the record, oldest row first.

    Moments come as the driver gives them, see `_moment`: to make a `datetime` of each takes longer than
    to write the row.
    """
    source = _source(selection)
    names = (*COLUMNS, RECORD) if record else COLUMNS
    columns = (
        type_coerce(source.c[name], Text).label(name) if name in MOMENTS else source.c[name]
        for name in names
    )
    return _narrow(select(*columns).order_by(source.c.id), source, selection)


def record_names(connection: Connection, selection: Selection) -> list[str]:
    """List what manifests said beside the names of the selected images, in order of appearance."""
    source = _source(selection)
    query = select(source.c[RECORD]).where(source.c[RECORD].is_not(None)).order_by(source.c.id)
    records = connection.execution_options(stream_results=True, yield_per=FETCHED_ROWS).execute(
        _narrow(query, source, selection)
    )
    names: dict[str, None] = {}
    for record in records.scalars():
        names.update(dict.fromkeys(json.loads(record)))
    return list(names)


def _source(selection: Selection) -> Any:
    if selection.latest:
        return table("latest_verdicts", *(column(c.name, c.type) for c in verdicts.columns))
    return verdicts


def _narrow(query: Select[Any], source: Any, selection: Selection) -> Select[Any]:
    if selection.scan_id is not None:
        query = query.where(source.c.scan_id == selection.scan_id)
    if selection.verdicts:
        # As literals joined by OR, which is how a partial index is found to serve.
        wanted = (literal(verdict, literal_execute=True) for verdict in selection.verdicts)
        query = query.where(or_(*(source.c.verdict == verdict for verdict in wanted)))
    if selection.min_score is not None:
        query = query.where(source.c.score >= selection.min_score)
    if selection.pruning is not None:
        query = query.where(selection.pruning.condition(source))
    return query


def _stream_rows(
    connection: Connection, selection: Selection, names: Sequence[str]
) -> Iterator[Sequence[Any]]:
    """Give the rows of a selection, a few thousand fetched at once; what manifests said stands last."""
    rows = connection.execution_options(stream_results=True, yield_per=FETCHED_ROWS).execute(
        select_rows(selection, record=bool(names))
    )
    yield from _flat(rows, names) if names else rows


def export_rows(connection: Connection, selection: Selection, output: str) -> int:
    """Write a selection to a file, whose ending names the format; `-` is CSV on standard output.

    Columns of a manifest follow ours under their own names, or `manifest_NAME` where one of ours has
    the name. A file appears whole or not at all. Returns the number of rows.

    Raises:
        LedgerError: The ending is unknown, or the file cannot be written.
    """
    write = _WRITERS.get(Path(output).suffix.lower())
    if write is None and output != STDOUT:
        raise LedgerError(
            f"the export {output!r} ends in {Path(output).suffix!r};"
            f" expected one of {', '.join(_WRITERS)} or - for standard output"
        )
    names = record_names(connection, selection)
    rows = _stream_rows(connection, selection, names)
    if write is None:
        return _write_verdicts(rows, sys.stdout, names)
    with whole_file(output) as partial:
        return write(rows, partial, names)


def _columns(names: Sequence[str]) -> list[str]:
    return [*COLUMNS, *(f"manifest_{name}" if name in COLUMNS else name for name in names)]


def _flat(rows: Iterable[Row[Any]], names: Sequence[str]) -> Iterator[Sequence[Any]]:
    """Put each row's record into columns of its own."""
    for row in rows:
        said = json.loads(row[-1]) if row[-1] else {}
        yield [*row[:-1], *(_cell(said.get(name)) for name in names)]


def _cell(value: Any) -> str | None:
    """Write what a manifest said as text; what is no text as JSON."""
    return value if value is None or isinstance(value, str) else json.dumps(value)


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


def _csv_file(rows: Rows, path: Path, names: Sequence[str]) -> int:
    with path.open("w", encoding="utf-8", newline="") as stream:
        return _write_verdicts(rows, stream, names)


def _write_verdicts(rows: Rows, stream: IO[str], names: Sequence[str]) -> int:
    """Write verdicts as `write_csv` does; of our own columns only some can hold a formula."""
    columns = _columns(names)
    strange = [*map(COLUMNS.index, STRANGE_TEXT), *range(len(COLUMNS), len(columns))]
    moments, flag = [*map(COLUMNS.index, MOMENTS)], COLUMNS.index("reused")
    count = 0

    def cells(row: Sequence[Any]) -> list[Any]:
        nonlocal count
        count += 1
        values = list(row)
        for at in strange:
            values[at] = neutral_cell(values[at])
        for at in moments:
            values[at] = _moment(values[at])
        values[flag] = int(values[flag])
        return values

    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(map(cells, rows))
    return count


def _moment(value: Any) -> str | None:
    """Write a moment in UTC by ISO 8601, as it comes from SQLite (text) or PostgreSQL."""
    if isinstance(value, str):
        return f"{value.removesuffix('.000000').replace(' ', 'T', 1)}+00:00"
    return None if value is None else value.astimezone(UTC).isoformat()


def _jsonl_file(rows: Rows, path: Path, names: Sequence[str]) -> int:
    count = 0
    columns = _columns(names)
    encode = json.JSONEncoder(ensure_ascii=False).encode
    with path.open("w", encoding="utf-8") as stream:
        for row in rows:
            count += 1
            fields = dict(zip(columns, row, strict=True))
            for name in MOMENTS:
                fields[name] = _moment(fields[name])
            fields["faces"] = json.loads(fields["faces"]) if fields["faces"] else None
            stream.write(f"{encode(fields)}\n")
    return count


def _parquet_file(rows: Rows, path: Path, names: Sequence[str]) -> int:
    import pyarrow as pa  # 0.3 s to import: only where Parquet is asked for

    said = [(name, pa.string()) for name in _columns(names)[len(COLUMNS) :]]
    ours = [(name, _arrow_type(pa, verdicts.c[name])) for name in COLUMNS]
    return write_parquet(rows, path, pa.schema([*ours, *said]))


def write_parquet(rows: Iterable[Sequence[Any]], path: Path, schema: Any) -> int:
    """Write rows as Parquet by an Arrow schema, one row group after another."""
    import pyarrow as pa
    from pyarrow import parquet

    count = 0
    with parquet.ParquetWriter(path, schema) as writer:
        iterator = iter(rows)
        while group := list(islice(iterator, ROW_GROUP)):
            columns = zip(*group, strict=True)
            arrays = [_arrow_array(pa, *both) for both in zip(columns, schema, strict=True)]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
            count += len(group)
    return count


def _arrow_array(pa: Any, values: Sequence[Any], field: Any) -> Any:
    if pa.types.is_timestamp(field.type) and any(isinstance(value, str) for value in values):
        return pa.array(map(_moment, values), pa.string()).cast(field.type)
    return pa.array(values, field.type)


def _arrow_type(pa: Any, source: Column[Any]) -> Any:
    if isinstance(source.type, UtcTime):
        return pa.timestamp("us", tz="UTC")
    if isinstance(source.type, Text):
        return pa.string()
    if isinstance(source.type, Float):
        return pa.float64()
    return pa.bool_() if source.name == "reused" else pa.int64()


_WRITERS: dict[str, Callable[[Rows, Path, Sequence[str]], int]] = {
    ".csv": _csv_file,
    ".jsonl": _jsonl_file,
    ".parquet": _parquet_file,
}
