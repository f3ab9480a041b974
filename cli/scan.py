"""`fakesweep scan`: sweep sources from one command to SQL."""

import json
import signal
from typing import TYPE_CHECKING, Any

import click

from cli.context import FAIL_ON, prepared_ledger, start
from fakesweep.errors import FakesweepError, NothingToJudge, SettingError

if TYPE_CHECKING:
    from db.counts import Progress
    from db.ledger import Ledger
    from fakesweep.settings import Settings
    from producer.scan import OpenedScan


@click.command()
@click.argument("sources", nargs=-1, type=click.Path(readable=False))  # checked by the producer
@click.option(
    "--files-from",
    metavar="FILE",
    help="Scan the files named in FILE (- for standard input), separated by newlines or NULs.",
)
@click.option(
    "--include", multiple=True, metavar="GLOB", help="Scan only files that match; repeatable."
)
@click.option(
    "--exclude",
    multiple=True,
    metavar="GLOB",
    help="Leave out files and directories that match; repeatable.",
)
@click.option("--hidden", is_flag=True, help="Scan names that begin with a dot, too.")
@click.option("--follow-symlinks", is_flag=True, help="Follow links found inside directories.")
@click.option(
    "--archives/--no-archives",
    default=True,
    show_default=True,
    help="Look into zip and tar archives.",
)
@click.option(
    "--model", metavar="VERSION", help="Judge with this model version.  [default: current]"
)
@click.option("--rescan", is_flag=True, help="Judge all images, unchanged ones and copies too.")
@click.option(
    "--where",
    metavar="SQL",
    help="With --rescan: judge the images whose row in latest_verdicts meets this condition, for"
    ' example "model_version <> current"; SOURCES are optional and narrow it down.',
)
@click.option(
    "--priority",
    type=click.Choice(["high", "bulk"]),
    default="bulk",
    show_default=True,
    help="Queue of this scan's batches; workers empty `high` first.",
)
@click.option(
    "--wait/--no-wait",
    default=True,
    show_default=True,
    help="With a broker: wait for the workers, or return when all images are recorded.",
)
@FAIL_ON
@click.option("--json", "as_json", is_flag=True, help="End with one line of JSON on stdout.")
def scan(
    sources: tuple[str, ...],
    files_from: str | None,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    hidden: bool,
    follow_symlinks: bool,
    archives: bool,
    model: str | None,
    rescan: bool,
    where: str | None,
    priority: str,
    wait: bool,
    fail_on: tuple[str, ...],
    as_json: bool,
) -> int:
    """Sweep SOURCES and record a verdict for every image.

    A source is a directory, a file, an archive, a manifest (.csv, .jsonl or .parquet with a column
    uri) or a URL of a bucket (s3://, gs://, az:// or another that fsspec opens).

    Without a broker (FAKESWEEP_BROKER_URL) the images are judged here, with one by the workers.
    Images unchanged since their last verdict by the same model version are not judged again.

    In the condition of --where the word `current` stands for the model version of this scan.

    Exit status: 0 nothing flagged, 1 fakes found, 2 error, 130 interrupted.
    """
    from producer.scan import begin_scan
    from producer.sources import judged_sources, named_sources

    settings = start()
    if not wait and not settings.broker_url:
        raise SettingError("--no-wait needs a broker and workers; set FAKESWEEP_BROKER_URL")
    if where is None:
        checked = named_sources(
            sources,
            files_from,
            include=include,
            exclude=exclude,
            hidden=hidden,
            follow_symlinks=follow_symlinks,
            archives=archives,
        )
    elif not rescan:
        raise SettingError("--where chooses images to judge again; give --rescan with it")
    elif files_from is not None or include or exclude or hidden or follow_symlinks:
        raise SettingError(
            "--where takes its images from the ledger; give it no --files-from, --include,"
            " --exclude, --hidden or --follow-symlinks"
        )
    else:
        checked = judged_sources(sources, where)
    with prepared_ledger(settings) as ledger:
        app = connect_broker(settings)
        try:
            opened = begin_scan(
                ledger, checked, settings=settings, model=model, rescan=rescan, priority=priority
            )
        except NothingToJudge as nothing:
            click.echo(f"fakesweep: {nothing}", err=True)
            if as_json:
                click.echo(json.dumps({"scan": None, "images": 0}))
            return 0
        return run_scan(ledger, opened, app, settings, wait=wait, fail_on=fail_on, as_json=as_json)


def connect_broker(settings: "Settings") -> Any:
    """Give the Celery app of the configured broker, None where there is none.

    Raises:
        BrokerError: The broker does not answer.
    """
    if not settings.broker_url:
        return None
    from worker.app import make_app
    from worker.broker import check_broker

    app = make_app(settings)
    check_broker(app)
    return app


def run_scan(
    ledger: "Ledger",
    opened: "OpenedScan",
    app: Any,
    settings: "Settings",
    *,
    wait: bool,
    fail_on: tuple[str, ...],
    as_json: bool,
) -> int:
    """Sweep an opened scan, show how far it is, print the summary and give the exit status."""
    from cli.progress import ScanProgress
    from cli.summary import to_json
    from db.counts import read_progress

    scan_id = opened.scan.id
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        with ScanProgress(ledger, scan_id) as shown:
            if app is None:
                from producer.here import sweep_here

                sweep_here(ledger, opened, settings=settings, observe=shown.refresh)
            else:
                from producer.queue import enqueue, wait_for_workers

                enqueue(app, ledger, opened, settings=settings, observe=shown.refresh)
                if wait:
                    wait_for_workers(app, ledger, scan_id, settings=settings, observe=shown.refresh)
    except KeyboardInterrupt:
        click.echo(
            f"fakesweep: scan {scan_id} was interrupted; what is judged is recorded."
            f" Go on with: fakesweep resume {scan_id}",
            err=True,
        )
        if as_json:
            with ledger.read() as connection:
                click.echo(to_json(read_progress(connection, scan_id)))
        return 130
    except FakesweepError as error:
        hint = f"scan {scan_id} stays open; go on with: fakesweep resume {scan_id}"
        raise type(error)(f"{error}; {hint}") from error
    return end_scan(ledger, scan_id, settings, waited=wait, fail_on=fail_on, as_json=as_json)


def end_scan(
    ledger: "Ledger",
    scan_id: int,
    settings: "Settings",
    *,
    waited: bool,
    fail_on: tuple[str, ...],
    as_json: bool,
) -> int:
    """Print the summary of a scan and give the exit status."""
    from cli.summary import print_summary, to_json
    from db.counts import count_failures, read_progress
    from worker.notify import tell_all

    with ledger.read() as connection:
        progress = read_progress(connection, scan_id)
        failures = count_failures(connection, scan_id)
    print_summary(progress, failures, settings)
    if as_json:
        click.echo(to_json(progress))
    tell_all(ledger, settings)
    return exit_status(progress, fail_on, waited=waited)


def _interrupt(_signal: int, _frame: Any) -> None:
    raise KeyboardInterrupt


def exit_status(progress: "Progress", fail_on: tuple[str, ...], *, waited: bool) -> int:
    """Choose the exit status of a scan.

    What is not complete is an error: a listing with gaps, a cancelled scan, one that was waited for
    and is still open. Fakes count whether they were found now or are unchanged.
    """
    if "never" in fail_on:
        return 0
    if progress.scan.error_message or progress.scan.status == "cancelled":
        return 2
    if waited and progress.scan.open:
        return 2
    if "error" in fail_on and progress.failed:
        return 2
    if "fake" in fail_on and progress.fake + progress.scan.unchanged_fake:
        return 1
    return 0
