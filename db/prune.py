"""Let go of old verdicts: which rows, and their deletion in small transactions."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, delete, exists, func, select, tuple_

from db.ledger import Ledger
from db.scans import OPEN
from db.schema import scans, verdicts

ROWS = 5000  # deleted in one transaction


@dataclass(frozen=True)
class Pruning:
    """Which rows go; what is decided after `began` does not change it.

    Attributes:
        before: Rows decided before this moment.
        keep_fakes: Rows with the verdict `fake` stay.
        latest_too: The newest row of an image goes, too; else it stays, so that unchanged images are
            not judged again.
    """

    before: datetime
    began: datetime
    keep_fakes: bool = False
    latest_too: bool = False

    def condition(self, source: Any = verdicts) -> ColumnElement[bool]:
        """Say in SQL which rows go."""
        parts = [source.c.decided_at < self.before, source.c.status.in_(("done", "failed"))]
        if self.keep_fakes:
            parts.append(source.c.verdict.is_distinct_from("fake"))
        if not self.latest_too:
            newer = verdicts.alias("newer")
            parts.append(
                exists(
                    select(1).where(
                        newer.c.uri == source.c.uri,
                        newer.c.status.in_(("done", "failed")),
                        newer.c.decided_at < self.began,
                        tuple_(newer.c.decided_at, newer.c.id)
                        > tuple_(source.c.decided_at, source.c.id),
                    )
                )
            )
        return and_(*parts)


def count_prunable(connection: Connection, pruning: Pruning) -> int:
    """Count the rows that would go."""
    return int(
        connection.execute(
            select(func.count()).select_from(verdicts).where(pruning.condition())
        ).scalar_one()
    )


def prune(ledger: Ledger, pruning: Pruning) -> tuple[int, int]:
    """Delete rows, then closed scans of that age that hold none any more.

    Rows of cancelled images go with the age of their scan.

    Returns:
        How many verdicts and how many scans went.

    Raises:
        LedgerError: The database failed; what is deleted by then stays so.
    """
    old = select(scans.c.id).where(
        scans.c.status.not_in(OPEN), scans.c.finished_at < pruning.before
    )
    gone = 0
    for condition in (
        pruning.condition(),
        and_(verdicts.c.status == "cancelled", verdicts.c.scan_id.in_(old)),
    ):
        while deleted := _delete_some(ledger, condition):
            gone += deleted
    empty = ~exists(select(1).where(verdicts.c.scan_id == scans.c.id))
    with ledger.write() as connection:
        emptied = connection.execute(
            delete(scans).where(
                scans.c.status.not_in(OPEN), scans.c.finished_at < pruning.before, empty
            )
        ).rowcount
    return gone, emptied


def _delete_some(ledger: Ledger, condition: ColumnElement[bool]) -> int:
    with ledger.write() as connection:
        ids = select(verdicts.c.id).where(condition).limit(ROWS)
        found = list(connection.execute(ids).scalars())
        if found:
            connection.execute(delete(verdicts).where(verdicts.c.id.in_(found)))
        return len(found)
