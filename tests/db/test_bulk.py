"""Statements for many rows: right on both databases, and never a whole table read for a few rows."""

import json

import pytest
from sqlalchemy import select, text

from db.batches import judged_contents
from db.bulk import insert_many, is_one_of, update_many
from db.ledger import Ledger, open_ledger
from db.listing import QUEUED_COLUMNS, FoundImage, known_images, record_batches
from db.scans import create_scan
from db.schema import verdicts
from db.upgrade import upgrade
from fakesweep.errors import LedgerError

STRANGE = [
    "/a",
    "/it's",
    '/"quoted"',
    "/ünïcode 照片.jpg",
    "/%s",
    "/back\\slash",
    "/new\nline",
    "/{}",
]


def new_scan(ledger: Ledger) -> int:
    with ledger.write() as connection:
        return create_scan(
            connection, sources={}, model_version="m-1", priority="bulk", rescan=False
        )


def queued(scan_id: int, uris: list[str]) -> list[tuple[object, ...]]:
    return [(scan_id, 1, "queued", 0, False, uri, 5, 1.25, None, '{"id": 1}') for uri in uris]


def test_rows_go_in_and_are_found_by_any_name(ledger: Ledger) -> None:
    scan_id = new_scan(ledger)
    with ledger.write() as connection:
        insert_many(connection, verdicts, QUEUED_COLUMNS, queued(scan_id, STRANGE))
        insert_many(connection, verdicts, QUEUED_COLUMNS, [])

    with ledger.read() as connection:
        for wanted in ([], STRANGE[:1], STRANGE, [*STRANGE, "/absent"]):
            found = connection.execute(
                select(verdicts.c.uri).where(
                    is_one_of(connection.dialect.name, verdicts.c.uri, "wanted")
                ),
                {"wanted": json.dumps(wanted)},
            ).scalars()
            assert set(found) == set(wanted) - {"/absent"}
        row = connection.execute(select(verdicts).where(verdicts.c.uri == "/it's")).one()
    assert (row.size_bytes, row.mtime, row.etag, row.record) == (5, 1.25, None, '{"id": 1}')
    assert row.reused is False


def test_only_the_named_rows_are_changed(ledger: Ledger) -> None:
    scan_id = new_scan(ledger)
    text_of_faces = 'it\'s ["x"] %s'
    with ledger.write() as connection:
        insert_many(connection, verdicts, QUEUED_COLUMNS, queued(scan_id, STRANGE))
        ids = {row.uri: row.id for row in connection.execute(select(verdicts.c.uri, verdicts.c.id))}
        columns = {"score": (0.5, None), "faces": (text_of_faces, None), "reused": (True, False)}
        rows = [ids["/a"], ids["/{}"]]
        update_many(connection, verdicts, rows, columns, same={"verdict": "real"})
        update_many(connection, verdicts, [], columns, same={"verdict": "fake"})

    with ledger.read() as connection:
        changed = connection.execute(
            select(verdicts.c.uri, verdicts.c.score, verdicts.c.faces, verdicts.c.reused)
            .where(verdicts.c.verdict == "real")
            .order_by(verdicts.c.id)
        ).all()
    assert [tuple(row) for row in changed] == [
        ("/a", 0.5, text_of_faces, True),
        ("/{}", None, None, False),
    ]


def test_any_text_comes_back_as_it_was(ledger: Ledger) -> None:
    scan_id = new_scan(ledger)
    said = [*STRANGE[1:], "NULL"]
    with ledger.write() as connection:
        insert_many(connection, verdicts, QUEUED_COLUMNS, queued(scan_id, STRANGE))
        ids = list(connection.execute(select(verdicts.c.id).order_by(verdicts.c.id)).scalars())
        update_many(connection, verdicts, ids, {"error_message": said}, same={"status": "failed"})

    with ledger.read() as connection:
        found = connection.execute(select(verdicts.c.error_message).order_by(verdicts.c.id))
        assert list(found.scalars()) == said


def test_a_row_that_breaks_a_rule_is_an_error_of_the_ledger(ledger: Ledger) -> None:
    scan_id = new_scan(ledger)

    with pytest.raises(LedgerError, match="database"), ledger.write() as connection:
        insert_many(connection, verdicts, QUEUED_COLUMNS, queued(scan_id, ["/a", "/a"]))

    with ledger.read() as connection:
        assert connection.execute(select(verdicts.c.id)).all() == []


@pytest.mark.parametrize("counted", [False, True])
def test_postgresql_never_reads_all_rows_for_a_few(postgresql_url: str, counted: bool) -> None:
    ledger = open_ledger(postgresql_url)
    upgrade(ledger)
    scan_id = new_scan(ledger)
    images = [FoundImage(f"/archive/{number:06}.jpg", 5, 1.0) for number in range(30_000)]
    with ledger.write() as connection:
        record_batches(connection, scan_id, images, batch_images=256, priority="bulk")
    if counted:
        with ledger.write() as connection:
            connection.execute(text("ANALYZE"))

    read = text("SELECT seq_tup_read FROM pg_stat_xact_user_tables WHERE relname = 'verdicts'")
    with ledger.write() as connection:
        wanted = [image.uri for image in images[500:4500]]
        for version in ("m-1", None):
            recorded, _ = known_images(connection, wanted, model_version=version, scan_id=scan_id)
            assert recorded == set(wanted)
        judged_contents(connection, [f"{number:064}" for number in range(256)], "m-1")
        for first in range(1000, 11_240, 256):  # so often that the server plans for any values
            rows = range(first, first + 256)
            scores = [number / 65536 for number in rows]
            update_many(connection, verdicts, rows, {"score": scores}, same={"status": "done"})
        assert connection.execute(read).scalar() == 0
        connection.execute(text("SELECT count(score) FROM verdicts"))
        assert connection.execute(read).scalar() == 30_000
    ledger.close()
