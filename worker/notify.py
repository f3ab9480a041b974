"""Tell people of the end of a scan: a signed webhook, a command, or both."""

import hashlib
import hmac
import json
import logging
import shlex
import subprocess
import threading
import urllib.request
from datetime import UTC, datetime
from typing import Any
from urllib.error import URLError

from db.counts import count_failures, read_progress, scan_facts
from db.ledger import Ledger, open_ledger
from db.notices import end_notice, take_notice
from fakesweep.errors import FakesweepError
from fakesweep.settings import Settings, mask_url
from fakesweep.version import __version__

log = logging.getLogger(__name__)

ANSWER_S = 15.0
COMMAND_S = 120.0
ENDED, FAKES, FAILED = "ended", "fakes", "failed"


class NotTold(Exception):
    """The webhook refused or did not answer, or the command failed."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirected POST would arrive without its body."""

    def redirect_request(self, *_: Any) -> None:
        return None


_opener = urllib.request.build_opener(_NoRedirect)


def tell_all(ledger: Ledger, settings: Settings) -> None:
    """Tell of every scan that has ended and of which nobody was told; failures are tried again later."""
    if not settings.notify_url and not settings.notify_command:
        return
    while True:
        with ledger.write() as connection:
            scan_id = take_notice(connection)
        if scan_id is None:
            return
        with ledger.read() as connection:
            progress = read_progress(connection, scan_id)
            failures = count_failures(connection, scan_id)
        events = [ENDED]
        events += [FAKES] if progress.fake else []
        incomplete = progress.scan.error_message or progress.scan.status == "cancelled"
        events += [FAILED] if progress.failed or incomplete else []
        try:
            if set(events) & set(settings.notify_events):
                tell(
                    settings,
                    f"scan-{scan_id}",
                    events,
                    scan_facts(progress) | {"failures": failures},
                )
        except NotTold as error:
            tries = progress.scan.notify_tries
            log.warning(
                "scan %d has ended; telling of it failed in try %d: %s", scan_id, tries, error
            )
            continue
        with ledger.write() as connection:
            end_notice(connection, scan_id)


def tell(settings: Settings, delivery: str, events: list[str], facts: dict[str, Any]) -> None:
    """Send one message to the webhook and the command.

    Args:
        delivery: Tells messages apart; one that is sent twice has the same.

    Raises:
        NotTold: One of them failed; neither says whether the other did.
    """
    message = {"delivery": delivery, "events": events, "sent_at": datetime.now(UTC).isoformat()}
    body = json.dumps(message | {"scan": facts}).encode()
    if settings.notify_url:
        _post(settings, delivery, body)
    if settings.notify_command:
        _run(settings.notify_command, body)


def sign(secret: str, body: bytes) -> str:
    """Give the HMAC-SHA256 of a body, as the header `X-Fakesweep-Signature` carries it."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def _post(settings: Settings, delivery: str, body: bytes) -> None:
    headers = {
        "Content-Type": "application/json",
        "User-Agent": f"fakesweep/{__version__}",
        "X-Fakesweep-Delivery": delivery,
    }
    if settings.notify_secret:
        headers["X-Fakesweep-Signature"] = sign(settings.notify_secret, body)
    request = urllib.request.Request(settings.notify_url, body, headers)  # noqa: S310  (http, https)
    try:
        with _opener.open(request, timeout=ANSWER_S):
            return
    except (URLError, OSError, ValueError) as error:
        raise NotTold(f"webhook {mask_url(settings.notify_url)}: {error}") from error


def _run(command: str, body: bytes) -> None:
    try:
        done = subprocess.run(  # noqa: S603  (the user's own command)
            shlex.split(command), input=body, timeout=COMMAND_S, capture_output=True, check=False
        )
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise NotTold(f"command {command!r}: {error}") from error
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise NotTold(
            f"command {command!r} ended with {done.returncode}{': ' + said[-1] if said else ''}"
        )


class Teller:
    """Tells in a thread of its own, so that what tends the queue does not wait for an answer."""

    def __init__(self) -> None:
        self._busy = threading.Lock()

    def look(self, settings: Settings) -> None:
        """Begin to tell, unless it is being done or nobody is to be told."""
        if not settings.notify_url and not settings.notify_command:
            return
        if self._busy.acquire(blocking=False):
            threading.Thread(
                target=self._tell, args=(settings,), name="notify", daemon=True
            ).start()

    def _tell(self, settings: Settings) -> None:
        try:
            ledger = open_ledger(settings.database_url, pooled=False)
            try:
                tell_all(ledger, settings)
            finally:
                ledger.close()
        except FakesweepError as error:
            log.warning("telling of ended scans: %s", error)
        finally:
            self._busy.release()
