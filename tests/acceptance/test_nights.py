"""Scheduled scans begin once under real beats and workers; a stuck worker is seen as ill."""

import json
import os
import signal
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from tests.acceptance.conftest import PATIENCE_S, Installation, closed
from tests.pictures import write_pictures


def sql(installation: Installation, statement: str, **values: object) -> list[tuple]:
    engine = create_engine(installation.environment["FAKESWEEP_DATABASE_URL"], poolclass=NullPool)
    with engine.begin() as connection:
        answer = connection.execute(text(statement), values)
        return [tuple(row) for row in answer] if answer.returns_rows else []


def test_a_schedule_begins_one_scan_with_two_beats_running(
    queued: Installation, tmp_path: Path
) -> None:
    write_pictures(tmp_path / "in", 30)
    queued.run("schedule", "add", "nightly", "--cron", "0 2 * * *", str(tmp_path / "in"))
    sql(queued, "UPDATE schedules SET since = :since", since=datetime.now(UTC) - timedelta(days=3))
    beats = [queued.start("beat"), queued.start("beat")]
    queued.workers += beats
    queued.start_worker()

    began = time.monotonic()
    while not sql(queued, "SELECT 1 FROM scans"):
        assert time.monotonic() - began < PATIENCE_S
        time.sleep(0.5)
    queued.wait_until(1, closed)
    time.sleep(3)

    assert sql(queued, "SELECT count(*) FROM scans") == [(1,)]
    assert len(queued.rows(1)) == 30
    listed = json.loads(queued.run("schedule", "list", "--json"))
    assert (listed["name"], listed["scan"], listed["scan_status"]) == ("nightly", 1, "done")
    assert listed["missed"] == 2
    queued.run("health", "beat")
    for beat in beats:
        os.kill(beat.pid, signal.SIGTERM)
        assert beat.wait(60) == 0


def test_a_schedule_can_be_run_by_hand_and_removed(queued: Installation, tmp_path: Path) -> None:
    write_pictures(tmp_path / "in", 5)
    queued.start_worker()
    queued.run("schedule", "add", "mine", "--cron", "0 2 * * *", str(tmp_path / "in"))

    facts = json.loads(queued.run("schedule", "run", "mine", "--json"))
    queued.run("schedule", "remove", "mine")

    assert (facts["status"], facts["images"]) == ("done", 5)
    queued.run("schedule", "run", "mine", status=2)


def test_a_run_that_cannot_begin_is_told(queued: Installation, tmp_path: Path) -> None:
    (picture,) = write_pictures(tmp_path / "in", 1)
    queued.run("schedule", "add", "mine", "--cron", "0 2 * * *", str(tmp_path / "in"))
    picture.unlink()
    queued.environment["FAKESWEEP_NOTIFY_COMMAND"] = f"tee {tmp_path}/told.json"

    queued.run("schedule", "run", "mine", status=2)

    told = json.loads((tmp_path / "told.json").read_text())
    assert told["events"] == ["failed"]
    assert "no image" in told["scan"]["error_message"]


def test_a_stopped_worker_is_ill(queued: Installation, tmp_path: Path) -> None:
    queued.run("db", "upgrade")
    queued.run("health", "worker", status=1)
    worker = queued.start_worker()
    began = time.monotonic()
    while not sql(queued, "SELECT 1 FROM rounds"):
        assert time.monotonic() - began < PATIENCE_S
        time.sleep(0.2)
    queued.run("health", "worker", status=0)
    write_pictures(tmp_path / "in", 200)
    queued.run("scan", str(tmp_path / "in"), "--no-wait")

    os.killpg(worker.pid, signal.SIGSTOP)
    try:
        time.sleep(10)  # two leases and more
        queued.run("health", "worker", status=1)
    finally:
        os.killpg(worker.pid, signal.SIGCONT)
    queued.wait_until(1, closed)
    queued.run("health", "worker", status=0)
