"""Statements about whether processes get on: their rounds, and the batches of a host."""

from dataclasses import dataclass

from sqlalchemy import Connection, delete, func, insert, select

from db.ledger import database_clock, take_turns
from db.schema import batches, rounds

ROUNDS = 7_240_311_905  # key of the lock under which rounds are noted


@dataclass(frozen=True)
class HostProgress:
    """What a host's workers did, in seconds of the database's clock; None: never, or nothing.

    Attributes:
        round_s: Since the main process last did its round.
        waiting_s: Since the oldest batch that waits was sent.
        closed_s: Since a worker of this host last closed a batch.
        overdue: Batches that a worker of this host holds beyond their lease.
    """

    round_s: float | None
    waiting_s: float | None
    closed_s: float | None
    overdue: int


def note_round(connection: Connection, role: str, host: str) -> None:
    """Note that a process did its round."""
    take_turns(connection, ROUNDS)
    name = f"{role}@{host}"
    connection.execute(delete(rounds).where(rounds.c.name == name))
    connection.execute(insert(rounds).values(name=name, done_at=database_clock()))


def read_host(connection: Connection, role: str, host: str) -> HostProgress:
    """Look how a host gets on."""
    mine = batches.c.worker.startswith(f"{host}:", autoescape=True)
    now = database_clock()
    done_at = (
        select(now - func.max(rounds.c.done_at))
        .where(rounds.c.name == f"{role}@{host}")
        .scalar_subquery()
    )
    waiting = (
        select(now - func.min(batches.c.sent_at))
        .where(batches.c.status == "queued", batches.c.sent_at.is_not(None))
        .scalar_subquery()
    )
    closed = select(now - func.max(batches.c.closed_at)).where(mine).scalar_subquery()
    overdue = (
        select(func.count())
        .select_from(batches)
        .where(mine, batches.c.status == "running", batches.c.lease_until < now)
        .scalar_subquery()
    )
    return HostProgress(*connection.execute(select(done_at, waiting, closed, overdue)).one())
