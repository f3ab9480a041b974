"""Through the queue nothing is lost and nothing doubled, whatever is killed."""

import json
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
import redis
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from tests.acceptance.conftest import Installation, closed, judged, kill
from tests.pictures import write_pictures

SAME = ("uri", "status", "verdict", "score", "model_version", "error_code", "sha256", "size_bytes",
        "mtime", "width", "height", "format", "faces", "frames")  # fmt: skip


def begin(installation: Installation, folder: Path, *options: str) -> int:
    """Record a scan without waiting for it; gives its number."""
    facts = json.loads(installation.run("scan", str(folder), "--no-wait", "--json", *options))
    return int(facts["scan"])


def assert_each_closed_once(rows: list[dict[str, Any]], pictures: list[Path]) -> None:
    assert [row["uri"] for row in rows] == sorted(str(path) for path in pictures)
    assert {row["status"] for row in rows} <= {"done", "failed"}


def test_two_workers_give_the_same_rows_as_a_local_scan(
    queued: Installation, local: Installation, tmp_path: Path, test_data: Path
) -> None:
    folder = tmp_path / "in"
    shutil.copytree(test_data / "evil", folder)
    for path in sorted((test_data / "faces/ciplab/training_real").iterdir())[:60]:
        shutil.copy(path, folder)
    files = [path for path in folder.rglob("*") if path.is_file()]

    queued.start_worker()
    queued.start_worker()
    there = json.loads(queued.run("scan", str(folder), "--json"))
    here = json.loads(local.run("scan", str(folder), "--json"))

    far, near = queued.rows(there["scan"]), local.rows(here["scan"])
    assert_each_closed_once(far, files)
    assert [{name: row[name] for name in SAME} for row in far] == [
        {name: row[name] for name in SAME} for row in near
    ]
    assert here["failed"] > 0
    assert {name: here[name] for name in ("images", "fake", "real", "uncertain", "failed")} == {
        name: there[name] for name in ("images", "fake", "real", "uncertain", "failed")
    }


def test_a_killed_worker_and_an_emptied_redis_lose_nothing(
    queued: Installation, broker_url: str, tmp_path: Path
) -> None:
    pictures = write_pictures(tmp_path / "in", 400)
    scan_id = begin(queued, tmp_path / "in")
    first = queued.start_worker(high_water=10)
    queued.wait_until(scan_id, lambda facts: judged(facts) > 0)

    kill(first)
    with redis.Redis.from_url(broker_url) as client:
        client.flushall()
    facts = queued.status(scan_id)
    assert judged(facts) < 400, "the sweep was over before anything was killed"
    queued.start_worker()
    queued.run("resume", str(scan_id))

    rows = queued.rows(scan_id)
    assert_each_closed_once(rows, pictures)
    assert {row["status"] for row in rows} == {"done"}
    assert judged(queued.status(scan_id)) == 400


def test_lost_messages_are_sent_again_without_being_asked(
    queued: Installation, broker_url: str, tmp_path: Path
) -> None:
    pictures = write_pictures(tmp_path / "in", 40)
    scan_id = begin(queued, tmp_path / "in")
    with redis.Redis.from_url(broker_url) as client:
        client.flushall()

    queued.start_worker()

    queued.wait_until(scan_id, closed)
    assert_each_closed_once(queued.rows(scan_id), pictures)


def test_an_image_that_kills_every_process_stands_alone_as_crashed(
    queued: Installation, tmp_path: Path
) -> None:
    pictures = write_pictures(tmp_path / "in", 16)
    # A fault of the kind a decoder of native code has: the process ends where it reads this file.
    faults = tmp_path / "faults"
    faults.mkdir()
    (faults / "sitecustomize.py").write_text(
        "import os, signal, sys\n"
        "def watch(event, arguments):\n"
        "    if event == 'open' and str(arguments[0]).endswith('/0005.jpg'):\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "sys.addaudithook(watch)\n"
    )
    queued.environment["FAKESWEEP_MESSAGE_IMAGES"] = "4"
    scan_id = begin(queued, tmp_path / "in")
    queued.environment["PYTHONPATH"] = str(faults)

    queued.start_worker()

    queued.wait_until(scan_id, closed)
    rows = queued.rows(scan_id)
    assert_each_closed_once(rows, pictures)
    assert [(row["uri"][-8:], row["error_code"]) for row in rows if row["error_code"]] == [
        ("0005.jpg", "crashed")
    ]


def test_a_worker_judges_with_two_model_versions_and_high_priority_first(
    queued: Installation, tmp_path: Path
) -> None:
    write_pictures(tmp_path / "in", 60)
    first = begin(queued, tmp_path / "in", "--model", "small-1")
    second = begin(queued, tmp_path / "in", "--model", "small-2", "--priority", "high")
    queued.start_worker()

    queued.wait_until(first, closed)
    queued.wait_until(second, closed)

    assert {row["model_version"] for row in queued.rows(first)} == {"small-1"}
    assert {row["model_version"] for row in queued.rows(second)} == {"small-2"}
    assert [row["score"] for row in queued.rows(first)] != [
        row["score"] for row in queued.rows(second)
    ]
    last_high = max(row["decided_at"] for row in queued.rows(second))
    assert last_high <= min(row["decided_at"] for row in queued.rows(first))


def test_the_broker_never_holds_more_than_the_high_water_mark(
    queued: Installation, broker_url: str, tmp_path: Path
) -> None:
    write_pictures(tmp_path / "in", 100)
    queued.environment["FAKESWEEP_HIGH_WATER"] = "3"

    scan_id = begin(queued, tmp_path / "in")

    with redis.Redis.from_url(broker_url) as client:
        assert client.llen("bulk") == 3
        message = json.loads(client.lindex("bulk", 0))
    assert message["content-type"] == "application/json"
    assert queued.status(scan_id)["images"] == 100


def test_a_paused_scan_rests_until_it_is_resumed(queued: Installation, tmp_path: Path) -> None:
    write_pictures(tmp_path / "in", 40)
    scan_id = begin(queued, tmp_path / "in")
    queued.run("pause", str(scan_id))
    other = begin(queued, tmp_path / "in", "--rescan")
    queued.start_worker()

    queued.wait_until(other, closed)
    resting = queued.status(scan_id)
    queued.run("resume", str(scan_id))

    assert (resting["paused"], judged(resting)) == (True, 0)
    assert closed(queued.status(scan_id))


@pytest.mark.parametrize("priority", ["high", "bulk"])
def test_a_batch_waits_in_the_queue_of_its_priority(
    queued: Installation, broker_url: str, tmp_path: Path, priority: str
) -> None:
    write_pictures(tmp_path / "in", 3)

    begin(queued, tmp_path / "in", "--priority", priority)

    with redis.Redis.from_url(broker_url) as client:
        assert client.llen(priority) == 1


def test_a_database_that_drops_every_connection_costs_no_row(
    queued: Installation, postgresql_url: str, tmp_path: Path
) -> None:
    pictures = write_pictures(tmp_path / "in", 300)
    queued.start_worker()
    waiting = queued.start("scan", str(tmp_path / "in"), "--json")
    queued.run("db", "upgrade")
    while not json.loads(queued.run("status", "--json")):
        assert waiting.poll() is None
    queued.wait_until(1, lambda facts: judged(facts) > 0)

    engine = create_engine(postgresql_url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    for _ in range(3):
        with engine.connect() as connection:
            connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            )
        time.sleep(0.3)

    assert waiting.wait(timeout=240) in (0, 1)
    rows = queued.rows(1)
    assert_each_closed_once(rows, pictures)
    assert {row["status"] for row in rows} == {"done"}


def test_a_local_scan_killed_at_any_moment_is_taken_up_by_resume(
    local: Installation, tmp_path: Path
) -> None:
    pictures = write_pictures(tmp_path / "in", 300)
    local.environment["FAKESWEEP_MESSAGE_IMAGES"] = "2"
    running = local.start("scan", str(tmp_path / "in"))
    local.run("db", "upgrade")
    while not json.loads(local.run("status", "--json")):
        assert running.poll() is None
    local.wait_until(1, lambda facts: judged(facts) > 0)

    kill(running)
    facts = local.status(1)
    local.run("resume")

    assert judged(facts) < 300, "the sweep was over before it was killed"
    assert closed(local.status(1))
    rows = local.rows(1)
    assert_each_closed_once(rows, pictures)
    assert {row["status"] for row in rows} == {"done"}


def test_two_first_scans_at_once_share_one_new_ledger(local: Installation, tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_pictures(tmp_path / name, 5)

    running = [local.start("scan", str(tmp_path / name)) for name in ("a", "b")]

    assert {process.wait() for process in running} <= {0, 1}
    assert [len(local.rows(scan_id)) for scan_id in (1, 2)] == [5, 5]


def test_a_scan_whose_model_no_worker_has_says_so_and_goes_on_when_one_has_it(
    queued: Installation, tmp_path: Path, small_models: Path
) -> None:
    write_pictures(tmp_path / "in", 12)
    scan_id = begin(queued, tmp_path / "in")
    registry = tmp_path / "registry of the worker"
    registry.mkdir()
    queued.start_worker(model_dir=registry)

    waiting = queued.wait_until(scan_id, lambda facts: facts["error_message"])
    shutil.copytree(small_models, registry, dirs_exist_ok=True)
    facts = queued.wait_until(scan_id, closed)

    assert "no worker can load model version small-1: unknown model version" in str(
        waiting["error_message"]
    )
    assert judged(waiting) == 0
    assert facts["error_message"] is None
    assert judged(facts) == facts["images"]
    log = "".join(path.read_text() for path in tmp_path.glob("log-*"))
    assert log.count("its batches are handed back") == 1


@pytest.mark.parametrize("after", [1, 40])
def test_a_rescan_by_a_condition_killed_at_any_moment_is_taken_up_by_resume(
    local: Installation, tmp_path: Path, after: int
) -> None:
    pictures = write_pictures(tmp_path / "in", 90)
    local.run("scan", str(tmp_path / "in"), "--model", "small-2")
    local.environment["FAKESWEEP_MESSAGE_IMAGES"] = "2"

    running = local.start("scan", "--rescan", "--where", "model_version <> current")
    while not local.run("status", "--json").count('"scan": 2'):
        assert running.poll() is None
    local.wait_until(2, lambda facts: judged(facts) >= after)
    kill(running)
    between = local.status(2)
    local.run("resume", "2")

    assert between["status"] == "running"
    assert local.status(2)["images"] == len(pictures)
    assert_each_closed_once(local.rows(2), pictures)
    assert {row["model_version"] for row in local.rows(2)} == {"small-1"}
