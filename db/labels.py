"""Statements about labels: what people said about images after looking at them."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import Connection, column, insert, select, table

from db.bulk import is_one_of
from db.schema import labels, verdicts

COLUMNS = ("uri", "sha256", "label", "who", "labelled_at", "note")
FETCHED_ROWS = 5000


@dataclass(frozen=True)
class Label:
    """One person's word on the bytes that an image had: 0 real, 1 fake."""

    uri: str
    sha256: str
    label: int
    who: str
    labelled_at: datetime
    note: str | None = None


def add_labels(connection: Connection, given: Sequence[Label]) -> None:
    """Record labels; earlier ones of the same bytes stay as history."""
    if given:
        connection.execute(insert(labels), [asdict(label) for label in given])


def newest_labels(connection: Connection) -> Iterator[Label]:
    """Give the newest label of every content, in the order they were given."""
    source = table("latest_labels", *(column(c.name, c.type) for c in labels.columns))
    rows = connection.execution_options(stream_results=True, yield_per=FETCHED_ROWS).execute(
        select(*(source.c[name] for name in COLUMNS)).order_by(source.c.id)
    )
    for row in rows:
        yield Label(*row)


def judged_hashes(connection: Connection, uris: Sequence[str]) -> dict[str, str]:
    """Look up the SHA-256 that these images had at their newest verdict that knows it."""
    rows = connection.execute(
        select(verdicts.c.uri, verdicts.c.sha256)
        .where(
            is_one_of(connection.dialect.name, verdicts.c.uri, "uris"),
            verdicts.c.status.in_(("done", "failed")),
            verdicts.c.sha256.is_not(None),
        )
        .order_by(verdicts.c.decided_at, verdicts.c.id),
        {"uris": json.dumps(uris)},
    )
    return {row.uri: row.sha256 for row in rows}
