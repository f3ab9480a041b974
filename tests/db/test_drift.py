"""The database counts scores by bins, per source root and per folder below it."""

from collections.abc import Callable

import pytest
from sqlalchemy import update

from db.drift import Distribution, count_scores, scans_by_version
from db.ledger import Ledger
from db.schema import verdicts

Record = Callable[..., int]
EDGES = (0.0, 0.25, 0.5, 1.0)


def judge(ledger: Ledger, scan_id: int, uri: str, **values: object) -> None:
    with ledger.write() as connection:
        connection.execute(
            update(verdicts)
            .where(verdicts.c.scan_id == scan_id, verdicts.c.uri == uri)
            .values(**({"status": "done"} | values))
        )


def test_every_closed_image_is_counted_once(ledger: Ledger, record: Record) -> None:
    scan_id = record([f"/{name}" for name in "abcdefghi"])
    for name, score in zip("abcde", (0.0, 0.2499, 0.25, 0.5, 1.0), strict=True):
        judge(ledger, scan_id, f"/{name}", verdict="real", score=score)
    judge(ledger, scan_id, "/f", verdict="no_face")
    judge(ledger, scan_id, "/g", verdict="uncertain", reason="face_too_small")
    judge(ledger, scan_id, "/h", status="failed", error_code="missing")

    with ledger.read() as connection:
        found = count_scores(connection, [scan_id], EDGES)

    assert found == {"": Distribution([2, 1, 2], no_face=1, unscored=1, failed=1)}
    assert found[""].images == 8


@pytest.mark.parametrize("root", ["/archive_%", "/"])
def test_folders_below_a_root_are_counted_apart(ledger: Ledger, record: Record, root: str) -> None:
    top = root.rstrip("/")
    names = [f"{top}/2024/a", f"{top}/2024/deep/b", f"{top}/2025/c", f"{top}/loose"]
    scan_id = record(names)
    for name in names:
        judge(ledger, scan_id, name, verdict="real", score=0.1)

    with ledger.read() as connection:
        found = count_scores(connection, [scan_id], EDGES, below=root)

    assert {name: counted.images for name, counted in found.items()} == {
        "2024": 2,
        "2025": 1,
        "": 1,
    }


def test_scans_are_found_by_their_version(ledger: Ledger, record: Record) -> None:
    first, _, third = record(["/a"]), record(["/a"], model="m-2"), record(["/a"])

    with ledger.read() as connection:
        assert [scan.id for scan in scans_by_version(connection, "m-1")] == [first, third]
