"""Exports hold every row, stream, and are safe to open."""

import csv
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pandas
import pytest
from sqlalchemy import update

from db.export import COLUMNS, Selection, export_rows
from db.ledger import Ledger
from db.query import run_query
from db.schema import verdicts
from fakesweep.errors import LedgerError, QueryRefused
from fakesweep.uri import path_of_uri, uri_of_path

Record = Callable[..., int]

STRANGE = ["/with space", "/new\nline", '/qu"ote,comma', "/漢ü", "/-dash", "/\udcff\udcfe.jpg"]


def export(ledger: Ledger, path: Path, selection: Selection | None = None) -> int:
    with ledger.read() as connection:
        return export_rows(connection, selection or Selection(), str(path))


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_strange_names_survive_the_way_to_csv_and_back(
    ledger: Ledger, record: Record, tmp_path: Path
) -> None:
    record([uri_of_path(name) for name in STRANGE])

    export(ledger, tmp_path / "out.csv")

    back = [path_of_uri(row["uri"]) for row in read_csv(tmp_path / "out.csv")]
    assert back == STRANGE
    assert os.fsencode(back[-1]) == b"/\xff\xfe.jpg"


def test_the_three_formats_hold_the_same_rows(
    ledger: Ledger, record: Record, tmp_path: Path
) -> None:
    record(["/a", "/b"])
    with ledger.write() as connection:
        connection.execute(
            update(verdicts)
            .where(verdicts.c.uri == "/a")
            .values(status="done", verdict="fake", score=0.75, faces="[]", width=7)
        )

    for name in ("out.csv", "out.jsonl", "out.parquet"):
        assert export(ledger, tmp_path / name) == 2

    table = pandas.read_csv(tmp_path / "out.csv")
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    parquet = pandas.read_parquet(tmp_path / "out.parquet")
    assert tuple(table.columns) == tuple(parquet.columns) == tuple(lines[0]) == COLUMNS
    assert table.uri.tolist() == parquet.uri.tolist() == ["/a", "/b"]
    assert table.score[0] == parquet.score[0] == lines[0]["score"] == 0.75
    assert lines[0]["faces"] == []
    assert lines[1]["verdict"] is None


def test_formulas_in_text_are_neutralised(ledger: Ledger, record: Record, tmp_path: Path) -> None:
    record(["=HYPERLINK(1)", "@x", "/safe=1"])

    export(ledger, tmp_path / "out.csv")

    assert [row["uri"] for row in read_csv(tmp_path / "out.csv")] == [
        "'=HYPERLINK(1)",
        "'@x",
        "/safe=1",
    ]


def test_a_selection_filters_by_scan_verdict_and_score(
    ledger: Ledger, record: Record, tmp_path: Path
) -> None:
    first, second = record(["/a", "/b"]), record(["/a", "/c"])
    with ledger.write() as connection:
        for uri, verdict, score in (("/a", "fake", 0.9), ("/b", "fake", 0.6), ("/c", "real", 0.1)):
            connection.execute(
                update(verdicts)
                .where(verdicts.c.uri == uri)
                .values(status="done", verdict=verdict, score=score, decided_at=datetime.now(UTC))
            )
    chosen = {
        "scan": Selection(scan_id=second),
        "verdict": Selection(verdicts=("fake",), min_score=0.7, scan_id=first),
        "latest": Selection(latest=True),
    }

    found = {}
    for name, selection in chosen.items():
        export(ledger, tmp_path / "out.csv", selection)
        found[name] = [(row["scan_id"], row["uri"]) for row in read_csv(tmp_path / "out.csv")]

    assert found["scan"] == [("2", "/a"), ("2", "/c")]
    assert found["verdict"] == [("1", "/a")]
    assert found["latest"] == [("1", "/b"), ("2", "/a"), ("2", "/c")]


@pytest.mark.parametrize("name", ["out.xlsx", "out", "missing/out.csv"])
def test_an_export_that_cannot_be_written_leaves_nothing(
    ledger: Ledger, record: Record, tmp_path: Path, name: str
) -> None:
    record(["/a"])

    with pytest.raises(LedgerError, match="out"):
        export(ledger, tmp_path / "folder" / name)

    assert not list(tmp_path.glob("folder/*"))


def test_a_query_gives_columns_and_rows(ledger: Ledger, record: Record) -> None:
    record(["/a", "/b"])

    with run_query(ledger, "SELECT uri, status FROM verdicts ORDER BY uri;") as (columns, rows):
        assert columns == ["uri", "status"]
        assert [tuple(row) for row in rows] == [("/a", "queued"), ("/b", "queued")]


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM verdicts",
        "UPDATE verdicts SET verdict = 'real'",
        "DROP TABLE verdicts",
        "INSERT INTO scans (id) VALUES (7)",
        "SELECT 1; DELETE FROM verdicts",
        "SELECT 1; COMMIT; DELETE FROM verdicts",
        "COMMIT; DELETE FROM verdicts",
        "ATTACH DATABASE '/tmp/other.db' AS other",
        "PRAGMA journal_mode=DELETE",
        "WITH gone AS (DELETE FROM verdicts RETURNING id) SELECT * FROM gone",
        "SELECT nothing FROM nowhere",
        "",
    ],
)
def test_a_query_that_does_not_read_is_refused(ledger: Ledger, record: Record, sql: str) -> None:
    record(["/a"])

    with pytest.raises(QueryRefused), run_query(ledger, sql) as (_, rows):
        list(rows)

    with ledger.read() as connection:
        assert connection.execute(verdicts.select()).one().status == "queued"
