"""A ledger of an earlier version is brought up with all its rows."""

from collections.abc import Iterator

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import text

from db.ledger import Ledger, check_schema, open_ledger
from db.schema import SCHEMA_REVISION, metadata
from db.upgrade import upgrade


@pytest.fixture
def first_ledger(database_url: str) -> Iterator[Ledger]:
    """A ledger with the first schema, which holds a scan, a batch and two verdicts."""
    ledger = open_ledger(database_url)
    with ledger.write() as connection:
        config = Config()
        config.set_main_option("script_location", "db/migrations")
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
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
