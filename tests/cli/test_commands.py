"""The command keeps its promises: help, exit statuses, one-line errors, quick answers."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cli.main import COMMANDS, fakesweep
from fakesweep.errors import ERROR_CODES
from fakesweep.settings import Settings, load_settings
from tests.commands import COMMAND, run
from tests.conftest import REPOSITORY
from tests.pictures import write_picture

README = (REPOSITORY / "README.md").read_text()


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
    "arguments",
    [
        ["--help"],
        ["status"],
        ["export", "-o", "-"],
        ["query", "SELECT 1"],
        ["label", "--list"],
        ["drift"],
        ["models", "compare", "a", "b"],
    ],
)
def test_looking_needs_no_tensorflow(
    tmp_path: Path, arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run("db", "upgrade")

    assert imported(*arguments) == "[]"


def test_judging_needs_no_tensorflow(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.jpg", 1)

    assert imported("scan", str(tmp_path), "--fail-on", "never") == "['cv2', 'openvino']"


def imported(*arguments: str) -> str:
    """Name the heavy libraries that a command has imported when it ends."""
    program = (
        "import sys\n"
        "from cli.main import main\n"
        "try: main()\n"
        "finally: print(sorted({'tensorflow', 'keras', 'openvino', 'cv2', 'pandas'} & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False
    )
    assert done.stdout, done.stderr
    return done.stdout.splitlines()[-1]


def test_judging_asks_the_network_for_nothing(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.jpg", 1)
    program = (
        "import socket, sys, time\n"
        "asked = []\n"
        "socket.getaddrinfo = lambda *what, **more: asked.append(what) or []\n"
        "socket.socket.connect = lambda *what: asked.append(what)\n"
        "from cli.main import main\n"
        "try: main()\n"
        "finally: time.sleep(1); print(asked, sys.modules['openvino_telemetry'])\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", program, "scan", str(tmp_path), "--fail-on", "never"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.stdout.splitlines()[-1] == "[] None", done.stderr


def test_a_producer_needs_no_tensorflow() -> None:
    program = (
        "import sys, producer.queue, producer.scan, producer.here, worker.task\n"
        "print(sorted({'tensorflow', 'keras'} & set(sys.modules)))"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "[]"


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


def test_a_full_disk_under_the_output_is_an_error(model_dir: Path) -> None:
    run("db", "upgrade")
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [COMMAND, "export", "-o", "-"], stdout=full, stderr=subprocess.PIPE, text=True,
            check=False,
        )  # fmt: skip

    assert done.returncode == 2
    assert "No space left" in done.stderr


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
