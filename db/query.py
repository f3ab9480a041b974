"""Answer a user's SQL without letting it change anything."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from db.ledger import Ledger
from fakesweep.errors import QueryRefused

_READING = {
    sqlite3.SQLITE_SELECT,
    sqlite3.SQLITE_READ,
    sqlite3.SQLITE_FUNCTION,
    sqlite3.SQLITE_RECURSIVE,
}


@contextmanager
def run_query(ledger: Ledger, sql: str) -> Iterator[tuple[list[str], Iterator[Sequence[Any]]]]:
    """Run one reading statement; gives its column names and its rows, fetched as they are read.

    Raises:
        QueryRefused: The statement would change something, is more than one, or is wrong.
    """
    with read_only(ledger, sql) as connection:
        # A colon in the user's SQL is theirs, not the mark of a parameter.
        statement = text(sql.strip().rstrip(";").replace(":", r"\:"))
        rows = connection.execution_options(stream_results=True).execute(statement)
        if not rows.returns_rows:
            raise QueryRefused(f"only reading statements are run. Received: {sql!r}")
        yield list(rows.keys()), iter(rows)


@contextmanager
def read_only(ledger: Ledger, sql: str) -> Iterator[Connection]:
    """Give a connection on which the database itself refuses whatever is not reading.

    Args:
        sql: What the user wrote, for the message.

    Raises:
        QueryRefused: A statement would change something, or is wrong.
    """
    with ledger.read() as connection:
        try:
            with _read_only(connection):
                yield connection
        except (SQLAlchemyError, UnicodeEncodeError) as error:
            reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
            raise QueryRefused(f"the query was refused: {reason}. Received: {sql!r}") from error


@contextmanager
def _read_only(connection: Connection) -> Iterator[None]:
    if connection.dialect.name == "postgresql":
        # Streaming declares a cursor, which takes a single statement; the transaction only reads.
        connection.execute(text("SET TRANSACTION READ ONLY"))
        yield
        return
    driver = connection.connection.driver_connection
    if not isinstance(driver, sqlite3.Connection):
        raise QueryRefused(f"no read-only mode for {connection.dialect.name}")
    connection.execute(text("SELECT 1"))  # the transaction begins before the authoriser is there
    driver.set_authorizer(
        lambda action, *_: sqlite3.SQLITE_OK if action in _READING else sqlite3.SQLITE_DENY
    )
    try:
        yield
    finally:
        driver.set_authorizer(None)
