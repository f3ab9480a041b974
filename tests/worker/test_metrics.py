"""Prometheus reads what the ledger holds."""

import urllib.request
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from db.ledger import Ledger, open_ledger
from fakesweep.errors import SettingError
from fakesweep.settings import Settings
from tests.pictures import write_pictures
from tests.sweeping import begin, record_all, sweep
from worker.metrics import serve_metrics


def scrape(server: object) -> dict[tuple[str, tuple[str, ...]], float]:
    url = f"http://127.0.0.1:{server.server_port}/metrics"
    with urllib.request.urlopen(url, timeout=30) as answer:
        page = answer.read().decode()
    return {
        (sample.name, tuple(sorted(sample.labels.values()))): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


def test_the_page_counts_what_was_judged(
    ledger: Ledger, settings: Settings, tmp_path: Path
) -> None:
    write_pictures(tmp_path / "in", 9)
    (tmp_path / "in/broken.jpg").write_bytes(b"")
    progress = sweep(ledger, settings, tmp_path / "in")
    write_pictures(tmp_path / "more", 5)
    record_all(ledger, settings, begin(ledger, settings, tmp_path / "more"))

    server, thread = serve_metrics(ledger, "127.0.0.1", 0)
    try:
        page = scrape(server)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

    images = {
        labels: value for (name, labels), value in page.items() if name == "fakesweep_images_total"
    }
    assert sum(images.values()) == 10
    assert sum(value for labels, value in images.items() if "fake" in labels) == progress.fake
    assert page["fakesweep_failures", ("unreadable",)] == 1
    spent = {
        labels: value
        for (name, labels), value in page.items()
        if name == "fakesweep_stage_seconds_total"
    }
    assert len(spent) == 4
    assert all(value > 0 for value in spent.values())
    assert page["fakesweep_batches", ("queued",)] == 2
    assert page["fakesweep_listed_images_total", ()] == 15
    assert page["fakesweep_open_model_version", ("small-1",)] == 1
    assert page["fakesweep_up", ()] == 1


def test_a_database_that_is_away_is_not_up(tmp_path: Path) -> None:
    ledger = open_ledger(f"sqlite:///{tmp_path}/empty.db")
    server, thread = serve_metrics(ledger, "127.0.0.1", 0)
    try:
        assert scrape(server) == {("fakesweep_up", ()): 0.0}
        with pytest.raises(SettingError, match=f"127.0.0.1:{server.server_port}"):
            serve_metrics(ledger, "127.0.0.1", server.server_port)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        ledger.close()
