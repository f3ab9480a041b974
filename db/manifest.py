"""Write labels as a manifest that `train --manifest` reads."""

from collections.abc import Callable, Iterable
from pathlib import Path

from db.export import whole_file, write_csv, write_parquet
from db.labels import Label
from fakesweep.errors import LedgerError

MANIFEST_COLUMNS = ("path", "label", "source", "group", "split")
SOURCE = "reviewed"

Row = tuple[str, int, str, str, str]


def write_manifest(labels: Iterable[Label], output: str) -> int:
    """Write a manifest: source `reviewed`, group the SHA-256, split empty; returns its rows.

    A path that is not UTF-8 stays a `file://` URL. The file appears whole or not at all.

    Raises:
        LedgerError: The ending is neither .csv nor .parquet, or the file cannot be written.
    """
    write = _WRITERS.get(Path(output).suffix.lower())
    if write is None:
        raise LedgerError(
            f"the manifest {output!r} ends in {Path(output).suffix!r};"
            f" expected one of {', '.join(_WRITERS)}"
        )
    with whole_file(output) as partial:
        return write(map(_row, labels), partial)


def _row(label: Label) -> Row:
    return (label.uri, label.label, SOURCE, label.sha256, "")


def _write_csv(rows: Iterable[Row], path: Path) -> int:
    with path.open("w", encoding="utf-8", newline="") as stream:
        return write_csv(rows, stream, MANIFEST_COLUMNS)


def _write_parquet(rows: Iterable[Row], path: Path) -> int:
    import pyarrow as pa  # 0.3 s to import: only where Parquet is asked for

    types = {"label": pa.int64()}
    schema = pa.schema([(name, types.get(name, pa.string())) for name in MANIFEST_COLUMNS])
    return write_parquet(rows, path, schema)


_WRITERS: dict[str, Callable[[Iterable[Row], Path], int]] = {
    ".csv": _write_csv,
    ".parquet": _write_parquet,
}
