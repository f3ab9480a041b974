"""The migrations build exactly the schema, and views and messages serve people."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text, update

from db.ledger import Ledger, check_schema, open_ledger
from db.schema import SCHEMA_REVISION, metadata, verdicts
from db.upgrade import prepare, upgrade
from fakesweep.errors import LedgerError

Record = Callable[..., int]


def test_the_migrations_and_the_schema_agree(ledger: Ledger) -> None:
    with ledger.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_the_newest_migration_is_the_revision_that_is_checked() -> None:
    config = Config()
    config.set_main_option("script_location", "db/migrations")

    assert ScriptDirectory.from_config(config).get_heads() == [SCHEMA_REVISION]


def test_upgrading_twice_changes_nothing(ledger: Ledger) -> None:
    assert upgrade(ledger) == (SCHEMA_REVISION, SCHEMA_REVISION)


def test_an_empty_database_is_prepared(database_url: str) -> None:
    ledger = open_ledger(database_url)
    with pytest.raises(LedgerError, match="fakesweep db upgrade"):
        check_schema(ledger)

    prepare(ledger)

    check_schema(ledger)
    ledger.close()


def test_a_newer_schema_is_refused(ledger: Ledger) -> None:
    with ledger.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    with pytest.raises(LedgerError, match=r"9999, newer than .* upgrade fakesweep"):
        prepare(ledger)


def test_an_unreachable_database_is_one_line_without_the_password() -> None:
    ledger = open_ledger("postgresql://someone:secret@127.0.0.1:1/ledger")

    with pytest.raises(LedgerError, match=r"127\.0\.0\.1") as caught, ledger.read():
        pass

    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_latest_verdicts_shows_the_newest_closed_row_of_each_image(
    ledger: Ledger, record: Record
) -> None:
    now = datetime.now(UTC)
    old, new, open_scan = record(["/a", "/b"]), record(["/a"]), record(["/a"])
    with ledger.write() as connection:
        for scan_id, age, status, verdict in (
            (old, 2, "done", "real"),
            (new, 1, "failed", None),
        ):
            connection.execute(
                update(verdicts)
                .where(verdicts.c.scan_id == scan_id)
                .values(status=status, verdict=verdict, decided_at=now - timedelta(hours=age))
            )

    with ledger.read() as connection:
        rows = connection.execute(
            text("SELECT uri, scan_id, status, verdict FROM latest_verdicts ORDER BY uri")
        ).all()

    assert [tuple(row) for row in rows] == [
        ("/a", new, "failed", None),
        ("/b", old, "done", "real"),
    ]
    assert open_scan not in {row.scan_id for row in rows}


def test_scan_summary_has_a_row_for_each_scan(ledger: Ledger, record: Record) -> None:
    record(["/a", "/b"])
    record(["/c"])

    with ledger.read() as connection:
        rows = connection.execute(
            text('SELECT scan_id, images, fake, failed, "real" FROM scan_summary ORDER BY scan_id')
        ).all()

    assert [tuple(row) for row in rows] == [(1, 2, 0, 0, 0), (2, 1, 0, 0, 0)]


@pytest.mark.parametrize(
    "condition",
    [
        "scan_id = 1 AND uri = '/a'",
        "uri = '/a'",
        "verdict = 'fake' AND score > 0.9",
        "scan_id = 1 AND verdict = 'fake' ORDER BY score DESC",
        "scan_id = 1 AND error_code = 'crashed'",
        "scan_id = 1",
        "scan_id = 1 AND batch_id = 1",
        "uri >= '/a/' AND uri < '/a0'",
        "sha256 = 'x' AND model_version = 'm' AND status = 'done' AND NOT reused",
    ],
)
@pytest.mark.parametrize("source", ["verdicts", "latest_verdicts"])
def test_filters_of_many_rows_use_an_index(ledger: Ledger, source: str, condition: str) -> None:
    with ledger.read() as connection:
        if ledger.engine.dialect.name == "sqlite":
            explain = "EXPLAIN QUERY PLAN"
        else:  # an empty table would be read whole, had it an index or not
            explain = "EXPLAIN"
            connection.execute(text("SET enable_seqscan = off"))
        plan = connection.execute(text(f"{explain} SELECT * FROM {source} WHERE {condition}"))
        steps = " ".join(str(value) for row in plan for value in row)

    assert "INDEX" in steps.upper()
    assert "SCAN v" not in steps
    assert "Seq Scan" not in steps
