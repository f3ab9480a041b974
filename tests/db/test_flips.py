"""Two model versions are compared on the same bytes of the same images."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sqlalchemy import update

from db.flips import (
    Cell,
    Compared,
    count_judged,
    count_pairs,
    judging_versions,
    largest_flips,
    stream_flips,
)
from db.ledger import Ledger
from db.schema import verdicts

Record = Callable[..., int]
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def judge(
    ledger: Ledger,
    scan_id: int,
    version: str,
    found: dict[str, tuple[str, float | None]],
    *,
    content: str = "",
    hours: int = 0,
) -> None:
    with ledger.write() as connection:
        for uri, (verdict, score) in found.items():
            connection.execute(
                update(verdicts)
                .where(verdicts.c.scan_id == scan_id, verdicts.c.uri == uri)
                .values(
                    status="done",
                    verdict=verdict,
                    score=score,
                    model_version=version,
                    sha256=f"{uri}{content}",
                    decided_at=NOON + timedelta(hours=hours),
                )
            )


def two_scans(ledger: Ledger, record: Record) -> tuple[int, int]:
    names = ["/in/a", "/in/b", "/in/c", "/other/d"]
    first, second = record(names, model="m-1"), record(names, model="m-2")
    judge(
        ledger,
        first,
        "m-1",
        {
            "/in/a": ("real", 0.125),
            "/in/b": ("real", 0.25),
            "/in/c": ("no_face", None),
            "/other/d": ("fake", 0.75),
        },
    )
    judge(
        ledger,
        second,
        "m-2",
        {
            "/in/a": ("fake", 0.875),
            "/in/b": ("real", 0.25),
            "/in/c": ("real", 0.0),
            "/other/d": ("real", 0.25),
        },
    )
    return first, second


def test_images_are_counted_by_their_two_verdicts(ledger: Ledger, record: Record) -> None:
    two_scans(ledger, record)

    with ledger.read() as connection:
        cells = count_pairs(connection, Compared("m-1", "m-2"))

    assert cells == [
        Cell("fake", "real", 1, 1, -0.5),
        Cell("no_face", "real", 1, 0, 0.0),
        Cell("real", "fake", 1, 1, 0.75),
        Cell("real", "real", 1, 1, 0.0),
    ]


def test_the_largest_flips_come_first(ledger: Ledger, record: Record) -> None:
    two_scans(ledger, record)

    with ledger.read() as connection:
        first = largest_flips(connection, Compared("m-1", "m-2"), 1)
        every = [row.uri for row in stream_flips(connection, Compared("m-1", "m-2"))]

    assert [tuple(row) for row in first] == [("/in/a", "/in/a", "real", 0.125, "fake", 0.875, 0.75)]
    assert every == ["/in/a", "/other/d", "/in/c"]


def test_the_newest_verdict_of_each_version_counts(ledger: Ledger, record: Record) -> None:
    two_scans(ledger, record)
    third = record(["/in/a"], model="m-2")
    judge(ledger, third, "m-2", {"/in/a": ("real", 0.125)}, hours=1)

    with ledger.read() as connection:
        flips = [row.uri for row in stream_flips(connection, Compared("m-1", "m-2"))]

    assert flips == ["/other/d", "/in/c"]


def test_bytes_that_changed_between_are_not_compared(ledger: Ledger, record: Record) -> None:
    first, second = record(["/a"], model="m-1"), record(["/a"], model="m-2")
    judge(ledger, first, "m-1", {"/a": ("real", 0.1)})
    judge(ledger, second, "m-2", {"/a": ("fake", 0.9)}, content="other bytes")

    with ledger.read() as connection:
        assert count_pairs(connection, Compared("m-1", "m-2")) == []
        assert count_judged(connection, Compared("m-1", "m-2")) == (1, 1)
        assert judging_versions(connection) == ["m-2", "m-1"]


def test_a_path_or_a_scan_narrows_the_images_down(ledger: Ledger, record: Record) -> None:
    two_scans(ledger, record)
    third = record(["/in/b"], model="m-2")

    with ledger.read() as connection:
        by_path = count_judged(connection, Compared("m-1", "m-2", paths=("/in",)))
        by_scan = count_judged(connection, Compared("m-1", "m-2", scan_ids=(third,)))

    assert by_path == (3, 3)
    assert by_scan == (1, 1)
