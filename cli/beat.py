"""`fakesweep beat`: begin the scans of schedules at their times."""

import sys

import click

from cli.context import prepared_ledger, start

BEGIN = "import sys; from cli.main import main; sys.exit(main())"


@click.command()
def beat() -> None:
    """Begin the scans of schedules at their times, until told to stop.

    Any number may run: each due moment is taken by one of them. Of times that were missed the last is
    made up for. Without a broker each scan is judged in a process of its own on this machine.
    """
    from celery import Celery

    from cli.scan import connect_broker
    from producer.beat import run_beat

    settings = start()
    app = connect_broker(settings) or Celery("fakesweep", broker="memory://", set_as_current=False)
    with prepared_ledger(settings):
        pass
    run_beat(app, settings, [sys.executable, "-c", BEGIN, "schedule", "begin"])
