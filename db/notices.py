"""Statements about telling people of the end of a scan, each scan by one process at a time."""

from sqlalchemy import Connection, case, select, update

from db.ledger import database_clock
from db.scans import OPEN
from db.schema import scans

FIRST_PAUSE_S, LONGEST_PAUSE_S = 30.0, 3600.0
TRIES = 12  # over some hours
TOLD_WITHIN_S = 86400.0  # older ends, of the time before anybody was to be told, stay untold


def take_notice(connection: Connection) -> int | None:
    """Take a scan whose end is to be told; None when there is none.

    The next try is set before this one is made: a process that ends meanwhile loses nothing.
    """
    due = (
        select(scans.c.id)
        .where(
            scans.c.status.not_in(OPEN),
            scans.c.notify_at <= database_clock(),
            scans.c.notify_at > database_clock() - TOLD_WITHIN_S,
            scans.c.notify_tries < TRIES,
        )
        .order_by(scans.c.notify_at)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    pause = FIRST_PAUSE_S * case(
        {tries: 2.0**tries for tries in range(8)},
        value=scans.c.notify_tries,
        else_=LONGEST_PAUSE_S / FIRST_PAUSE_S,
    )
    return connection.execute(
        update(scans)
        .where(scans.c.id == due.scalar_subquery())
        .values(notify_at=database_clock() + pause, notify_tries=scans.c.notify_tries + 1)
        .returning(scans.c.id)
    ).scalar()


def end_notice(connection: Connection, scan_id: int) -> None:
    """Note that people were told of a scan's end, or need not be."""
    connection.execute(update(scans).where(scans.c.id == scan_id).values(notify_at=None))
