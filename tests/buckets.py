"""A server that speaks the S3 protocol, and ways to fill it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3
import pytest
import requests
from moto.server import ThreadedMotoServer

from worker import stores


@contextmanager
def s3_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Run a server with an empty bucket `archive`; the environment names it as users would."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    use_endpoint(f"http://{host}:{port}", monkeypatch)
    requests.post(f"http://{host}:{port}/moto-api/reset", timeout=30)  # of an earlier server
    client().create_bucket(Bucket="archive")
    yield f"http://{host}:{port}"
    forget_clients()
    server.stop()


def use_endpoint(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let buckets lie at an address, by the standard variables of the cloud's own tools."""
    for name, value in {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    forget_clients()


def forget_clients() -> None:
    """Let the next URL open a new client, with what the environment says then."""
    import s3fs

    stores._filesystem.cache_clear()
    s3fs.S3FileSystem.clear_instance_cache()


def client():
    return boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL"])


def upload(folder: Path, prefix: str = "") -> None:
    """Put every file of a folder into the bucket, under its path inside the folder."""
    s3 = client()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            s3.put_object(
                Bucket="archive", Key=prefix + str(path.relative_to(folder)), Body=path.read_bytes()
            )
