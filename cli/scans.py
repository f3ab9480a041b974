"""`fakesweep status`, `resume`, `pause`, `cancel`: look at scans and steer them."""

import json
import time
from typing import TYPE_CHECKING

import click

from cli.context import FAIL_ON, existing_ledger, start

if TYPE_CHECKING:
    from rich.table import Table

    from db.counts import Progress
    from db.ledger import Ledger

LISTED_SCANS = 20
WATCH_S = 1.0


@click.command()
@click.argument("scan_id", metavar="[SCAN]", type=int, required=False)
@click.option("--watch", is_flag=True, help="Show again every second until the scan is closed.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(scan_id: int | None, watch: bool, as_json: bool) -> None:
    """Show how far SCAN is (default: the newest scans): rate, ETA, failures by code, workers."""
    from cli.layout import make_console

    settings = start()
    with existing_ledger(settings) as ledger:
        if as_json:
            click.echo(_status_json(ledger, scan_id))
            return
        console = make_console()
        table, is_open = _status_table(ledger, scan_id)
        if not watch:
            console.print(table)
            return
        from rich.live import Live

        with Live(table, console=console) as live:
            while is_open:
                time.sleep(WATCH_S)
                table, is_open = _status_table(ledger, scan_id)
                live.update(table)


def _status_json(ledger: "Ledger", scan_id: int | None) -> str:
    from db.counts import count_failures, read_progress, scan_facts
    from db.scans import list_scans

    with ledger.read() as connection:
        if scan_id is None:
            numbers = [scan.id for scan in list_scans(connection, LISTED_SCANS)]
            return json.dumps([scan_facts(read_progress(connection, n)) for n in numbers])
        progress = read_progress(connection, scan_id)
        return json.dumps(
            scan_facts(progress)
            | {
                "failures": count_failures(connection, scan_id),
                "workers": progress.workers,
                "eta_s": progress.eta_s,
            }
        )


def _status_table(ledger: "Ledger", scan_id: int | None) -> tuple["Table", bool]:
    from db.counts import count_failures, read_progress
    from db.scans import list_scans

    with ledger.read() as connection:
        numbers = (
            [scan_id]
            if scan_id is not None
            else [scan.id for scan in list_scans(connection, LISTED_SCANS)]
        )
        shown = [read_progress(connection, number) for number in numbers]
        failures = {} if scan_id is None else count_failures(connection, scan_id)
    table = _many_scans(shown) if scan_id is None else _one_scan(shown[0], failures)
    return table, any(progress.scan.open for progress in shown)


def _many_scans(shown: list["Progress"]) -> "Table":
    from rich.table import Table

    table = Table("scan", "status", box=None)
    for name in ("images", "closed", "fake", "uncertain", "failed", "images/s", "ETA"):
        table.add_column(name, justify="right")
    for progress in shown:
        counts = (progress.closed, progress.fake, progress.uncertain, progress.failed)
        table.add_row(
            str(progress.scan.id),
            _state(progress),
            _images(progress),
            *(f"{count:,}" for count in counts),
            f"{progress.images_per_s:,.1f}",
            _duration(progress.eta_s) if progress.scan.open else "",
        )
    return table


def _one_scan(progress: "Progress", failures: dict[str, int]) -> "Table":
    from rich.table import Table
    from rich.text import Text

    scan = progress.scan
    codes = ", ".join(f"{code} {count:,}" for code, count in failures.items())
    rows = {
        "scan": str(scan.id),
        "status": _state(progress),
        "model version": scan.model_version,
        "priority": scan.priority,
        "images": _images(progress),
        "closed": f"{progress.closed:,}",
        "unchanged": f"{scan.unchanged:,}",
        **{
            name: f"{getattr(progress, name):,}"
            for name in ("fake", "real", "uncertain", "no_face")
        },
        "failed": f"{progress.failed:,}" + (f" ({codes})" if codes else ""),
        "images/s": f"{progress.images_per_s:,.1f}",
    }
    if scan.open:
        rows["ETA"] = _duration(progress.eta_s)
        rows["workers seen"] = " ".join(progress.workers) or "none"
    if scan.error_message:
        rows["incomplete"] = scan.error_message
    table = Table(show_header=False, box=None)
    for name, value in rows.items():
        table.add_row(name, Text(value))  # as it stands: brackets are no markup
    return table


def _state(progress: "Progress") -> str:
    return "paused" if progress.scan.open and progress.scan.paused else progress.scan.status


def _images(progress: "Progress") -> str:
    still_listing = progress.scan.open and progress.scan.listed_at is None
    return f"{progress.scan.images:,}" + ("+" if still_listing else "")


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "?"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


@click.command()
@click.argument("scan_id", metavar="[SCAN]", type=int, required=False)
@click.option(
    "--wait/--no-wait", default=True, show_default=True, help="With a broker: wait for the workers."
)
@FAIL_ON
@click.option("--json", "as_json", is_flag=True, help="End with one line of JSON on stdout.")
def resume(scan_id: int | None, wait: bool, fail_on: tuple[str, ...], as_json: bool) -> int:
    """Let SCAN (default: the newest open one) go on: list the rest, send again what is not closed.

    Exit status as of `scan`.
    """
    from cli.scan import connect_broker, end_scan, run_scan
    from db.scans import latest_open_scan
    from producer.scan import reopen_scan

    settings = start()
    with existing_ledger(settings) as ledger:
        if scan_id is None:
            with ledger.read() as connection:
                scan_id = latest_open_scan(connection)
            if scan_id is None:
                click.echo("no scan is open; there is nothing to resume", err=True)
                return 0
        app = connect_broker(settings)
        held = 0
        if app is not None:
            from worker.broker import waiting_messages

            held = waiting_messages(app)
        opened = reopen_scan(ledger, scan_id, settings=settings, broker_holds=held)
        if not opened.scan.open:
            click.echo(f"scan {scan_id} is {opened.scan.status}; nothing to resume", err=True)
            return end_scan(
                ledger, scan_id, settings, waited=True, fail_on=fail_on, as_json=as_json
            )
        return run_scan(ledger, opened, app, settings, wait=wait, fail_on=fail_on, as_json=as_json)


@click.command()
@click.argument("scan_id", metavar="SCAN", type=int)
def pause(scan_id: int) -> None:
    """Let SCAN rest: batches in hand are finished, no others are begun until `resume`."""
    from db.scans import get_scan, set_paused

    settings = start()
    with existing_ledger(settings) as ledger, ledger.write() as connection:
        scan = get_scan(connection, scan_id)
        if scan.open:
            set_paused(connection, scan_id, True)
    click.echo(
        f"scan {scan_id} is paused; go on with: fakesweep resume {scan_id}"
        if scan.open
        else f"scan {scan_id} is {scan.status}; nothing to pause"
    )


@click.command()
@click.argument("scan_id", metavar="SCAN", type=int)
def cancel(scan_id: int) -> None:
    """End SCAN: batches in hand are finished, the others are cancelled; verdicts stay."""
    from db.scans import cancel_scan, get_scan

    settings = start()
    with existing_ledger(settings) as ledger, ledger.write() as connection:
        scan = get_scan(connection, scan_id)
        cancelled = cancel_scan(connection, scan_id) if scan.open else 0
    click.echo(
        f"scan {scan_id} is cancelled; {cancelled:,} images were not judged"
        if scan.open
        else f"scan {scan_id} is {scan.status}; nothing to cancel"
    )
