"""Compare what two model versions say about the same images."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, Subquery, func, select

from db.export import FETCHED_ROWS
from db.places import lies_under
from db.schema import scans, verdicts

FLIP_COLUMNS = ("uri", "sha256", "verdict_a", "score_a", "verdict_b", "score_b", "score_change")


@dataclass(frozen=True)
class Compared:
    """Which two versions, and on which images: of these scans, below these paths; empty: all."""

    a: str
    b: str
    scan_ids: tuple[int, ...] = ()
    paths: tuple[str, ...] = ()


@dataclass(frozen=True)
class Cell:
    """The images with one pair of verdicts; `score_change` is B - A summed over those `scored`."""

    verdict_a: str
    verdict_b: str
    images: int
    scored: int
    score_change: float


def _newest(compared: Compared, version: str, name: str) -> Subquery:
    """The newest verdict that a version gave to each content of each image."""
    rank = func.row_number().over(
        partition_by=(verdicts.c.uri, verdicts.c.sha256),
        order_by=(verdicts.c.decided_at.desc(), verdicts.c.id.desc()),
    )
    query = select(
        verdicts.c.uri, verdicts.c.sha256, verdicts.c.verdict, verdicts.c.score, rank.label("rank")
    ).where(verdicts.c.model_version == version, verdicts.c.status == "done")
    if compared.scan_ids:
        asked = select(verdicts.c.uri).where(verdicts.c.scan_id.in_(compared.scan_ids))
        query = query.where(verdicts.c.uri.in_(asked))
    if compared.paths:
        query = query.where(lies_under(verdicts.c.uri, compared.paths))
    ranked = query.subquery()
    columns = (ranked.c.uri, ranked.c.sha256, ranked.c.verdict, ranked.c.score)
    return select(*columns).where(ranked.c.rank == 1).subquery(name)


def _pairs(compared: Compared) -> tuple[Subquery, Subquery]:
    return _newest(compared, compared.a, "a"), _newest(compared, compared.b, "b")


def count_pairs(connection: Connection, compared: Compared) -> list[Cell]:
    """Count the images that both versions judged by their two verdicts."""
    a, b = _pairs(compared)
    change = b.c.score - a.c.score
    rows = connection.execute(
        select(
            a.c.verdict,
            b.c.verdict,
            func.count(),
            func.count(change),
            func.coalesce(func.sum(change), 0.0),
        )
        .join_from(a, b, (a.c.uri == b.c.uri) & (a.c.sha256 == b.c.sha256))
        .group_by(a.c.verdict, b.c.verdict)
        .order_by(a.c.verdict, b.c.verdict)
    )
    return [Cell(*row) for row in rows]


def count_judged(connection: Connection, compared: Compared) -> tuple[int, int]:
    """Count the images that A judged, and those that B judged."""
    counts = (
        connection.execute(select(func.count()).select_from(judged)).scalar_one()
        for judged in _pairs(compared)
    )
    return int(next(counts)), int(next(counts))


def largest_flips(connection: Connection, compared: Compared, limit: int) -> Sequence[Row[Any]]:
    """Give the images whose verdict differs, the largest change of score first."""
    query = _flips(compared).limit(limit)
    return connection.execute(query).all()


def stream_flips(connection: Connection, compared: Compared) -> Iterator[Row[Any]]:
    """Give every image whose verdict differs, in the same order, a few thousand fetched at once."""
    yield from connection.execution_options(stream_results=True, yield_per=FETCHED_ROWS).execute(
        _flips(compared)
    )


def judging_versions(connection: Connection) -> list[str]:
    """Name the model versions that scans were pinned to, the newest scan's first."""
    rows = connection.execute(
        select(scans.c.model_version)
        .group_by(scans.c.model_version)
        .order_by(func.max(scans.c.id).desc())
    )
    return list(rows.scalars())


def _flips(compared: Compared) -> Select[Any]:
    a, b = _pairs(compared)
    change = b.c.score - a.c.score
    return (
        select(
            a.c.uri,
            a.c.sha256,
            a.c.verdict.label("verdict_a"),
            a.c.score.label("score_a"),
            b.c.verdict.label("verdict_b"),
            b.c.score.label("score_b"),
            change.label("score_change"),
        )
        .join_from(a, b, (a.c.uri == b.c.uri) & (a.c.sha256 == b.c.sha256))
        .where(a.c.verdict != b.c.verdict)
        .order_by(func.coalesce(func.abs(change), -1.0).desc(), a.c.uri)
    )
