"""Which index serves which question, on tables that were counted and on tables that were not."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, text

from cli.summary import FAKES_FIRST
from db.export import Selection, select_rows
from db.ledger import Ledger, open_ledger
from db.listing import FoundImage, record_batches
from db.scans import create_scan
from db.upgrade import upgrade

ROWS = 20_000


@pytest.fixture(params=[False, True], ids=["not counted", "counted"])
def swept(request: pytest.FixtureRequest, database_url: str) -> Iterator[Ledger]:
    """A ledger of many rows, of which one in a hundred is fake, one failed, and the last are open."""
    ledger = open_ledger(database_url)
    upgrade(ledger)
    with ledger.write() as connection:
        scan_id = create_scan(
            connection, sources={}, model_version="m-1", priority="bulk", rescan=False
        )
        images = [FoundImage(f"/archive/{number:06}.jpg", 5, 1.0) for number in range(ROWS)]
        record_batches(connection, scan_id, images, batch_images=256, priority="bulk")
        connection.execute(
            text(
                "UPDATE verdicts SET status = CASE id % 100 WHEN 1 THEN 'failed' ELSE 'done' END,"
                " verdict = CASE id % 100 WHEN 0 THEN 'fake' WHEN 1 THEN NULL ELSE 'real' END,"
                " error_code = CASE id % 100 WHEN 1 THEN 'unreadable' END,"
                " score = (id % 1000) / 1000.0, model_version = 'm-1', sha256 = uri,"
                " decided_at = '2026-11-01 10:00:00' WHERE batch_id <= 70"
            )
        )
        if request.param:
            connection.execute(text("ANALYZE"))
    yield ledger
    ledger.close()


def plan(connection: Connection, query: str) -> str:
    """Ask the database how it would answer."""
    explain = "EXPLAIN QUERY PLAN" if connection.dialect.name == "sqlite" else "EXPLAIN"
    rows = connection.exec_driver_sql(f"{explain} {query}")
    return " ".join(str(value) for row in rows for value in row)


@pytest.mark.parametrize(
    ("query", "index"),
    [
        (
            "SELECT uri, score FROM latest_verdicts WHERE verdict = 'fake' ORDER BY score DESC LIMIT 20",
            "ix_verdicts_verdict",
        ),
        (
            "SELECT error_code, count(*) FROM verdicts WHERE scan_id = 1 AND error_code IS NOT NULL"
            " GROUP BY error_code",
            "ix_verdicts_error",
        ),
        (f"{FAKES_FIRST} 1 ORDER BY score DESC LIMIT 20", "ix_verdicts_scan_verdict"),
        ("SELECT * FROM verdicts WHERE verdict = 'uncertain' AND score > 0.9", "_verdict"),
        ("SELECT * FROM verdicts WHERE uri = '/archive/000001.jpg'", "uq_verdicts_uri_scan"),
        (
            "SELECT * FROM verdicts WHERE scan_id = 1 AND batch_id = 71"
            " AND status IN ('queued', 'running') ORDER BY id",
            "ix_verdicts_batch",
        ),
        (
            "SELECT * FROM verdicts WHERE sha256 = 'x' AND model_version = 'm-1'"
            " AND status = 'done' AND NOT reused",
            "ix_verdicts_original",
        ),
    ],
)
def test_a_question_is_answered_by_its_index(swept: Ledger, query: str, index: str) -> None:
    with swept.read() as connection:
        steps = plan(connection, query)

    assert index in steps
    assert "SCAN v" not in steps
    assert "Seq Scan" not in steps


def test_an_export_of_fakes_reads_fakes_only(swept: Ledger) -> None:
    selection = Selection(verdicts=("fake",), min_score=0.9)
    query = select_rows(selection, record=False).compile(
        dialect=swept.engine.dialect, compile_kwargs={"literal_binds": True}
    )

    with swept.read() as connection:
        steps = plan(connection, str(query))

    assert "ix_verdicts_verdict" in steps or "ix_verdicts_scan_verdict" in steps
