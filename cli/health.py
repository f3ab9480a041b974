"""`fakesweep health`: does this host get on? For the probes of containers."""

import socket
from typing import TYPE_CHECKING

import click

from cli.context import existing_ledger, start

if TYPE_CHECKING:
    from db.health import HostProgress
    from fakesweep.settings import Settings

EXIT_ILL = 1
BEAT_ROUND_S = 90.0


@click.command()
@click.argument("role", type=click.Choice(["worker", "beat", "ledger"]), default="ledger")
def health(role: str) -> int:
    """Tell whether ROLE gets on on this host: worker, beat, or ledger (database and broker alone).

    A worker is ill when its main process does no rounds, when it holds a batch beyond its lease, or
    when batches have waited for two leases while it closed none. Beat is ill when it has not looked for
    due schedules for a minute and a half.

    Exit status: 0 well, 1 ill, 2 database or broker out of reach.
    """
    from cli.scan import connect_broker
    from db.health import read_host

    settings = start()
    connect_broker(settings)
    with existing_ledger(settings) as ledger, ledger.read() as connection:
        progress = read_host(connection, role, socket.gethostname())
    complaints = [] if role == "ledger" else _complaints(role, progress, settings)
    click.echo("; ".join(complaints) if complaints else "well", err=bool(complaints))
    return EXIT_ILL if complaints else 0


def _complaints(role: str, progress: "HostProgress", settings: "Settings") -> list[str]:
    longest = BEAT_ROUND_S if role == "beat" else max(30.0, 4 * settings.tend_s)
    complaints = []
    if progress.round_s is None:
        complaints.append(f"{role} has done no round yet")
    elif progress.round_s > longest:
        complaints.append(
            f"{role} did its last round {progress.round_s:.0f} s ago; expected one in {longest:.0f} s"
        )
    if role == "beat":
        return complaints
    if progress.overdue:
        complaints.append(f"it holds {progress.overdue} batches beyond their lease")
    patience = 2 * settings.lease_s
    waited = (progress.waiting_s or 0.0) > patience
    if waited and (progress.closed_s is None or progress.closed_s > patience):
        complaints.append(
            f"batches have waited for {progress.waiting_s:.0f} s, and it closed none in {patience:.0f} s"
        )
    return complaints
