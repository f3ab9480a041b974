"""Statements of the producer: what is unchanged, and new images with their batches."""

import json
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, insert, select

from db.bulk import insert_many, is_one_of
from db.schema import batches, verdicts


class FoundImage(NamedTuple):
    """One image as its source lists it.

    Attributes:
        mtime: Seconds since 1970.
        etag: Names its content, where its bucket or archive does.
        record: JSON of what a manifest says beside its name.
    """

    uri: str
    size_bytes: int | None
    mtime: float | None
    etag: str | None = None
    record: str | None = None


QUEUED_COLUMNS = ("scan_id", "batch_id", "status", "attempts", "reused", *FoundImage._fields)


class KnownVerdict(NamedTuple):
    """The newest outcome of an image, and the file it was made for; no verdict: it failed."""

    size_bytes: int | None
    mtime: float | None
    etag: str | None
    verdict: str | None


def known_images(
    connection: Connection, uris: Sequence[str], *, model_version: str | None, scan_id: int | None
) -> tuple[set[str], dict[str, KnownVerdict]]:
    """Look up what the ledger knows of images, in one question.

    Args:
        model_version: Whose outcomes are wanted; None: nobody's.
        scan_id: The scan that may hold some of them already; None: there is none.

    Returns:
        The URIs that the scan holds, and the newest outcome that the model version gave for each of the others.
    """
    of_scan = verdicts.c.scan_id == scan_id
    of_model = (verdicts.c.model_version == model_version) & verdicts.c.status.in_(
        ("done", "failed")
    )
    rows = connection.execute(
        select(
            verdicts.c.uri,
            verdicts.c.scan_id,
            verdicts.c.size_bytes,
            verdicts.c.mtime,
            verdicts.c.etag,
            verdicts.c.verdict,
        )
        .where(
            is_one_of(connection.dialect.name, verdicts.c.uri, "uris"),
            of_scan if model_version is None else of_scan | of_model,
        )
        .order_by(verdicts.c.decided_at, verdicts.c.id),
        {"uris": json.dumps(uris)},
    ).all()
    recorded = {row[0] for row in rows if row[1] == scan_id}
    return recorded, {row[0]: KnownVerdict._make(row[2:]) for row in rows if row[1] != scan_id}


def record_batches(
    connection: Connection,
    scan_id: int,
    images: Sequence[FoundImage],
    *,
    batch_images: int,
    priority: str,
) -> None:
    """Record images that the scan does not hold yet as queued, in batches of `batch_images`."""
    groups = [images[first : first + batch_images] for first in range(0, len(images), batch_images)]
    rows = [
        (scan_id, batch_id, "queued", 0, False, *image)
        for group in groups
        for batch_id in (add_batch(connection, scan_id, len(group), priority),)
        for image in group
    ]
    insert_many(connection, verdicts, QUEUED_COLUMNS, rows)


def add_batch(
    connection: Connection,
    scan_id: int,
    images: int,
    priority: str,
    *,
    parent_id: int | None = None,
    attempts: int = 0,
) -> int:
    """Record a queued batch that is not sent yet and return its number."""
    row = {
        "scan_id": scan_id,
        "parent_id": parent_id,
        "status": "queued",
        "priority": priority,
        "images": images,
        "attempts": attempts,
        **dict.fromkeys(("fake", "real", "uncertain", "no_face", "failed"), 0),
    }
    return int(connection.execute(insert(batches).values(row).returning(batches.c.id)).scalar_one())
