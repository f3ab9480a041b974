"""Old verdicts go, and nothing that is needed goes with them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import func, select, update

from db.export import Selection, export_rows
from db.ledger import Ledger
from db.prune import Pruning, count_prunable, prune
from db.scans import finish_scans
from db.schema import scans, verdicts
from tests.db.conftest import Record

NOW = datetime.now(UTC)


@pytest.fixture
def aged(ledger: Ledger, record: Record) -> Ledger:
    """Scan 1 is 300 days old, scan 2 200 days, scan 3 a day; they share some images."""
    names = (["/a", "/b", "/c", "/d"], ["/a", "/b"], ["/a"])
    for number, (images, age) in enumerate(zip(names, (300, 200, 1), strict=True), start=1):
        assert record(images) == number
        moment = NOW - timedelta(days=age)
        with ledger.write() as connection:
            connection.execute(
                update(verdicts)
                .where(verdicts.c.scan_id == number)
                .values(status="done", verdict="real", score=0.1, decided_at=moment)
            )
            connection.execute(
                update(verdicts).where(verdicts.c.uri.in_(["/b", "/c"])).values(verdict="fake")
            )
            connection.execute(
                update(scans).where(scans.c.id == number).values(status="done", finished_at=moment)
            )
            finish_scans(connection)
    return ledger


def left(ledger: Ledger) -> list[tuple[int, str]]:
    with ledger.read() as connection:
        rows = connection.execute(
            select(verdicts.c.scan_id, verdicts.c.uri).order_by(verdicts.c.id)
        )
        return [tuple(row) for row in rows]


@pytest.mark.parametrize(
    ("options", "stays"),
    [
        ({}, [(1, "/c"), (1, "/d"), (2, "/b"), (3, "/a")]),
        ({"keep_fakes": True}, [(1, "/b"), (1, "/c"), (1, "/d"), (2, "/b"), (3, "/a")]),
        ({"latest_too": True}, [(3, "/a")]),
        (
            {"latest_too": True, "keep_fakes": True},
            [(1, "/b"), (1, "/c"), (2, "/b"), (3, "/a")],
        ),
    ],
)
def test_what_goes_and_what_stays(aged: Ledger, options: dict, stays: list) -> None:
    pruning = Pruning(NOW - timedelta(days=100), NOW, **options)
    with aged.read() as connection:
        counted = count_prunable(connection, pruning)

    gone, emptied = prune(aged, pruning)

    assert left(aged) == stays
    assert gone == counted == 7 - len(stays)
    with aged.read() as connection:
        kept = connection.execute(select(func.count()).select_from(scans)).scalar()
    assert kept == len({scan for scan, _ in stays}) == 3 - emptied


def test_what_goes_can_be_exported_first(aged: Ledger, tmp_path: Path) -> None:
    pruning = Pruning(NOW - timedelta(days=100), NOW)

    with aged.read() as connection:
        count = export_rows(connection, Selection(pruning=pruning), str(tmp_path / "old.csv"))
    gone, _ = prune(aged, pruning)

    table = pd.read_csv(tmp_path / "old.csv")
    assert count == gone == len(table)
    assert set(zip(table["scan_id"], table["uri"], strict=True)).isdisjoint(left(aged))


def test_open_scans_lose_nothing(ledger: Ledger, record: Record) -> None:
    record(["/a", "/b"])

    assert prune(ledger, Pruning(NOW + timedelta(days=1), NOW, latest_too=True)) == (0, 0)
    assert len(left(ledger)) == 2
