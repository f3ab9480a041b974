"""`fakesweep db`: the ledger's schema."""

import click

from cli.context import start


@click.group()
def db() -> None:
    """Look after the database."""


@db.command()
def upgrade() -> None:
    """Create the ledger, or bring it to the newest schema."""
    from db.ledger import open_ledger
    from db.upgrade import upgrade as upgrade_ledger

    settings = start()
    ledger = open_ledger(settings.database_url)
    try:
        before, after = upgrade_ledger(ledger)
    finally:
        ledger.close()
    click.echo(
        f"database {ledger.name}: "
        + (f"schema {after}, up to date" if before == after else f"schema {before} -> {after}")
    )
