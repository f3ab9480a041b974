"""Statements of the worker: claim a batch, keep its lease, close it with its verdicts."""

import json
import secrets
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import Connection, Float, Select, bindparam, exists, literal_column, select, update

from db.bulk import is_one_of, update_many
from db.ledger import database_clock
from db.scans import OPEN, forget_missing_model, open_rows
from db.schema import batches, scans, verdicts

VERDICTS = ("fake", "real", "uncertain", "no_face")


@dataclass(frozen=True)
class Claim:
    """A batch that this process may judge until its lease ends."""

    batch_id: int
    scan_id: int
    model_version: str
    rescan: bool
    token: str
    attempts: int
    images: dict[str, int]  # URI to row number
    tried: dict[str, int]  # URI to attempts, this one and those in earlier batches included


class ImageOutcome(NamedTuple):
    """What became of one image: a verdict, or the reason why there is none."""

    uri: str
    status: str
    verdict: str | None = None
    score: float | None = None
    error_code: str | None = None
    error_message: str | None = None
    sha256: str | None = None
    size_bytes: int | None = None
    mtime: float | None = None
    etag: str | None = None
    width: int | None = None
    height: int | None = None
    format: str | None = None
    frames: int | None = None
    faces: str | None = None
    reused: bool = False
    reason: str | None = None


@dataclass
class Seconds:
    """Where the time of a batch went, in seconds of all threads together."""

    read_s: float = 0.0
    decode_s: float = 0.0
    score_s: float = 0.0


OUTCOME_COLUMNS = ImageOutcome._fields[1:]  # all but the URI, which the row has
# What a row may hold before its outcome is known: what its listing said, replaced by what was read. The
# others are empty until then, and are only written where a batch has something to say.
LISTED = ("size_bytes", "mtime", "etag")
UNWRITTEN = {name: None for name in OUTCOME_COLUMNS if name not in (*LISTED, "status")} | {
    "reused": False
}

# Statements that run for every batch are built once: to build one takes SQLAlchemy longer than it takes a
# database to run it.
_scan = scans.c.id == batches.c.scan_id
_CLAIM = (
    update(batches)
    .where(
        batches.c.id == bindparam("claimed"),
        batches.c.status == "queued",
        exists(select(1).where(_scan, scans.c.status.in_(OPEN), ~scans.c.paused)),
    )
    .values(
        status="running",
        attempts=batches.c.attempts + 1,
        lease_until=database_clock() + bindparam("lease_s", type_=Float),
    )
    .returning(
        batches.c.scan_id,
        batches.c.attempts,
        *(
            select(column).where(_scan).correlate(batches).scalar_subquery().label(column.name)
            for column in (scans.c.model_version, scans.c.rescan, scans.c.error_message)
        ),
    )
)
_IMAGES = (
    select(verdicts.c.uri, verdicts.c.id, verdicts.c.attempts)
    .where(open_rows(bindparam("of_scan"), bindparam("of_batch")))
    .order_by(verdicts.c.id)
)
_NEXT = (
    select(batches.c.id)
    .where(batches.c.scan_id == bindparam("of_scan"), batches.c.status == "queued")
    .order_by(batches.c.id)
    .limit(1)
)
_CLOSE = (
    update(batches)
    .where(
        batches.c.id == bindparam("claimed"),
        batches.c.lease_token == bindparam("held"),
        batches.c.status == "running",
    )
    .values(status="done", closed_at=database_clock(), lease_token=None, lease_until=None)
)
_NOTE = update(batches).where(batches.c.id == bindparam("claimed"))


def claim_batch(
    connection: Connection, batch_id: int, *, worker: str, lease_s: float
) -> Claim | None:
    """Take a queued batch: one more attempt is counted before any of its images is touched.

    Returns:
        None when the batch is not to be judged now: another process holds it, it is closed, or its
        scan is paused or cancelled.
    """
    token = secrets.token_hex(8)
    claimed = connection.execute(
        _CLAIM, {"claimed": batch_id, "worker": worker, "lease_token": token, "lease_s": lease_s}
    ).one_or_none()
    if claimed is None:
        _take_back_paused(connection, batch_id)
        return None
    if claimed.error_message is not None:
        forget_missing_model(connection, claimed.scan_id)
    # The rows stay `queued`: that they are in work, their batch says. Writing it into each would cost as
    # much as its verdict.
    images = connection.execute(_IMAGES, {"of_scan": claimed.scan_id, "of_batch": batch_id}).all()
    return Claim(
        batch_id=batch_id,
        scan_id=claimed.scan_id,
        model_version=claimed.model_version,
        rescan=claimed.rescan,
        token=token,
        attempts=claimed.attempts,
        images={uri: number for uri, number, _ in images},
        tried={uri: earlier + claimed.attempts for uri, _, earlier in images},
    )


def _take_back_paused(connection: Connection, batch_id: int) -> None:
    """Mark a delivered batch of a paused scan as not sent, so that it is sent when the scan goes on."""
    paused = select(scans.c.id).where(scans.c.id == batches.c.scan_id, scans.c.paused)
    connection.execute(
        update(batches)
        .where(batches.c.id == batch_id, batches.c.status == "queued", paused.exists())
        .values(sent_at=None)
    )


def next_batch(connection: Connection, scan_id: int) -> int | None:
    """Number of the first queued batch of a scan."""
    return connection.execute(_NEXT, {"of_scan": scan_id}).scalar()


def renew_lease(connection: Connection, claim: Claim, lease_s: float) -> bool:
    """Move the end of a lease; False when the claim is no longer held."""
    return bool(
        connection.execute(
            update(batches)
            .where(
                batches.c.id == claim.batch_id,
                batches.c.lease_token == claim.token,
                batches.c.status == "running",
            )
            .values(lease_until=database_clock() + lease_s)
        ).rowcount
    )


def close_batch(
    connection: Connection,
    claim: Claim,
    outcomes: Sequence[ImageOutcome],
    seconds: Seconds | None = None,
) -> bool:
    """Write all outcomes of a claimed batch and close it; what writing took is noted with `seconds`.

    Returns:
        False, with nothing written, when the claim is no longer held: the batch was given to
        another process, which writes the outcomes instead.

    Raises:
        ValueError: The outcomes are not exactly those of the claimed images.
    """
    if {outcome.uri for outcome in outcomes} != claim.images.keys():
        raise ValueError(f"batch {claim.batch_id}: outcomes and claimed images differ")
    began = time.monotonic()
    tally = Counter(outcome.verdict or "failed" for outcome in outcomes)
    counts = {name: tally[name] for name in (*VERDICTS, "failed")}
    held = {"claimed": claim.batch_id, "held": claim.token}
    if not connection.execute(_CLOSE, held | counts).rowcount:
        return False
    if not outcomes:
        return True
    _write_outcomes(connection, claim, outcomes)
    if seconds is not None:
        spent = {**asdict(seconds), "write_s": time.monotonic() - began}
        connection.execute(_NOTE, {"claimed": claim.batch_id, **spent})
    return True


def _write_outcomes(connection: Connection, claim: Claim, outcomes: Sequence[ImageOutcome]) -> None:
    columns = dict(zip(ImageOutcome._fields, zip(*outcomes, strict=True), strict=True))
    uris = columns.pop("uri")
    for name, unwritten in UNWRITTEN.items():
        if columns[name].count(unwritten) == len(outcomes):
            del columns[name]
    columns["attempts"] = tuple(map(claim.tried.__getitem__, uris))
    update_many(
        connection,
        verdicts,
        [claim.images[uri] for uri in uris],
        columns,
        same={"model_version": claim.model_version, "decided_at": datetime.now(UTC)},
    )


def release_batch(connection: Connection, claim: Claim) -> None:
    """Give a claimed batch back unjudged, as if it had never been taken."""
    scan_status = connection.execute(
        select(scans.c.status).where(scans.c.id == claim.scan_id).with_for_update()
    ).scalar_one()
    status = "queued" if scan_status in OPEN else "cancelled"
    released = connection.execute(
        update(batches)
        .where(batches.c.id == claim.batch_id, batches.c.lease_token == claim.token)
        .values(
            status=status,
            attempts=batches.c.attempts - 1,
            sent_at=None,
            lease_token=None,
            lease_until=None,
        )
    ).rowcount
    if released and status == "cancelled":
        connection.execute(
            update(verdicts).where(open_rows(claim.scan_id, claim.batch_id)).values(status=status)
        )


def judged_contents(
    connection: Connection, hashes: Sequence[str], model_version: str
) -> dict[str, ImageOutcome]:
    """Look up outcomes of identical bytes, judged by the same model version."""
    rows = connection.execute(
        _originals(connection.dialect.name),
        {"hashes": json.dumps(hashes), "judged_by": model_version},
    )
    return {row.sha256: ImageOutcome._make(row) for row in rows}


@cache
def _originals(dialect: str) -> Select[Any]:
    columns = [verdicts.c[name] for name in ImageOutcome._fields]
    return select(*columns).where(
        is_one_of(dialect, verdicts.c.sha256, "hashes"),
        verdicts.c.model_version == bindparam("judged_by"),
        # Literally what the condition of its index says, so that the index serves.
        verdicts.c.status == literal_column("'done'"),
        ~verdicts.c.reused,
    )
