"""Statements about how scores are distributed: one histogram for each source root."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Float,
    Text,
    and_,
    case,
    cast,
    func,
    literal,
    select,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from db.places import lies_under
from db.scans import Scan, scan_of_row
from db.schema import scans, verdicts
from fakesweep.uri import uri_of_name

CLOSED = ("done", "failed")


@dataclass
class Distribution:
    """The verdicts of one source root.

    Attributes:
        counts: Images with a score, by bin.
        no_face: Images without a face.
        unscored: Other images without a score: no face of theirs could be judged.
        failed: Images without a verdict.
    """

    counts: list[int]
    no_face: int = 0
    unscored: int = 0
    failed: int = 0

    @property
    def images(self) -> int:
        """All images, whatever became of them."""
        return sum(self.counts) + self.no_face + self.unscored + self.failed


class first_folder(FunctionElement[str]):
    """The part of a text before its first slash; the whole where there is none."""

    type = Text()
    inherit_cache = True


@compiles(first_folder, "sqlite")
def _sqlite_folder(element: Any, compiler: Any, **options: Any) -> str:
    rest = compiler.process(element.clauses, **options)
    return f"substr({rest}, 1, instr({rest} || '/', '/') - 1)"


@compiles(first_folder, "postgresql")
def _postgresql_folder(element: Any, compiler: Any, **options: Any) -> str:
    return f"split_part({compiler.process(element.clauses, **options)}, '/', 1)"


def scans_since(connection: Connection, since: datetime) -> list[Scan]:
    """List the scans that began at or after a moment, oldest first."""
    rows = connection.execute(select(scans).where(scans.c.created_at >= since).order_by(scans.c.id))
    return [scan_of_row(row) for row in rows]


def scans_by_version(connection: Connection, model_version: str) -> list[Scan]:
    """List all scans by a model version, oldest first."""
    rows = connection.execute(
        select(scans).where(scans.c.model_version == model_version).order_by(scans.c.id)
    )
    return [scan_of_row(row) for row in rows]


def count_scores(
    connection: Connection,
    scan_ids: Sequence[int],
    edges: Sequence[float],
    *,
    below: str | None = None,
) -> dict[str, Distribution]:
    """Count the verdicts of scans by bins of their score, in one statement.

    Args:
        edges: Of the bins, ascending: bin i is [edges[i], edges[i + 1]), the last one closed.
        below: Count apart for each folder directly below this path; None: all as one, named "".
    """
    group: ColumnElement[Any] = literal("")
    if below is not None:
        prefix = uri_of_name(below).rstrip("/") + "/"
        rest = func.substr(verdicts.c.uri, len(prefix) + 1)
        inside = and_(lies_under(verdicts.c.uri, [below]), rest.contains("/"))
        group = case((inside, first_folder(rest)), else_="")
    kind = _kind(edges)
    rows = connection.execute(
        select(group.label("folder"), kind.label("kind"), func.count().label("images"))
        .where(verdicts.c.scan_id.in_(scan_ids), verdicts.c.status.in_(CLOSED))
        .group_by("folder", "kind")
    )
    found: dict[str, Distribution] = {}
    for row in rows:
        mine = found.setdefault(row.folder, Distribution([0] * (len(edges) - 1)))
        if row.kind.isdigit():
            mine.counts[int(row.kind)] += row.images
        else:
            setattr(mine, row.kind, row.images)
    return found


def _kind(edges: Sequence[float]) -> ColumnElement[Any]:
    score = cast(verdicts.c.score, Float)
    bins = [(score < edge, str(number)) for number, edge in enumerate(edges[1:-1])]
    return case(
        (verdicts.c.status == "failed", "failed"),
        (verdicts.c.verdict == "no_face", "no_face"),
        (verdicts.c.score.is_(None), "unscored"),
        *bins,
        else_=str(len(edges) - 2),
    )
