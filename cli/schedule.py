"""`fakesweep schedule`: scans at the times of a cron line."""

import json
from typing import TYPE_CHECKING, Any

import click

from cli.context import FAIL_ON, existing_ledger, prepared_ledger, start
from fakesweep.errors import FakesweepError

if TYPE_CHECKING:
    from fakesweep.settings import Settings
    from producer.schedules import ScheduleState


@click.group()
def schedule() -> None:
    """Scan sources at the times of a cron line; `fakesweep beat` begins the scans."""


@schedule.command()
@click.argument("name")
@click.option(
    "--cron", required=True, metavar="LINE", help='When, for example "0 2 * * *": nightly at two.'
)
@click.option(
    "--priority",
    type=click.Choice(["high", "bulk"]),
    default="bulk",
    show_default=True,
    help="Queue of the batches; workers empty `high` first.",
)
@click.argument("sources", nargs=-1, required=True, type=click.Path(readable=False))
def add(name: str, cron: str, priority: str, sources: tuple[str, ...]) -> None:
    """Scan SOURCES at the times of the cron line LINE (setting time_zone), from now on."""
    from producer.schedules import add_schedule
    from producer.sources import named_sources

    settings = start()
    checked = named_sources(sources, None)
    with prepared_ledger(settings) as ledger:
        add_schedule(ledger, name, cron, checked, priority=priority)
    click.echo(f"schedule {name} is recorded; `fakesweep beat` begins its scans")


@schedule.command("list")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON for each schedule.")
def list_all(as_json: bool) -> None:
    """List the schedules, when each is due next, and what became of its newest run."""
    from producer.schedules import list_states, read_settings

    settings = start()
    with prepared_ledger(settings) as ledger:
        read_settings(ledger, settings)
        states = list_states(ledger, settings)
    if as_json:
        for state in states:
            click.echo(json.dumps(_facts(state), default=str))
        return
    if not states:
        click.echo(
            'no schedule yet; add one: fakesweep schedule add NAME --cron "0 2 * * *" SOURCE...'
        )
        return
    _print(states, settings.time_zone)


@schedule.command()
@click.argument("name")
@FAIL_ON
@click.option("--json", "as_json", is_flag=True, help="End with one line of JSON on stdout.")
def run(name: str, fail_on: tuple[str, ...], as_json: bool) -> int:
    """Run the schedule NAME now, whatever its times. Exit status as of `scan`."""
    from datetime import UTC, datetime

    from db.schedules import take_run
    from producer.schedules import read_settings

    settings = start()
    with existing_ledger(settings) as ledger:
        read_settings(ledger, settings)
        _check_name(ledger, name)
        now = datetime.now(UTC)
        with ledger.write() as connection:
            run_id = take_run(connection, name, now, missed=0, now=now)
    return _run(name, int(run_id or 0), wait=True, fail_on=fail_on, as_json=as_json)


@schedule.command(hidden=True)
@click.argument("name")
@click.argument("run_id", type=int)
def begin(name: str, run_id: int) -> int:
    """Begin the scan of a run that `beat` has taken."""
    return _run(name, run_id, wait=False, fail_on=("never",), as_json=False)


@schedule.command()
@click.argument("name")
def remove(name: str) -> None:
    """Forget the schedule NAME; its scans and verdicts stay."""
    from db.schedules import remove_schedule
    from fakesweep.errors import SourceError

    settings = start()
    if name in settings.schedules:
        raise SourceError(f"schedule {name} is in the settings file; remove it there")
    with existing_ledger(settings) as ledger:
        _check_name(ledger, name)
        with ledger.write() as connection:
            remove_schedule(connection, name)
    click.echo(f"schedule {name} is forgotten")


def _check_name(ledger: Any, name: str) -> None:
    from db.schedules import list_schedules
    from fakesweep.errors import SourceError

    with ledger.read() as connection:
        names = [known.name for known in list_schedules(connection)]
    if name not in names:
        raise SourceError(
            f"no schedule {name}; there {'are ' + ', '.join(names) if names else 'is none yet'}"
        )


def _run(name: str, run_id: int, *, wait: bool, fail_on: tuple[str, ...], as_json: bool) -> int:
    from cli.scan import connect_broker, run_scan
    from producer.schedules import begin_run

    settings = start()
    with existing_ledger(settings) as ledger:
        app = connect_broker(settings)
        held = 0
        if app is not None:
            from worker.broker import waiting_messages

            held = waiting_messages(app)
        try:
            opened = begin_run(ledger, name, run_id, settings=settings, broker_holds=held)
        except FakesweepError as error:
            _tell(settings, name, run_id, error)
            raise
        if opened is None:
            click.echo(f"schedule {name}: the scan of an earlier run is still under way", err=True)
            return 0
        return run_scan(ledger, opened, app, settings, wait=wait, fail_on=fail_on, as_json=as_json)


def _tell(settings: "Settings", name: str, run_id: int, error: FakesweepError) -> None:
    """Tell people of a run that began no scan."""
    from worker.notify import ENDED, FAILED, NotTold, tell

    if not {ENDED, FAILED} & set(settings.notify_events):
        return
    facts = {"schedule": name, "status": "failed", "error_message": str(error)}
    try:
        tell(settings, f"run-{run_id}", [FAILED], facts)
    except NotTold as failure:
        click.echo(f"schedule {name}: nobody was told: {failure}", err=True)


def _facts(state: "ScheduleState") -> dict[str, Any]:
    run = state.run
    return {
        "name": state.schedule.name,
        "cron": state.schedule.cron,
        "sources": list(state.schedule.sources["paths"]),
        "origin": state.schedule.origin,
        "next_at": state.next_at,
        "last_at": run and run.due_at,
        "scan": run and run.scan_id,
        "scan_status": run and run.scan_status,
        "missed": run and run.missed,
        "note": run and run.note,
    }


def _print(states: "list[ScheduleState]", time_zone: str) -> None:
    from zoneinfo import ZoneInfo

    from rich.table import Table
    from rich.text import Text

    from cli.layout import make_console

    def shown(moment: Any) -> str:
        return f"{moment.astimezone(ZoneInfo(time_zone)):%Y-%m-%d %H:%M}" if moment else ""

    table = Table("name", "cron", f"next ({time_zone})", "last", "what became of it", box=None)
    table.add_column("sources")
    for state in states:
        run, outcome = state.run, ""
        if run is not None:
            outcome = run.note or (
                f"scan {run.scan_id} {run.scan_status}" if run.scan_id else "taken"
            )
            outcome += f"; {run.missed} missed before it" if run.missed else ""
        table.add_row(
            state.schedule.name,
            state.schedule.cron,
            shown(state.next_at),
            shown(run and run.due_at),
            Text(outcome),
            Text(" ".join(state.schedule.sources["paths"])),
        )
    make_console().print(table)
