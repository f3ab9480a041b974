"""The command keeps its promises: help, exit statuses, one-line errors, quick answers."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cli.main import COMMANDS, fakesweep
from fakesweep.errors import ERROR_CODES
from fakesweep.settings import Settings, load_settings
from tests.conftest import REPOSITORY
from tests.pictures import write_picture, write_pictures

COMMAND = str(Path(sys.executable).parent / "fakesweep")
README = (REPOSITORY / "README.md").read_text()


def run(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [COMMAND, *arguments], capture_output=True, text=True, timeout=240, check=False, **options
    )


@pytest.fixture
def model_dir(small_models: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FAKESWEEP_MODEL_DIR", str(small_models))
    return small_models


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_and_stands_in_the_readme(name: str) -> None:
    command = fakesweep.get_command(None, name)

    assert command is not None
    assert command.help
    assert f"`fakesweep {name}" in README


def test_every_option_has_help() -> None:
    for name in COMMANDS:
        command = fakesweep.get_command(None, name)
        assert command is not None
        for parameter in command.params:
            if parameter.param_type_name == "option":
                assert parameter.help, f"{name} {parameter.name}"


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_stands_in_the_readme_with_a_description(name: str) -> None:
    assert f"`FAKESWEEP_{name.upper()}`" in README
    assert Settings.model_fields[name].description


@pytest.mark.parametrize("code", ERROR_CODES)
def test_every_error_code_stands_in_the_readme(code: str) -> None:
    assert f"`{code}`" in README


@pytest.mark.parametrize(
    "arguments", [["--help"], ["status"], ["export", "-o", "-"], ["query", "SELECT 1"]]
)
def test_looking_needs_no_tensorflow(
    tmp_path: Path, arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run("db", "upgrade")
    program = (
        "import sys; sys.argv[1:] = sys.argv[1:]\n"
        "from cli.main import main\n"
        "try: main()\n"
        "finally: print(sorted({'tensorflow', 'keras', 'cv2', 'pandas'} & set(sys.modules)))\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False
    )

    assert done.stdout.splitlines()[-1] == "[]", done.stderr


def test_a_producer_needs_no_tensorflow() -> None:
    program = (
        "import sys, producer.queue, producer.scan, producer.here, worker.task\n"
        "print(sorted({'tensorflow', 'keras'} & set(sys.modules)))"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "[]"


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


@pytest.mark.parametrize(
    ("variables", "arguments", "message"),
    [
        ({}, ["scan", "/nowhere/at/all"], "/nowhere/at/all does not exist"),
        ({}, ["scan", ""], "empty"),
        ({}, ["scan", "--files-from", "."], "is a directory"),
        ({}, ["scan", "--files-from", "/nowhere/list"], "/nowhere/list"),
        ({}, ["scan", ".", "--no-wait"], "FAKESWEEP_BROKER_URL"),
        ({}, ["status", "99999999999999999999"], "no scan 99999999999999999999"),
        ({}, ["export", "-o", "/etc/passwd/x.csv"], "/etc/passwd/x.csv"),
        ({}, ["query", "SELECT '\udcff'"], "refused"),
        ({"DATABASE_URL": "mysql://x"}, ["status"], "FAKESWEEP_DATABASE_URL"),
        ({"DATABASE_URL": "postgresql://u:secret@127.0.0.1:1/x"}, ["scan", "."], "127.0.0.1"),
        (
            {"BROKER_URL": "redis://:secret@127.0.0.1:1/0"},
            ["scan", "."],
            "redis://:***@127.0.0.1:1",
        ),
        ({"BROKER_URL": "amqp://x"}, ["worker"], "FAKESWEEP_BROKER_URL"),
        ({"BATCH_SIZE": "many"}, ["status"], "FAKESWEEP_BATCH_SIZE"),
        ({"CONFIG": "/nowhere.toml"}, ["status"], "/nowhere.toml"),
        ({}, ["scan", ".", "--model", "unheard-of"], "unheard-of"),
        ({}, ["status", "99"], "no scan 99"),
        ({}, ["export", "99", "-o", "x.csv"], "no scan 99"),
        ({}, ["worker"], "FAKESWEEP_BROKER_URL"),
        ({}, ["query", "DELETE FROM scans"], "refused"),
    ],
)
def test_a_mistake_is_one_line_and_exit_status_2(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    arguments: list[str],
    message: str,
) -> None:
    run("db", "upgrade")
    write_picture(tmp_path / "in/a.png", 1)
    for name, value in variables.items():
        monkeypatch.setenv(f"FAKESWEEP_{name}", value)

    done = run(*arguments, cwd=tmp_path / "in")

    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert message in done.stderr
    assert "secret" not in done.stderr
    assert "Traceback" not in done.stderr


def test_a_setting_in_the_file_gives_way_to_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "settings.toml"
    file.write_text("batch_size = 16\nhigh_water = 9\n")
    monkeypatch.setenv("FAKESWEEP_CONFIG", str(file))
    monkeypatch.setenv("FAKESWEEP_BATCH_SIZE", "32")

    settings = load_settings()

    assert (settings.batch_size, settings.high_water) == (32, 9)


def test_an_interrupted_scan_stops_cleanly_and_can_be_resumed(
    tmp_path: Path, model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = write_pictures(tmp_path / "in", 300)
    monkeypatch.setenv("FAKESWEEP_MESSAGE_IMAGES", "2")
    running = subprocess.Popen(
        [COMMAND, "scan", str(tmp_path / "in")], stderr=subprocess.PIPE, text=True
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


def test_a_full_disk_under_the_output_is_an_error(model_dir: Path) -> None:
    run("db", "upgrade")
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [COMMAND, "export", "-o", "-"], stdout=full, stderr=subprocess.PIPE, text=True,
            check=False,
        )  # fmt: skip

    assert done.returncode == 2
    assert "No space left" in done.stderr


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


def test_the_doctor_finds_everything_in_order(model_dir: Path) -> None:
    done = run("doctor")

    assert done.returncode == 0, done.stdout
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["ok"] * 6


def test_the_doctor_says_what_to_do(model_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKESWEEP_BROKER_URL", "redis://127.0.0.1:1/0")

    done = run("doctor")

    assert done.returncode == 2
    assert "start Redis or correct FAKESWEEP_BROKER_URL" in done.stdout


def test_models_are_listed_and_shown(model_dir: Path) -> None:
    listed = run("models", "list").stdout
    shown = json.loads(run("models", "show", "--json").stdout)

    assert "small-1" in listed
    assert "small-2" in listed
    assert shown["path"] == str(model_dir / "small-1/model.keras")
    assert shown["card"]["version"] == "small-1"
