"""The console that answers are printed on."""

from rich.console import Console

PIPED_COLUMNS = 100_000  # a table that goes to a file or a pipe is never folded


def make_console() -> Console:
    """Give a console on stdout, as wide as the terminal, or unbounded where there is none."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=PIPED_COLUMNS)
