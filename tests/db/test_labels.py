"""Labels keep their history, and the newest one of the same bytes counts."""

import csv
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas
import pytest

from db.labels import Label, add_labels, newest_labels
from db.ledger import Ledger
from db.manifest import MANIFEST_COLUMNS, write_manifest
from db.query import run_query
from fakesweep.errors import LedgerError

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def add(ledger: Ledger, *given: Label) -> None:
    with ledger.write() as connection:
        add_labels(connection, given)


def newest(ledger: Ledger) -> list[Label]:
    with ledger.read() as connection:
        return list(newest_labels(connection))


def test_the_newest_label_of_the_same_bytes_counts(ledger: Ledger) -> None:
    first = Label("/a", "x", 1, "ann", NOON)
    other = Label("/b", "y", 0, "ann", NOON)
    later = Label("/copy of a", "x", 0, "bob", NOON + timedelta(hours=1), "the ears are fine")
    add(ledger, later)
    add(ledger, first, other)

    assert newest(ledger) == [later, other]


def test_of_two_labels_of_one_moment_the_second_counts(ledger: Ledger) -> None:
    add(ledger, Label("/a", "x", 1, "ann", NOON), Label("/a", "x", 0, "ann", NOON))

    assert [given.label for given in newest(ledger)] == [0]


def test_earlier_labels_stay_as_history(ledger: Ledger) -> None:
    for label in (1, 0, 1):
        add(ledger, Label("/a", "x", label, "ann", NOON))

    with run_query(ledger, "SELECT label, who FROM labels ORDER BY id") as (_, rows):
        assert [tuple(row) for row in rows] == [(1, "ann"), (0, "ann"), (1, "ann")]


@pytest.mark.parametrize("name", ["labels.csv", "labels.parquet"])
def test_a_manifest_holds_the_newest_labels(ledger: Ledger, tmp_path: Path, name: str) -> None:
    add(ledger, Label("/a, b\n", "x", 1, "ann", NOON), Label("/c", "y", 0, "ann", NOON))

    with ledger.read() as connection:
        assert write_manifest(newest_labels(connection), str(tmp_path / name)) == 2

    if name.endswith("csv"):
        with (tmp_path / name).open(newline="") as stream:
            found = [tuple(row.values()) for row in csv.DictReader(stream)]
        assert found == [("/a, b\n", "1", "reviewed", "x", ""), ("/c", "0", "reviewed", "y", "")]
    else:
        table = pandas.read_parquet(tmp_path / name)
        assert tuple(table.columns) == MANIFEST_COLUMNS
        assert table.label.tolist() == [1, 0]
        assert table.path.tolist() == ["/a, b\n", "/c"]


def test_a_manifest_of_an_unknown_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match=r"\.xlsx.*\.csv, \.parquet"):
        write_manifest([], str(tmp_path / "labels.xlsx"))

    assert not list(tmp_path.iterdir())
