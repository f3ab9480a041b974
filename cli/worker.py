"""`fakesweep worker`: a Celery worker with the right pool and options."""

import click

from cli.context import prepared_ledger, start


@click.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
@click.argument("celery_arguments", nargs=-1, type=click.UNPROCESSED)
def worker(celery_arguments: tuple[str, ...]) -> None:
    """Take batches from the queue and judge them, one child process per device.

    Further arguments go to `celery worker` as they are, for example --hostname or --pidfile.
    """
    from cli.scan import connect_broker
    from worker.models import check_model
    from worker.task import run_worker

    settings = start()
    if not settings.broker_url:
        from fakesweep.errors import BrokerError

        raise BrokerError(
            "a worker needs a broker; set FAKESWEEP_BROKER_URL, for example redis://localhost:6379/0"
        )
    connect_broker(settings)
    check_model(settings, None)
    with prepared_ledger(settings):
        pass
    run_worker(settings, celery_arguments)
