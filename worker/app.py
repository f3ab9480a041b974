"""The Celery app; each setting with its reason."""

from typing import Any

from celery import Celery
from kombu import Exchange, Queue

from fakesweep.errors import BrokerError
from fakesweep.settings import Settings
from worker.messages import QUEUES

TASK = "fakesweep.judge_batch"


def celery_config(settings: Settings) -> dict[str, Any]:
    """Build Celery's configuration."""
    return {
        "broker_url": settings.broker_url,
        # JSON only: a pickle in the queue would be code that every worker runs.
        "task_serializer": "json",
        "accept_content": ["json"],
        # Outcomes are rows in SQL; a result backend would be a second, lossy ledger.
        "task_ignore_result": True,
        # Acknowledged when the batch is closed, so that a worker that stops gives it back.
        "task_acks_late": True,
        # False: Redis would redeliver a batch that kills its process at once and for ever. The
        # lease in SQL recovers it instead, and counts its attempts.
        "task_reject_on_worker_lost": False,
        # One batch in hand, none hoarded: others may be idle.
        "worker_prefetch_multiplier": 1,
        # Prefork: other pools silently switch off time limits and the replacement of children.
        "worker_pool": "prefork",
        # One child per device: the model and the device are used by one process.
        "worker_concurrency": 1,
        # A replacement child has this long to come up; TensorFlow alone can take 5 s, and at the
        # default of 4 s Celery kills it and starts another, again and again.
        "worker_proc_alive_timeout": 180.0,
        # The child of a batch that hangs is killed; its lease ends and the batch is tried again.
        "task_time_limit": settings.task_time_limit_s,
        # A child that has grown is replaced after its batch (the setting counts in kilobytes).
        "worker_max_memory_per_child": settings.worker_memory_mb * 1024,
        # On SIGTERM and SIGQUIT a worker has this long to end its batch, also when it is idle.
        "worker_soft_shutdown_timeout": 60.0,
        "worker_enable_soft_shutdown_on_idle": True,
        # The broker may come up after the worker.
        "broker_connection_retry_on_startup": True,
        # And may be away for a night: a worker goes on trying instead of ending after 100 times.
        "broker_connection_max_retries": None,
        "broker_connection_timeout": 10,
        # Events are what Flower shows.
        "worker_send_task_events": True,
        "task_send_sent_event": True,
        # Messages go straight to their queue, with no binding that a flushed Redis would forget.
        "task_queues": [Queue(name, Exchange(""), routing_key=name) for name in QUEUES],
        "task_default_queue": "bulk",
        "task_default_exchange": "",
        "task_default_routing_key": "bulk",
        # The log level and the format are fakesweep's own.
        "worker_hijack_root_logger": False,
        "broker_transport_options": {
            # Longer than any batch may take (task_time_limit), or Redis delivers it twice.
            "visibility_timeout": 1800,
            # Queues are emptied in the order given: `high` before `bulk`.
            "queue_order_strategy": "priority",
            # A connection that died without a word is noticed.
            "health_check_interval": 25,
            "socket_keepalive": True,
            "socket_connect_timeout": 10,
        },
    }


def make_app(settings: Settings) -> Celery:
    """Make the Celery app of these settings.

    Raises:
        BrokerError: No broker is configured.
    """
    if not settings.broker_url:
        raise BrokerError(
            "no broker is configured; set FAKESWEEP_BROKER_URL, for example redis://localhost:6379/0"
        )
    app = Celery("fakesweep", set_as_current=False)
    app.conf.update(celery_config(settings))
    return app
