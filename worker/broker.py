"""The sending side of the queue: is the broker there, what does it hold, send a batch."""

from celery import Celery
from kombu.exceptions import OperationalError

from fakesweep.errors import BrokerError
from fakesweep.settings import mask_url
from worker.app import TASK
from worker.messages import QUEUES, BatchMessage


def check_broker(app: Celery) -> None:
    """Connect once.

    Raises:
        BrokerError: The broker does not answer, or refuses the login.
    """
    try:
        with app.connection_for_write() as connection:
            connection.ensure_connection(max_retries=0, timeout=10, reraise_as_library_errors=True)
            connection.default_channel.client.ping()
    except (OperationalError, OSError, *app.connection_for_write().connection_errors) as error:
        raise BrokerError(
            f"broker {mask_url(app.conf.broker_url)} cannot be reached: {error};"
            " start Redis or correct FAKESWEEP_BROKER_URL"
        ) from error


def waiting_messages(app: Celery) -> int:
    """Count the messages in the broker that no worker has taken yet.

    Raises:
        BrokerError: The broker does not answer.
    """
    try:
        with app.connection_for_write() as connection:
            client = connection.default_channel.client
            return sum(int(client.llen(name)) for name in QUEUES)
    except (OperationalError, OSError, *app.connection_for_write().connection_errors) as error:
        raise BrokerError(f"broker {mask_url(app.conf.broker_url)}: {error}") from error


def send_batch(app: Celery, message: BatchMessage, priority: str) -> None:
    """Send one batch.

    Raises:
        BrokerError: The broker did not take it.
    """
    try:
        app.send_task(
            TASK,
            args=[message.to_json()],
            queue=priority,
            retry=True,
            retry_policy={"max_retries": 3, "interval_start": 0.2, "interval_max": 2},
        )
    except (OperationalError, OSError) as error:
        raise BrokerError(f"broker {mask_url(app.conf.broker_url)}: {error}") from error
