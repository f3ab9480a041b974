"""A ledger of an earlier version is brought up with all its rows."""

from collections.abc import Callable, Iterator

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect, text

from db.ledger import Ledger, check_schema, open_ledger
from db.schema import SCHEMA_REVISION, metadata
from db.upgrade import upgrade
from fakesweep.errors import LedgerError


def migrate(
    connection: Connection, direction: Callable[[Config, str], None], revision: str
) -> None:
    """Go up or down to a revision."""
    config = Config()
    config.set_main_option("script_location", "db/migrations")
    config.attributes["connection"] = connection
    direction(config, revision)


@pytest.fixture
def first_ledger(database_url: str) -> Iterator[Ledger]:
    """A ledger with the first schema, which holds a scan, a batch and two verdicts."""
    ledger = open_ledger(database_url)
    with ledger.write() as connection:
        migrate(connection, command.upgrade, "0001")
        connection.execute(
            text(
                "INSERT INTO scans (id, status, paused, priority, model_version, rescan, sources,"
                " images, unchanged, unchanged_fake, passed_over, created_at)"
                " VALUES (1, 'done', false, 'bulk', 'm-1', false, '{}', 2, 0, 0, 0,"
                " '2026-11-01 10:00:00')"
            )
        )
        for name, verdict, score in (("/a", "fake", 0.9), ("/b", "real", 0.1)):
            connection.execute(
                text(
                    "INSERT INTO verdicts (scan_id, batch_id, uri, status, verdict, score,"
                    " model_version, sha256, attempts, decided_at, reused) VALUES"
                    " (1, 1, :name, 'done', :verdict, :score, 'm-1', :name, 1,"
                    " '2026-11-01 10:00:01', false)"
                ),
                {"name": name, "verdict": verdict, "score": score},
            )
    yield ledger
    ledger.close()


def test_an_upgrade_keeps_every_row_and_adds_what_is_new(first_ledger: Ledger) -> None:
    assert upgrade(first_ledger) == ("0001", SCHEMA_REVISION)

    check_schema(first_ledger)
    with first_ledger.read() as connection:
        rows = connection.execute(
            text("SELECT uri, verdict, score, reason FROM latest_verdicts ORDER BY uri")
        ).all()
        labelled = connection.execute(text("SELECT count(*) FROM latest_labels")).scalar()
    assert [tuple(row) for row in rows] == [("/a", "fake", 0.9, None), ("/b", "real", 0.1, None)]
    assert labelled == 0


def test_an_upgraded_ledger_is_like_a_new_one(first_ledger: Ledger) -> None:
    upgrade(first_ledger)

    with first_ledger.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_a_ledger_goes_back_to_the_schema_before_with_all_its_rows(first_ledger: Ledger) -> None:
    rows = text("SELECT * FROM verdicts ORDER BY id")
    with first_ledger.write() as connection:
        migrate(connection, command.upgrade, "0004")
        before = [tuple(row) for row in connection.execute(rows)]
        indexes = describe_indexes(connection)

    with first_ledger.write() as connection:
        migrate(connection, command.upgrade, "0005")
        above = [tuple(row) for row in connection.execute(rows)]
        migrate(connection, command.downgrade, "0004")

    assert above == before
    with first_ledger.write() as connection:
        assert [tuple(row) for row in connection.execute(rows)] == before
        assert describe_indexes(connection) == indexes
        assert len(connection.execute(text("SELECT * FROM latest_verdicts")).all()) == 2
        connection.execute(text("DELETE FROM scans"))
        assert connection.execute(rows).all() == []


@pytest.mark.parametrize("revision", ["0004", "0005"])
def test_an_image_stands_once_in_a_scan_whatever_the_schema(
    first_ledger: Ledger, revision: str
) -> None:
    with first_ledger.write() as connection:
        migrate(connection, command.upgrade, "0005")
        if revision != "0005":
            migrate(connection, command.downgrade, revision)

    again = "INSERT INTO verdicts (scan_id, batch_id, uri, status, attempts, reused)"
    with pytest.raises(LedgerError, match=r"(?i)unique"), first_ledger.write() as connection:
        connection.execute(text(f"{again} VALUES (1, 2, '/a', 'queued', 0, false)"))


def describe_indexes(connection: Connection) -> set[tuple[object, ...]]:
    """Name every index of verdicts and batches with its columns; constraints are among them."""
    found = inspect(connection)
    return {
        (name, index["name"], *index["column_names"])
        for name in ("verdicts", "batches")
        for index in (*found.get_indexes(name), *found.get_unique_constraints(name))
    }
