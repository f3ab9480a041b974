"""A bucket is swept like a directory, over the real protocol of S3."""

import socket
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pandas as pd
import pytest
import requests

from db.ledger import Ledger
from fakesweep.errors import SourceError
from fakesweep.settings import Settings
from producer.scan import reopen_scan
from producer.sources import named_sources
from tests.buckets import client, forget_clients, s3_server, upload, use_endpoint
from tests.pictures import write_picture, write_pictures
from tests.sweeping import begin, finish, record_all, rows, sweep
from worker import bucket, stores

COMPARED = ("status", "verdict", "score", "error_code", "sha256", "width", "height", "format")


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with s3_server(monkeypatch) as url:
        yield url


def fill(folder: Path) -> Path:
    pictures = write_pictures(folder / "2019/05", 7)
    write_picture(folder / "a b#c?ü.png", 20)
    write_picture(folder / "x.jpg", 21).rename(folder / "no_suffix")
    (folder / "broken.jpg").write_bytes(b"no picture")
    (folder / "notes.txt").write_bytes(b"words")
    (folder / ".hidden.jpg").write_bytes(b"")
    with zipfile.ZipFile(folder / "old.zip", "w") as archive:
        archive.write(pictures[0], "in/0.jpg")
    return folder


def by_name(ledger: Ledger, scan_id: int, top: str) -> dict:
    return {
        uri.removeprefix(top).lstrip("/"): tuple(row[name] for name in COMPARED)
        for uri, row in rows(ledger, scan_id).items()
    }


def test_a_bucket_gives_the_rows_of_the_same_files(
    ledger: Ledger, settings: Settings, tmp_path: Path, s3: str
) -> None:
    folder = fill(tmp_path / "in")
    upload(folder, "media/")
    upload(folder, "media2/")  # not below it, though its name begins like it

    local = sweep(ledger, settings, folder)
    remote = sweep(ledger, settings, "s3://archive/media/", rescan=True)

    expected = by_name(ledger, local.scan.id, str(folder))
    assert len(expected) == 11
    assert by_name(ledger, remote.scan.id, "s3://archive/media") == expected
    assert remote.scan.passed_over == local.scan.passed_over == 2


def test_what_is_unchanged_is_told_by_its_etag(
    ledger: Ledger, settings: Settings, tmp_path: Path, s3: str
) -> None:
    pictures = write_pictures(tmp_path / "in", 5)
    upload(tmp_path / "in")
    sweep(ledger, settings, "s3://archive")
    upload(tmp_path / "in")  # newer, and the same
    write_picture(pictures[0], 50)
    client().put_object(Bucket="archive", Key="0000.jpg", Body=pictures[0].read_bytes())

    second = sweep(ledger, settings, "s3://archive")

    assert (second.scan.unchanged, second.judged) == (4, 1)


def test_objects_archives_and_manifests_are_sources(
    ledger: Ledger, settings: Settings, tmp_path: Path, s3: str
) -> None:
    folder = fill(tmp_path / "in")
    table = pd.DataFrame({"uri": ["broken.jpg", "s3://archive/2019/05/0001.jpg"], "id": [1, 2]})
    table.to_csv(folder / "list.csv", index=False)
    upload(folder)

    mixed = sweep(
        ledger, settings, "s3://archive/no_suffix", "s3://archive/old.zip",
        "s3://archive/list.csv", folder / "2019",
    )  # fmt: skip

    found = rows(ledger, mixed.scan.id)
    assert set(found) == {
        "s3://archive/no_suffix",
        "s3://archive/old.zip!/in/0.jpg",
        "s3://archive/broken.jpg",
        "s3://archive/2019/05/0001.jpg",
        *(f"{folder}/2019/05/{number:04}.jpg" for number in range(7)),
    }
    assert found["s3://archive/broken.jpg"]["record"] == '{"id": "1"}'
    assert found["s3://archive/2019/05/0001.jpg"]["etag"]
    again = sweep(ledger, settings, "s3://archive/list.csv")
    assert again.scan.unchanged == 1  # the other one failed


def test_a_listing_goes_on_page_by_page(
    ledger: Ledger, settings: Settings, s3: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bucket, "PAGE", 10)
    for number in range(35):
        client().put_object(Bucket="archive", Key=f"{number % 3}/{number}.jpg", Body=b"x")

    opened = begin(ledger, settings, "s3://archive")
    record_all(ledger, settings, opened)

    assert len(rows(ledger, opened.scan.id)) == 35


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("s3://not-there/a", "does not exist; check the bucket"),
        ("s3://archive/nothing/below", "does not exist; check the bucket"),
        ("nowhere://a/b", "unknown scheme nowhere://"),
        ("gs://a/b", r"gs:// is not installed: pip install 'fakesweep\[gcs\]'"),
        ("zip://a.zip", "names no bucket"),
    ],
)
def test_sources_that_cannot_be_read_are_one_clear_line(s3: str, source: str, said: str) -> None:
    with pytest.raises(SourceError, match=said) as caught:
        named_sources([source], None)

    assert "\n" not in str(caught.value)


def test_wrong_credentials_are_told(s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    client().put_object(Bucket="archive", Key="a.jpg", Body=b"x")
    proxy = Proxy(s3)
    proxy.answer_with = 403
    use_endpoint(proxy.url, monkeypatch)

    with pytest.raises(SourceError, match=r"s3://archive/a.jpg may not be read: .*credentials"):
        named_sources(["s3://archive/a.jpg"], None)
    proxy.close()


def test_missing_credentials_are_told(s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    forget_clients()

    with pytest.raises(SourceError, match="there are no credentials"):
        named_sources(["s3://archive/a.jpg"], None)


def test_a_store_that_is_away_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        use_endpoint(f"http://127.0.0.1:{closed.getsockname()[1]}", monkeypatch)
    monkeypatch.setattr(stores, "GIVE_UP_S", 1.0)

    with pytest.raises(SourceError, match=r"s3://archive/a is out of reach"):
        named_sources(["s3://archive/a"], None)
    forget_clients()


class Proxy:
    """Passes requests on to a server, and plays its faults."""

    def __init__(self, server: str) -> None:
        self.server = server
        self.answer_with: int | None = None
        self.cut = False
        self.refused = 0
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            def handle_any(self) -> None:
                if proxy.answer_with and ".jpg" in self.path:
                    proxy.refused += 1
                    self.send_response(proxy.answer_with)
                    self.end_headers()
                    return
                length = int(self.headers.get("Content-Length") or 0)
                answer = requests.request(
                    self.command, proxy.server + self.path,
                    headers=dict(self.headers), data=self.rfile.read(length), timeout=30,
                )  # fmt: skip
                body = b"" if self.command == "HEAD" else answer.content
                self.send_response(answer.status_code)
                for name, value in answer.headers.items():
                    if name.lower() not in ("transfer-encoding", "connection"):
                        self.send_header(name, value)
                self.end_headers()
                if proxy.cut and ".jpg" in self.path and body:
                    proxy.refused += 1
                    body = body[: len(body) // 2]
                    self.close_connection = True
                self.wfile.write(body)

            do_GET = do_HEAD = do_PUT = do_POST = handle_any

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()


@pytest.mark.parametrize("fault", ["throttled", "cut"])
def test_a_store_that_fails_for_good_leaves_images_to_resume(
    ledger: Ledger,
    settings: Settings,
    tmp_path: Path,
    s3: str,
    monkeypatch: pytest.MonkeyPatch,
    fault: str,
) -> None:
    write_pictures(tmp_path / "in", 6)
    upload(tmp_path / "in")
    proxy = Proxy(s3)
    use_endpoint(proxy.url, monkeypatch)
    opened = begin(ledger, settings, "s3://archive")
    record_all(ledger, settings, opened)
    monkeypatch.setattr(stores, "GIVE_UP_S", 0.5)
    if fault == "throttled":
        proxy.answer_with = 503
    else:
        proxy.cut = True

    failed = finish(ledger, settings, opened)
    codes = {row["error_code"] for row in rows(ledger, failed.scan.id).values()}
    proxy.answer_with, proxy.cut = None, False
    resumed = finish(ledger, settings, reopen_scan(ledger, failed.scan.id, settings=settings))

    assert (failed.scan.status, failed.failed, codes) == ("done", 6, {"unreachable"})
    assert proxy.refused >= 6
    assert (resumed.scan.status, resumed.failed, resumed.judged) == ("done", 0, 6)
    assert resumed.scan.finished_at is not None
    proxy.close()
