"""The end of a scan is told once it can be, with a signature, and never lost."""

import hashlib
import hmac
import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from sqlalchemy import update

from db.ledger import Ledger
from db.schema import scans
from fakesweep.settings import Settings
from tests.pictures import write_pictures
from tests.sweeping import sweep
from worker.notify import tell_all


class Listener:
    """A real web server that keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[dict[str, str], bytes]] = []
        self.answer = 204
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                listener.told.append((dict(self.headers), body))
                self.send_response(listener.answer)
                if listener.answer == 302:
                    self.send_header("Location", "/elsewhere")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}/hook"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()


@pytest.fixture
def listener() -> Iterator[Listener]:
    listening = Listener()
    yield listening
    listening.http.shutdown()
    listening.http.server_close()


def told(settings: Settings, **said: str) -> Settings:
    return settings.model_copy(update=said)


def due_again(ledger: Ledger) -> None:
    with ledger.write() as connection:
        connection.execute(update(scans).where(scans.c.notify_at.is_not(None)).values(
            notify_at=scans.c.notify_at - 4000))  # fmt: skip


def test_a_webhook_is_told_once_with_a_signature(
    ledger: Ledger, settings: Settings, tmp_path: Path, listener: Listener
) -> None:
    write_pictures(tmp_path / "in", 3)
    progress = sweep(ledger, settings, tmp_path / "in")
    said = told(settings, notify_url=listener.url, notify_secret="s3cret")

    tell_all(ledger, said)
    due_again(ledger)
    tell_all(ledger, said)

    ((headers, body),) = listener.told
    expected = hmac.new(b"s3cret", body, hashlib.sha256).hexdigest()
    assert headers["X-Fakesweep-Signature"] == f"sha256={expected}"
    assert headers["X-Fakesweep-Delivery"] == f"scan-{progress.scan.id}"
    message = json.loads(body)
    assert message["events"][0] == "ended"
    assert (message["scan"]["scan"], message["scan"]["images"]) == (progress.scan.id, 3)


@pytest.mark.parametrize("answer", [500, 302, 404])
def test_a_webhook_that_refuses_is_told_again_later(
    ledger: Ledger, settings: Settings, tmp_path: Path, listener: Listener, answer: int
) -> None:
    write_pictures(tmp_path / "in", 1)
    sweep(ledger, settings, tmp_path / "in")
    said = told(settings, notify_url=listener.url)
    listener.answer = answer

    tell_all(ledger, said)
    tell_all(ledger, said)  # not due yet
    assert len(listener.told) == 1
    due_again(ledger)
    listener.answer = 200
    tell_all(ledger, said)

    assert len(listener.told) == 2
    assert len({headers["X-Fakesweep-Delivery"] for headers, _ in listener.told}) == 1


def test_only_the_ends_that_are_asked_for_are_told(
    ledger: Ledger, settings: Settings, tmp_path: Path, listener: Listener
) -> None:
    write_pictures(tmp_path / "good", 2)
    write_pictures(tmp_path / "bad", 1)
    (tmp_path / "bad/broken.jpg").write_bytes(b"")
    said = told(settings, notify_url=listener.url, notify_on="failed")

    sweep(ledger, settings, tmp_path / "good")
    failed = sweep(ledger, settings, tmp_path / "bad")
    tell_all(ledger, said)

    ((_, body),) = listener.told
    message = json.loads(body)
    assert "failed" in message["events"]
    assert message["scan"]["scan"] == failed.scan.id
    assert message["scan"]["failures"] == {"unreadable": 1}


def test_a_command_is_told_on_standard_input(
    ledger: Ledger, settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_pictures(tmp_path / "in", 1)
    sweep(ledger, settings, tmp_path / "in")
    script = tmp_path / "hook.py"
    script.write_text(
        "import sys, pathlib\n"
        f"out = pathlib.Path({str(tmp_path / 'out.json')!r})\n"
        "if not out.exists():\n"
        "    out.touch()\n"
        "    sys.exit('not today')\n"
        "out.write_text(sys.stdin.read())\n"
    )
    said = told(settings, notify_command=f"{sys.executable} {script}")

    tell_all(ledger, said)
    assert "not today" in caplog.text
    due_again(ledger)
    tell_all(ledger, said)

    assert json.loads((tmp_path / "out.json").read_text())["scan"]["images"] == 1
