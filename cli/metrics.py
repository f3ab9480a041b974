"""`fakesweep metrics`: serve Prometheus."""

import threading

import click

from cli.context import prepared_ledger, start


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to serve on.")
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    default=9464,
    show_default=True,
    help="Port to serve on.",
)
def metrics(host: str, port: int) -> None:
    """Serve metrics of all workers and producers for Prometheus, until told to stop.

    They are counted in the ledger, so one server is enough, wherever it runs.
    """
    from worker.metrics import serve_metrics

    settings = start()
    with prepared_ledger(settings) as ledger:
        serve_metrics(ledger, host, port)
        click.echo(f"metrics on http://{host}:{port}/metrics", err=True)
        threading.Event().wait()
