"""`scan` and `resume`: what they print, how they exit, and that they stop when told."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.commands import COMMAND, run
from tests.pictures import write_pictures


def test_a_scan_ends_with_one_line_of_json(tmp_path: Path, model_dir: Path) -> None:
    write_pictures(tmp_path / "in", 5)
    (tmp_path / "in/empty.png").write_bytes(b"")

    done = run("scan", str(tmp_path / "in"), "--json")

    assert len(done.stdout.splitlines()) == 1
    facts = json.loads(done.stdout)
    assert list(facts)[:11] == [
        "scan", "status", "images", "unchanged", "fake", "real", "uncertain", "no_face", "failed",
        "seconds", "images_per_s",
    ]  # fmt: skip
    assert facts["status"] == "done"
    assert (facts["images"], facts["failed"]) == (6, 1)
    assert facts["fake"] + facts["real"] + facts["uncertain"] + facts["no_face"] == 5
    assert done.returncode == (1 if facts["fake"] else 0)
    assert "unreadable 1" in done.stderr
    assert "fakesweep export 1" in done.stderr


def test_the_exit_status_says_what_was_asked(tmp_path: Path, model_dir: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/empty.png").write_bytes(b"")

    assert run("scan", str(tmp_path / "in")).returncode == 0
    assert run("scan", str(tmp_path / "in"), "--fail-on", "error").returncode == 2
    assert run("scan", str(tmp_path / "in"), "--fail-on", "never").returncode == 0


def test_an_interrupted_scan_stops_cleanly_and_can_be_resumed(
    tmp_path: Path, model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = write_pictures(tmp_path / "in", 1200)  # more than are judged while `status` starts
    monkeypatch.setenv("FAKESWEEP_MESSAGE_IMAGES", "2")
    running = subprocess.Popen(
        [COMMAND, "scan", str(tmp_path / "in")],
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's `&` ignores it
    )
    while '"fake"' not in (state := run("status", "1", "--json").stdout) or not sum(
        json.loads(state)[name] for name in ("fake", "real", "uncertain")
    ):
        assert running.poll() is None
        time.sleep(0.05)

    running.send_signal(signal.SIGINT)
    _, told = running.communicate(timeout=60)
    between = json.loads(run("status", "1", "--json").stdout)
    resumed = run("resume", "1", "--json")

    assert running.returncode == 130
    assert "fakesweep resume 1" in told
    assert "Traceback" not in told
    assert between["status"] == "running"
    facts = json.loads(resumed.stdout)
    assert facts["status"] == "done"
    assert facts["fake"] + facts["real"] + facts["uncertain"] == len(pictures)
    attempts = json.loads(
        run("query", "--json", "SELECT max(attempts) AS most FROM verdicts").stdout
    )
    assert attempts["most"] == 1


def test_names_from_standard_input_are_scanned(tmp_path: Path, model_dir: Path) -> None:
    pictures = write_pictures(tmp_path / "in", 3)

    done = run(
        "scan", "--files-from", "-", "--json", input="\0".join(str(path) for path in pictures)
    )

    assert json.loads(done.stdout)["images"] == 3


def test_names_that_trickle_in_are_recorded_and_a_stop_is_obeyed(
    tmp_path: Path, model_dir: Path
) -> None:
    run("db", "upgrade")
    pictures = write_pictures(tmp_path / "in", 3)
    with subprocess.Popen(
        [COMMAND, "scan", "--files-from", "-"], stdin=subprocess.PIPE, stderr=subprocess.PIPE
    ) as running:
        assert running.stdin is not None
        assert running.stderr is not None
        running.stdin.write("".join(f"{picture}\n" for picture in pictures).encode())
        running.stdin.flush()
        while not (listed := json.loads(run("status", "--json").stdout)) or (
            listed[0]["fake"] + listed[0]["real"] + listed[0]["uncertain"] < len(pictures)
        ):
            assert running.poll() is None
            time.sleep(0.1)

        running.send_signal(signal.SIGTERM)
        told = running.stderr.read().decode()

    assert running.returncode == 130
    assert "Traceback" not in told
    resumed = run("resume", "--json")
    assert resumed.returncode == 2
    assert json.loads(resumed.stdout)["images"] == 3
    assert "pipe" in resumed.stderr


# Root may read everything, unless it gives that up.
UNPRIVILEGED = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []


def run_unprivileged(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*UNPRIVILEGED, COMMAND, *arguments], capture_output=True, text=True, check=False
    )


def test_an_unreadable_directory_is_named_and_the_rest_is_scanned(
    tmp_path: Path, model_dir: Path
) -> None:
    first, _ = write_pictures(tmp_path / "in", 2)
    first.chmod(0o000)
    (tmp_path / "in/closed").mkdir(mode=0o000)

    done = run_unprivileged("scan", str(tmp_path / "in"), "--json")

    assert done.returncode == 2
    assert json.loads(done.stdout)["images"] == 2
    assert "forbidden 1" in done.stderr
    assert str(tmp_path / "in/closed") in done.stderr


def test_a_source_that_may_not_be_read_records_nothing(tmp_path: Path, model_dir: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0o000)

    done = run_unprivileged("scan", str(tmp_path / "closed"))

    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        f"fakesweep: source {tmp_path / 'closed'} may not be read by this user;"
        " change its permissions or the user"
    ]


def test_old_verdicts_are_judged_again_by_a_condition_alone(
    tmp_path: Path, model_dir: Path
) -> None:
    write_pictures(tmp_path / "in", 3)
    run("scan", str(tmp_path / "in"), "--model", "small-2")
    command = ("scan", "--rescan", "--where", "model_version <> current", "--json")

    first, second = run(*command), run(*command)

    facts = json.loads(first.stdout)
    assert (facts["images"], facts["model_version"], facts["status"]) == (3, "small-1", "done")
    assert second.returncode == 0
    assert json.loads(second.stdout) == {"scan": None, "images": 0}
    assert "nothing to judge" in second.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--where", "1 = 1"], "--rescan"),
        (["--rescan", "--where", "1 = 1", "--include", "*.jpg"], "--include"),
        (["--rescan", "--where", "no_such = 1"], "no_such"),
        (["--rescan", "--where", "1 = 1; DROP TABLE scans"], "';'"),
    ],
)
def test_a_wrong_condition_is_one_line_and_records_nothing(
    tmp_path: Path, model_dir: Path, arguments: list[str], message: str
) -> None:
    write_pictures(tmp_path / "in", 1)
    run("scan", str(tmp_path / "in"))

    done = run("scan", *arguments)

    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert message in done.stderr
    assert len(json.loads(run("status", "--json").stdout)) == 1
