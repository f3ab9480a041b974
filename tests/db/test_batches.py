"""A batch is claimed by one process, and its images are closed exactly once."""

from collections.abc import Callable

import pytest
from sqlalchemy import select, update

from db.batches import (
    Claim,
    ImageOutcome,
    claim_batch,
    close_batch,
    judged_contents,
    next_batch,
    release_batch,
    renew_lease,
)
from db.counts import read_progress
from db.ledger import Ledger
from db.scans import cancel_scan, finish_scans, get_scan, set_paused
from db.schema import batches, verdicts
from db.tending import reap, take_unsent
from db.unreachable import requeue_unreachable

Record = Callable[..., int]


def claim_next(ledger: Ledger, scan_id: int, *, lease_s: float = 60.0) -> Claim | None:
    with ledger.write() as connection:
        batch_id = next_batch(connection, scan_id)
        return batch_id and claim_batch(connection, batch_id, worker="host:1", lease_s=lease_s)


def judge_all(claim: Claim, verdict: str = "real") -> list[ImageOutcome]:
    return [
        ImageOutcome(uri, "done", verdict=verdict, score=0.25, sha256=f"hash of {uri}")
        for uri in claim.images
    ]


def close(ledger: Ledger, claim: Claim, outcomes: list[ImageOutcome]) -> bool:
    with ledger.write() as connection:
        return close_batch(connection, claim, outcomes)


def rows_of(ledger: Ledger, scan_id: int) -> list[tuple[str, str, str | None, int]]:
    with ledger.read() as connection:
        return [
            tuple(row)
            for row in connection.execute(
                select(verdicts.c.uri, verdicts.c.status, verdicts.c.verdict, verdicts.c.attempts)
                .where(verdicts.c.scan_id == scan_id)
                .order_by(verdicts.c.id)
            )
        ]


def test_a_claim_counts_the_attempt_before_any_image_is_touched(
    ledger: Ledger, record: Record
) -> None:
    scan_id = record(["/a", "/b"])

    claim = claim_next(ledger, scan_id)

    assert claim is not None
    assert claim.attempts == 1
    assert list(claim.images) == ["/a", "/b"]
    with ledger.read() as connection:
        batch = connection.execute(select(batches)).one()
    assert (batch.status, batch.attempts) == ("running", 1)
    assert rows_of(ledger, scan_id) == [("/a", "queued", None, 0), ("/b", "queued", None, 0)]


def test_a_batch_is_claimed_once(ledger: Ledger, record: Record) -> None:
    scan_id = record(["/a"])
    first = claim_next(ledger, scan_id)
    assert first is not None

    with ledger.write() as connection:
        second = claim_batch(connection, first.batch_id, worker="host:2", lease_s=60)

    assert second is None


def test_closing_writes_every_verdict_and_the_tally(ledger: Ledger, record: Record) -> None:
    scan_id = record(["/a", "/b", "/c"])
    claim = claim_next(ledger, scan_id)
    assert claim is not None
    outcomes = judge_all(claim, "fake")
    outcomes[2] = ImageOutcome("/c", "failed", error_code="unreadable", error_message="empty")

    assert close(ledger, claim, outcomes)

    with ledger.write() as connection:
        finish_scans(connection)
        progress = read_progress(connection, scan_id)
    assert (progress.fake, progress.failed, progress.judged) == (2, 1, 3)
    assert progress.scan.status == "done"
    assert rows_of(ledger, scan_id)[2] == ("/c", "failed", None, 1)


def test_a_lost_claim_writes_nothing(ledger: Ledger, record: Record) -> None:
    scan_id = record(["/a"])
    slow = claim_next(ledger, scan_id, lease_s=-1)
    assert slow is not None
    with ledger.write() as connection:
        assert reap(connection) == 1
    quick = claim_next(ledger, scan_id)
    assert quick is not None

    assert not close(ledger, slow, judge_all(slow, "fake"))
    assert close(ledger, quick, judge_all(quick, "real"))

    assert rows_of(ledger, scan_id) == [("/a", "done", "real", 2)]


def test_outcomes_must_be_those_of_the_claimed_images(ledger: Ledger, record: Record) -> None:
    claim = claim_next(ledger, record(["/a", "/b"]))
    assert claim is not None

    with pytest.raises(ValueError, match="differ"):
        close(ledger, claim, judge_all(claim)[:1])


def test_a_renewed_lease_is_not_reaped(ledger: Ledger, record: Record) -> None:
    claim = claim_next(ledger, record(["/a"]), lease_s=-1)
    assert claim is not None

    with ledger.write() as connection:
        renewed = renew_lease(connection, claim, 60)
        reaped = reap(connection)

    assert renewed
    assert reaped == 0


def test_a_released_batch_is_as_it_was(ledger: Ledger, record: Record) -> None:
    scan_id = record(["/a"])
    claim = claim_next(ledger, scan_id)
    assert claim is not None

    with ledger.write() as connection:
        release_batch(connection, claim)

    assert rows_of(ledger, scan_id) == [("/a", "queued", None, 0)]
    again = claim_next(ledger, scan_id)
    assert again is not None
    assert again.attempts == 1


def test_a_batch_that_dies_twice_is_halved_until_the_poison_image_stands_alone(
    ledger: Ledger, record: Record
) -> None:
    names = [f"/{number}" for number in range(8)]
    scan_id = record(names, batch_images=8)

    deaths = 0
    for _ in range(40):
        claim = claim_next(ledger, scan_id, lease_s=-1)
        if claim is None:
            break
        if "/5" in claim.images:
            deaths += 1
            with ledger.write() as connection:
                reap(connection)
        else:
            assert close(ledger, claim, judge_all(claim))
    with ledger.write() as connection:
        finish_scans(connection)
        progress = read_progress(connection, scan_id)

    poison = [row for row in rows_of(ledger, scan_id) if row[1] == "failed"]
    assert [row[0] for row in poison] == ["/5"]
    assert (progress.real, progress.failed, progress.scan.status) == (7, 1, "done")
    assert deaths == 5  # twice whole, then as one of 4, of 2 and alone


def test_a_paused_scan_gives_no_batch_and_is_sent_again_when_it_goes_on(
    ledger: Ledger, record: Record
) -> None:
    scan_id = record(["/a"])
    with ledger.write() as connection:
        assert len(take_unsent(connection, 10)) == 1
        set_paused(connection, scan_id, True)

    assert claim_next(ledger, scan_id) is None

    with ledger.write() as connection:
        assert take_unsent(connection, 10) == []
        set_paused(connection, scan_id, False)
        assert len(take_unsent(connection, 10)) == 1


def test_cancelling_keeps_verdicts_and_ends_the_rest(ledger: Ledger, record: Record) -> None:
    scan_id = record(["/a", "/b", "/c"], batch_images=1)
    done = claim_next(ledger, scan_id)
    assert done is not None
    assert close(ledger, done, judge_all(done))
    in_hand = claim_next(ledger, scan_id)
    assert in_hand is not None

    with ledger.write() as connection:
        cancelled = cancel_scan(connection, scan_id)
    assert close(ledger, in_hand, judge_all(in_hand))

    assert cancelled == 1
    assert [row[1] for row in rows_of(ledger, scan_id)] == ["done", "done", "cancelled"]
    with ledger.read() as connection:
        assert get_scan(connection, scan_id).status == "cancelled"


def test_a_batch_lost_after_its_scan_was_cancelled_is_cancelled(
    ledger: Ledger, record: Record
) -> None:
    scan_id = record(["/a"])
    assert claim_next(ledger, scan_id, lease_s=-1)

    with ledger.write() as connection:
        cancel_scan(connection, scan_id)
        reap(connection)

    assert rows_of(ledger, scan_id) == [("/a", "cancelled", None, 1)]


def test_sending_stops_at_the_high_water_mark_and_goes_on_below_it(
    ledger: Ledger, record: Record
) -> None:
    record([f"/{number}" for number in range(10)], batch_images=1)

    with ledger.write() as connection:
        first = take_unsent(connection, 4)
        second = take_unsent(connection, 4)
        connection.execute(
            update(batches).where(batches.c.id == first[0].batch_id).values(status="done")
        )
        third = take_unsent(connection, 4)

    assert [batch.images for batch in first] == [["/0"], ["/1"], ["/2"], ["/3"]]
    assert second == []
    assert [batch.images for batch in third] == [["/4"]]


def test_high_priority_is_sent_first(ledger: Ledger, record: Record) -> None:
    record(["/bulk"])
    record(["/high"], priority="high")

    with ledger.write() as connection:
        sent = take_unsent(connection, 10)

    assert [batch.images for batch in sent] == [["/high"], ["/bulk"]]


def test_identical_bytes_are_known_by_model_version(ledger: Ledger, record: Record) -> None:
    claim = claim_next(ledger, record(["/a"]))
    assert claim is not None
    close(ledger, claim, judge_all(claim, "fake"))

    with ledger.read() as connection:
        same = judged_contents(connection, ["hash of /a", "other"], "m-1")
        other = judged_contents(connection, ["hash of /a"], "m-2")

    assert {sha256: outcome.verdict for sha256, outcome in same.items()} == {"hash of /a": "fake"}
    assert other == {}


def test_the_reason_is_written_and_known_for_identical_bytes(
    ledger: Ledger, record: Record
) -> None:
    claim = claim_next(ledger, record(["/a"]))
    assert claim is not None
    outcome = ImageOutcome(
        "/a", "done", verdict="uncertain", reason="face_too_small", sha256="bytes of a"
    )

    close(ledger, claim, [outcome])

    with ledger.read() as connection:
        assert connection.execute(select(verdicts.c.reason)).scalar_one() == "face_too_small"
        known = judged_contents(connection, ["bytes of a"], "m-1")
    assert known["bytes of a"].reason == "face_too_small"


def test_what_was_read_replaces_what_was_listed_and_a_zero_is_a_value(
    ledger: Ledger, record: Record
) -> None:
    claim = claim_next(ledger, record(["/a", "/b"]))
    assert claim is not None

    close(ledger, claim, [ImageOutcome(uri, "done", "real", score=0.0) for uri in ("/a", "/b")])

    with ledger.read() as connection:
        rows = connection.execute(
            select(verdicts.c.score, verdicts.c.size_bytes, verdicts.c.mtime, verdicts.c.reused)
        ).all()
    assert [tuple(row) for row in rows] == [(0.0, None, None, False)] * 2


def test_an_image_that_is_queued_again_keeps_nothing_of_its_first_outcome(
    ledger: Ledger, record: Record
) -> None:
    scan_id = record(["/a"])
    claim = claim_next(ledger, scan_id)
    assert claim is not None
    first = ImageOutcome(
        "/a", "failed", error_code="unreachable", error_message="away", sha256="x", width=5
    )
    close(ledger, claim, [first])
    with ledger.write() as connection:
        finish_scans(connection)
        assert requeue_unreachable(connection, scan_id, batch_images=4) == 1

    claim = claim_next(ledger, scan_id)
    assert claim is not None
    close(ledger, claim, [ImageOutcome("/a", "done", "fake", score=0.9)])

    with ledger.read() as connection:
        row = connection.execute(select(verdicts)).one()
    assert (row.status, row.verdict, row.score) == ("done", "fake", 0.9)
    assert (row.error_code, row.error_message, row.sha256, row.width) == (None, None, None, None)
