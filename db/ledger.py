"""The door to the database: connections that read, transactions that write, and its clock."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.pool import NullPool
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import Float

from db.schema import SCHEMA_REVISION
from fakesweep.errors import LedgerError, one_line
from fakesweep.settings import mask_url

BUSY_TIMEOUT_S = 60.0  # longest wait for SQLite's one writer
# 32 MiB. Every batch touches a page of an index for each of its hashes: the longer the log grows, the more of
# these pages go to the file once for many batches.
CHECKPOINT_PAGES = 8000


class database_clock(FunctionElement[float]):
    """Seconds since 1970 by the database's own clock: leases compare times of one clock only."""

    type = Float()
    inherit_cache = True


@compiles(database_clock, "sqlite")
def _sqlite_clock(element: Any, compiler: Any, **options: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(database_clock, "postgresql")
def _postgresql_clock(element: Any, compiler: Any, **options: Any) -> str:
    return "CAST(extract(epoch FROM clock_timestamp()) AS double precision)"


class Ledger:
    """An open ledger; `read` and `write` give connections, whose functions never commit."""

    def __init__(self, engine: Engine, name: str) -> None:
        self.engine = engine
        self.name = name

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection for statements that change nothing."""
        with self._errors(), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Give a transaction: committed at the end of the block, rolled back on an exception."""
        with self._errors(), self.engine.connect() as connection:
            # SQLite: take the writer's place at once; a reader that turns writer can fail as busy.
            connection.execution_options(ledger_write=True)
            with connection.begin():
                yield connection

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            reason = str(error.orig).strip().splitlines()
            raise LedgerError(
                f"database {self.name}: {reason[0] if reason else type(error.orig).__name__}"
            ) from error
        except SQLAlchemyError as error:
            raise LedgerError(f"database {self.name}: {error}") from error
        except self.engine.dialect.loaded_dbapi.Error as error:  # of a cursor of its driver
            raise LedgerError(f"database {self.name}: {one_line(error)}") from error


def open_ledger(url: str, *, pooled: bool = True, create: bool = True) -> Ledger:
    """Open the database of a URL; the first statement connects.

    Args:
        url: `sqlite:////path/file.db` or `postgresql://user:password@host/name`.
        pooled: Keep connections open between uses. False where the process forks later.
        create: Whether a missing SQLite file and its folder may be made.

    Raises:
        LedgerError: The URL cannot be used, or the folder of an SQLite file cannot be made.
    """
    try:
        parsed = make_url(url)
        options: dict[str, Any] = {} if pooled else {"poolclass": NullPool}
        if parsed.get_backend_name() == "sqlite":
            file = Path(str(parsed.database))
            if create:
                _make_folder(file)
            elif not file.is_file():
                raise LedgerError(f"no ledger at {file} yet; `fakesweep scan` creates it")
            engine = create_engine(parsed, connect_args={"timeout": BUSY_TIMEOUT_S}, **options)
            event.listen(engine, "connect", _prepare_sqlite)
            event.listen(engine, "begin", _begin_sqlite)
        else:
            engine = create_engine(
                parsed, connect_args={"connect_timeout": 10}, pool_pre_ping=pooled, **options
            )
    except (SQLAlchemyError, ValueError, ImportError) as error:
        raise LedgerError(f"the database URL {mask_url(url)!r} cannot be used: {error}") from error
    return Ledger(engine, mask_url(url))


def _make_folder(file: Path) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LedgerError(
            f"the folder of the database {file} cannot be made: {error.strerror};"
            " set FAKESWEEP_DATABASE_URL or FAKESWEEP_DATA_DIR to a place you may write to"
        ) from error


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None  # transactions begin where `_begin_sqlite` says, not earlier
    # WAL: readers and the writer do not block each other. Asked before it is set, since a reader of a
    # file that it may not write could not set it.
    if connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
        connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")  # safe with WAL; a sync per checkpoint
    connection.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}")
    connection.execute("PRAGMA foreign_keys=ON")


def _begin_sqlite(connection: Connection) -> None:
    write = connection.get_execution_options().get("ledger_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def take_turns(connection: Connection, key: int) -> None:
    """Wait for all other transactions that took turns with the same key; SQLite has one writer."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})


def schema_revision(connection: Connection) -> str | None:
    """Read the revision of the database's schema; None for an empty database."""
    if not connection.dialect.has_table(connection, "alembic_version"):
        return None
    return connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()


def check_schema(ledger: Ledger) -> None:
    """Make sure that this version of fakesweep and the database's schema fit.

    Raises:
        LedgerError: The schema is missing, older or newer; the message names the cure.
    """
    with ledger.read() as connection:
        found = schema_revision(connection)
        if connection.dialect.name == "postgresql":
            encoding = connection.execute(text("SHOW server_encoding")).scalar()
            if encoding != "UTF8":
                raise LedgerError(
                    f"database {ledger.name} has the encoding {encoding}, which cannot hold every"
                    " file name; create one with ENCODING 'UTF8'"
                )
    if found is None:
        raise LedgerError(f"database {ledger.name} holds no ledger yet; run `fakesweep db upgrade`")
    if found > SCHEMA_REVISION:
        raise LedgerError(
            f"database {ledger.name} has schema {found}, newer than {SCHEMA_REVISION}, the newest"
            " this version of fakesweep knows; upgrade fakesweep"
        )
    if found < SCHEMA_REVISION:
        raise LedgerError(
            f"database {ledger.name} has schema {found}, this version of fakesweep needs"
            f" {SCHEMA_REVISION}; run `fakesweep db upgrade`"
        )
