"""The latest verdicts that a user's condition chooses, to judge their images again."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from sqlalchemy import ColumnElement, bindparam, exists, func, null, select, text, tuple_

from db.ledger import Ledger
from db.places import lies_under
from db.query import read_only
from db.schema import verdicts
from fakesweep.errors import QueryRefused

CURRENT = "current_version_of_this_scan"
CLOSED = ("done", "failed")

# Whatever hides what it holds from the reader comes first; then what matters in the open.
TOKENS = re.compile(
    r"""
      (?P<hidden> '(?:[^']|'')*' | "(?:[^"]|"")*" | `[^`]*` | \$(?P<tag>\w*)\$.*?\$(?P=tag)\$ )
    | (?P<comment> -- | /\* )
    | (?P<bind> (?<!:) :current \b )
    | (?P<current> (?<![\w.:$]) current (?![\w.$(]) (?!\s+row\b) )
    | (?P<colon> : )
    | (?P<mark> [();] )
    """,
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)


@dataclass(frozen=True)
class Condition:
    """Which verdicts, frozen at the beginning of a scan.

    Attributes:
        sql: What the user wrote: a condition on the columns of `latest_verdicts`.
        current: The model version that `current` stands for in it.
        up_to: The newest row when the scan began. Rows after it are not looked at, those of the
            scan itself among them, so that the same images are chosen however often it is resumed.
    """

    sql: str
    current: str = ""
    up_to: int = 0


@dataclass(frozen=True)
class ChosenVerdict:
    """The row of a latest verdict, and its image."""

    id: int
    uri: str
    record: str | None


def freeze(ledger: Ledger, sql: str, current: str) -> Condition:
    """Bind a condition to a model version and to the rows that there are now."""
    with ledger.read() as connection:
        newest = connection.execute(select(func.max(verdicts.c.id))).scalar()
    return Condition(sql, current, newest or 0)


def choose_verdicts(
    ledger: Ledger, condition: Condition, paths: Sequence[str], *, after: int, limit: int
) -> list[ChosenVerdict]:
    """Give the next verdicts that meet a condition, in the order of their rows.

    Args:
        paths: Only images that are or lie below these; empty: all.
        after: The last row of the part before; 0 at the beginning.

    Raises:
        QueryRefused: The condition is wrong, or would do more than read.
    """
    newer = verdicts.alias("newer")
    latest = (
        select(*_columns(ledger))
        .where(
            verdicts.c.id > after,
            verdicts.c.id <= condition.up_to,
            verdicts.c.status.in_(CLOSED),
            ~exists(
                select(1).where(
                    newer.c.uri == verdicts.c.uri,
                    newer.c.id <= condition.up_to,
                    newer.c.status.in_(CLOSED),
                    tuple_(newer.c.decided_at, newer.c.id)
                    > tuple_(verdicts.c.decided_at, verdicts.c.id),
                )
            ),
        )
        .subquery("latest_verdicts")
    )
    sql, names_current = bind_current(condition.sql)
    meets = text(f"(\n{sql}\n)")
    if names_current:
        meets = meets.bindparams(bindparam(CURRENT, condition.current))
    query = (
        select(latest.c.id, latest.c.uri, latest.c.record)
        .where(meets)
        .order_by(latest.c.id)
        .limit(limit)
    )
    if paths:
        query = query.where(lies_under(latest.c.uri, paths))
    with read_only(ledger, condition.sql) as connection:
        return [ChosenVerdict(*row) for row in connection.execute(query)]


def _columns(ledger: Ledger) -> list[ColumnElement[Any]]:
    """Give the columns of a verdict.

    SQLite would answer a condition by an index of its column and sort all that it finds, for every
    page anew. It has no index of an expression, so it goes by row number and stops after the page.
    """
    if ledger.engine.dialect.name != "sqlite":
        return list(verdicts.columns)
    return [
        c if c.primary_key else func.coalesce(c, null()).label(c.name) for c in verdicts.columns
    ]


def bind_current(condition: str) -> tuple[str, bool]:
    """Put a parameter where a condition says `current` or `:current` outside of quotes.

    Returns:
        The condition, and whether it names the current version.

    Raises:
        QueryRefused: It is empty, or cannot stand between parentheses as one condition.
    """
    depth, named = 0, False

    def replace(found: re.Match[str]) -> str:
        nonlocal depth, named
        piece = found.group()
        if found["comment"] or piece == ";":
            _refuse(condition, f"it holds {piece!r}; expected one condition without comments")
        if found["bind"] or found["current"]:
            named = True
            return f":{CURRENT}"
        if found["mark"]:
            depth += 1 if piece == "(" else -1
            if depth < 0:
                _refuse(condition, "a parenthesis is closed that was not opened")
        return piece.replace(":", r"\:")

    bound = TOKENS.sub(replace, condition)
    if not condition.strip():
        _refuse(condition, "it is empty; expected one like \"verdict = 'fake'\"")
    if depth:
        _refuse(condition, "a parenthesis is not closed")
    return bound, named


def _refuse(condition: str, reason: str) -> NoReturn:
    raise QueryRefused(f"the condition was refused: {reason}. Received: {condition!r}")
