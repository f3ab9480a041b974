"""What Prometheus is told: totals of the whole ledger, counted by the database."""

from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from db.ledger import database_clock
from db.scans import OPEN
from db.schema import batches, scans, verdicts

VERDICTS = ("fake", "real", "uncertain", "no_face", "failed")
STAGES = ("read", "decode", "score", "write")


@dataclass(frozen=True)
class Measures:
    """Totals of the ledger at one moment.

    Attributes:
        images: Closed images by worker and outcome (`failed` beside the verdicts).
        failures: Failed images by error code.
        seconds: Seconds by worker and stage, of all threads together.
        batches: Batches by status, and `waiting` for those that lie in the broker.
        oldest_waiting_s: Age of the oldest batch that was sent and is not claimed; 0 without any.
        listed: Images that producers found, unchanged ones included.
        scans: Scans by status.
        versions: Model versions of open scans.
    """

    images: dict[tuple[str, str], int]
    failures: dict[str, int]
    seconds: dict[tuple[str, str], float]
    batches: dict[str, int]
    oldest_waiting_s: float
    listed: int
    scans: dict[str, int]
    versions: list[str]


def read_measures(connection: Connection) -> Measures:
    """Count everything."""
    worker = func.coalesce(batches.c.worker, "none").label("worker")
    sums = [func.coalesce(func.sum(batches.c[name]), 0).label(name) for name in VERDICTS]
    spent = [func.coalesce(func.sum(batches.c[f"{stage}_s"]), 0.0).label(stage) for stage in STAGES]
    by_worker = connection.execute(
        select(worker, *sums, *spent).where(batches.c.closed_at.is_not(None)).group_by(worker)
    ).all()
    failures = connection.execute(
        select(verdicts.c.error_code, func.count())
        .where(verdicts.c.error_code.is_not(None))
        .group_by(verdicts.c.error_code)
    )
    waiting = connection.execute(
        select(
            func.count(), func.coalesce(database_clock() - func.min(batches.c.sent_at), 0.0)
        ).where(batches.c.status == "queued", batches.c.sent_at.is_not(None))
    ).one()
    statuses = connection.execute(select(batches.c.status, func.count()).group_by(batches.c.status))
    states = connection.execute(select(scans.c.status, func.count()).group_by(scans.c.status))
    versions = connection.execute(
        select(scans.c.model_version).where(scans.c.status.in_(OPEN)).distinct()
    )
    return Measures(
        images={(r.worker, v): int(r._mapping[v]) for r in by_worker for v in VERDICTS},
        failures={row[0]: int(row[1]) for row in failures},
        seconds={(r.worker, s): float(r._mapping[s]) for r in by_worker for s in STAGES},
        batches={**{row[0]: int(row[1]) for row in statuses}, "waiting": int(waiting[0])},
        oldest_waiting_s=float(waiting[1]),
        listed=int(
            connection.execute(select(func.coalesce(func.sum(scans.c.images), 0))).scalar_one()
        ),
        scans={row[0]: int(row[1]) for row in states},
        versions=sorted(versions.scalars()),
    )
