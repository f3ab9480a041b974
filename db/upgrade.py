"""Bring a database to the newest schema."""

from pathlib import Path

from alembic import command
from alembic.config import Config

from db.ledger import Ledger, check_schema, schema_revision, take_turns
from db.schema import SCHEMA_REVISION

UPGRADING = 7_240_311_902  # any number: two starting processes must not both create the tables


def upgrade(ledger: Ledger) -> tuple[str | None, str]:
    """Apply all missing migrations in one transaction.

    Returns:
        The revision before (None for an empty database) and the one after.

    Raises:
        LedgerError: The database is out of reach or has a newer schema.
    """
    with ledger.write() as connection:
        take_turns(connection, UPGRADING)
        before = schema_revision(connection)
        if before is None or before < SCHEMA_REVISION:
            config = Config()
            config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    check_schema(ledger)
    return before, SCHEMA_REVISION


def prepare(ledger: Ledger) -> None:
    """Create the ledger in an empty database, then check that the schema fits.

    An older SQLite file, which is this user's alone, is upgraded too; an older server database is
    left to `fakesweep db upgrade`, since other versions may be at work on it.

    Raises:
        LedgerError: The database is out of reach, or its schema does not fit.
    """
    with ledger.read() as connection:
        found = schema_revision(connection)
        embedded = connection.dialect.name == "sqlite"
    if found is None or (embedded and found < SCHEMA_REVISION):
        upgrade(ledger)
    else:
        check_schema(ledger)
