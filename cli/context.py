"""What several commands share: settings, the log level, an open ledger, an option."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from db.ledger import Ledger
    from fakesweep.settings import Settings

FAIL_ON = click.option(
    "--fail-on",
    type=click.Choice(["fake", "error", "never"]),
    multiple=True,
    default=["fake"],
    show_default=True,
    help="Exit with 1 when fakes were found, with 2 when an image failed, or never; repeatable.",
)


def start() -> "Settings":
    """Load the settings and set up the log lines."""
    from fakesweep.logs import set_up_logs
    from fakesweep.settings import load_settings

    settings = load_settings()
    set_up_logs(settings.log_level, settings.log_format)
    return settings


@contextmanager
def existing_ledger(settings: "Settings") -> Iterator["Ledger"]:
    """Open a ledger that must be there and fit; closed at the end of the block."""
    from db.ledger import check_schema, open_ledger

    ledger = open_ledger(settings.database_url, create=False)
    try:
        check_schema(ledger)
        yield ledger
    finally:
        ledger.close()


@contextmanager
def prepared_ledger(settings: "Settings") -> Iterator["Ledger"]:
    """Open a ledger and create it in an empty database; closed at the end of the block."""
    from db.ledger import open_ledger
    from db.upgrade import prepare

    ledger = open_ledger(settings.database_url)
    try:
        prepare(ledger)
        yield ledger
    finally:
        ledger.close()
