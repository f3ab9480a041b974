"""The command line's root: commands are imported when they are called."""

import importlib
import logging
import os
import sys
from io import TextIOWrapper
from typing import Any

import click

from fakesweep.errors import FakesweepError
from fakesweep.logs import TEXT
from fakesweep.version import __version__

log = logging.getLogger(__name__)

COMMANDS = {
    "scan": "cli.scan",
    "explain": "cli.explain",
    "status": "cli.scans",
    "resume": "cli.scans",
    "pause": "cli.scans",
    "cancel": "cli.scans",
    "export": "cli.export",
    "query": "cli.query",
    "prune": "cli.prune",
    "worker": "cli.worker",
    "schedule": "cli.schedule",
    "beat": "cli.beat",
    "watch": "cli.watch",
    "metrics": "cli.metrics",
    "health": "cli.health",
    "label": "cli.label",
    "drift": "cli.drift",
    "train": "cli.train",
    "evaluate": "cli.evaluate",
    "publish": "cli.publish",
    "promote": "cli.publish",
    "rollback": "cli.publish",
    "models": "cli.models",
    "doctor": "cli.doctor",
    "db": "cli.db",
}

EXIT_ERROR = 2
EXIT_INTERRUPTED = 130


class LazyCommands(click.Group):
    """A group whose commands live in modules of their own, so that `--help` stays quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the commands in the order of the way an image goes."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module of a command."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(COMMANDS[cmd_name])
        command: click.Command = getattr(module, cmd_name)
        return command


@click.group(cls=LazyCommands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="fakesweep")
def fakesweep() -> None:
    """Sweep whole media archives for AI-made and manipulated faces.

    Settings come from FAKESWEEP_* variables and a TOML file; `fakesweep doctor` checks them.
    """


def main() -> None:
    """Run the command; every expected error is one line on stderr and exit status 2."""
    for stream in (sys.stdout, sys.stderr):
        # A name that the terminal's encoding cannot show is shown escaped.
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    logging.basicConfig(stream=sys.stderr, format=TEXT)
    try:
        _run()
    except FakesweepError as error:
        click.echo(f"fakesweep: {error}", err=True)
        sys.exit(EXIT_ERROR)
    except BrokenPipeError:
        _drop_output()
        sys.exit(EXIT_ERROR)
    except Exception as error:  # the last boundary: a fault of ours must not exit as "fakes found"
        log.debug("unexpected failure", exc_info=True)
        reason = " ".join(str(error).split()) or "no reason given"
        click.echo(
            f"fakesweep: unexpected {type(error).__name__}: {reason}"
            " (FAKESWEEP_LOG_LEVEL=DEBUG shows more)",
            err=True,
        )
        _drop_output()
        sys.exit(EXIT_ERROR)


def _drop_output() -> None:
    """Let the interpreter not try again, at its end, to write what nobody could take."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _run() -> None:
    try:
        status: Any = fakesweep.main(standalone_mode=False)
        sys.stdout.flush()  # a full disk is met here, where it can be reported
    except click.ClickException as error:
        error.show()
        sys.exit(EXIT_ERROR)
    except (click.Abort, KeyboardInterrupt):
        click.echo("fakesweep: interrupted", err=True)
        sys.exit(EXIT_INTERRUPTED)
    sys.exit(status if isinstance(status, int) else 0)
