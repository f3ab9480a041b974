"""Metrics for Prometheus, counted in the ledger: one exporter speaks for all workers and producers."""

import threading
from collections.abc import Iterator, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from db.ledger import Ledger
from db.measures import read_measures
from fakesweep.errors import FakesweepError, SettingError


class LedgerCollector:
    """Counts at each scrape."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self._one_at_a_time = threading.Lock()

    def collect(self) -> Iterator[Metric]:
        """Give all metrics; where the database does not answer, only that it is not up."""
        up = GaugeMetricFamily("fakesweep_up", "1 where the ledger answers.")
        try:
            with self._one_at_a_time, self.ledger.read() as connection:
                now = read_measures(connection)
        except FakesweepError:
            up.add_metric([], 0)
            yield up
            return
        up.add_metric([], 1)
        yield up
        yield _family(
            CounterMetricFamily,
            "fakesweep_images",
            "Images with an outcome, by verdict (failed: none) and worker.",
            ["worker", "verdict"],
            {labels: float(count) for labels, count in now.images.items()},
        )
        yield _family(
            GaugeMetricFamily,
            "fakesweep_failures",
            "Failed images in the ledger, by error code.",
            ["code"],
            {(code,): float(count) for code, count in now.failures.items()},
        )
        yield _family(
            CounterMetricFamily,
            "fakesweep_stage_seconds",
            "Seconds of all threads together, by stage (read, decode, score, write) and worker.",
            ["worker", "stage"],
            now.seconds,
        )
        yield _family(
            GaugeMetricFamily,
            "fakesweep_batches",
            "Batches by status; waiting: sent to the broker and not claimed.",
            ["status"],
            {(status,): float(count) for status, count in now.batches.items()},
        )
        yield _family(
            GaugeMetricFamily,
            "fakesweep_oldest_waiting_batch_seconds",
            "Age of the oldest batch that waits in the broker.",
            [],
            {(): now.oldest_waiting_s},
        )
        yield _family(
            CounterMetricFamily,
            "fakesweep_listed_images",
            "Images that producers found, unchanged ones included.",
            [],
            {(): float(now.listed)},
        )
        yield _family(
            GaugeMetricFamily,
            "fakesweep_scans",
            "Scans by status.",
            ["status"],
            {(status,): float(count) for status, count in now.scans.items()},
        )
        yield _family(
            GaugeMetricFamily,
            "fakesweep_open_model_version",
            "1 for each model version that an open scan is judged with.",
            ["model_version"],
            {(version,): 1.0 for version in now.versions},
        )


def _family(
    kind: Any, name: str, text: str, labels: list[str], values: Mapping[Any, float]
) -> Metric:
    family: Metric = kind(name, text, labels=labels)
    for said, value in values.items():
        family.add_metric(list(said), value)  # type: ignore[attr-defined]  # of both kinds
    return family


def serve_metrics(ledger: Ledger, host: str, port: int) -> Any:
    """Serve `/metrics` in threads; gives the server and its thread.

    Raises:
        SettingError: The address cannot be used.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(LedgerCollector(ledger))
    try:
        return start_http_server(port, addr=host, registry=registry)
    except OSError as error:
        raise SettingError(
            f"metrics cannot be served on {host}:{port}: {error.strerror}"
        ) from error
