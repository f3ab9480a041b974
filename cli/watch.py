"""`fakesweep watch`: judge new images as they arrive."""

import signal
from typing import TYPE_CHECKING, Any

import click

from cli.context import prepared_ledger, start
from fakesweep.errors import NothingToJudge

if TYPE_CHECKING:
    from producer.sources import Sources

EXIT_INTERRUPTED = 130


@click.command()
@click.argument("sources", nargs=-1, required=True, type=click.Path(readable=False))
@click.option("--include", multiple=True, metavar="GLOB", help="Only files that match; repeatable.")
@click.option(
    "--exclude", multiple=True, metavar="GLOB", help="Leave out what matches; repeatable."
)
@click.option("--hidden", is_flag=True, help="Names that begin with a dot, too.")
@click.option(
    "--archives/--no-archives", default=True, show_default=True, help="Look into archives."
)
@click.option(
    "--settle",
    type=click.FloatRange(0.1),
    default=2.0,
    show_default=True,
    metavar="SECONDS",
    help="A file counts as fully written when it has not changed for so long.",
)
@click.option(
    "--poll",
    type=click.FloatRange(1),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="Between two looks at a bucket; directories are listed a tenth as often.",
)
@click.option(
    "--priority",
    type=click.Choice(["high", "bulk"]),
    default="high",
    show_default=True,
    help="Queue of the batches; workers empty `high` first.",
)
def watch(
    sources: tuple[str, ...],
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    hidden: bool,
    archives: bool,
    settle: float,
    poll: float,
    priority: str,
) -> None:
    """Judge new images in SOURCES (directories and buckets) as they arrive, until told to stop.

    What arrived since their last scan is judged first. Each group of new images is a scan of its own.
    """
    from cli.scan import connect_broker, run_scan
    from producer.scan import begin_scan
    from producer.sources import named_sources
    from producer.watch import Watch

    settings = start()
    checked = named_sources(
        sources, None, include=include, exclude=exclude, hidden=hidden, archives=archives
    )
    with prepared_ledger(settings) as ledger:
        app = connect_broker(settings)

        def begin(new: "Sources") -> None:
            try:
                opened = begin_scan(
                    ledger, new, settings=settings, model=None, rescan=False, priority=priority
                )
            except NothingToJudge:
                return
            status = run_scan(
                ledger, opened, app, settings, wait=False, fail_on=("never",), as_json=False
            )
            if status == EXIT_INTERRUPTED:
                watching.stop.set()
            listen()

        watching = Watch(ledger, settings, checked, settle, poll, begin)

        def stop(_signal: int, _frame: Any) -> None:
            watching.stop.set()

        def listen() -> None:  # again after each scan, which has its own way to be interrupted
            signal.signal(signal.SIGTERM, stop)
            signal.signal(signal.SIGINT, stop)

        listen()
        click.echo(f"watching {' '.join(checked.paths)}", err=True)
        watching.run()
