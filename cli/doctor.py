"""`fakesweep doctor`: is everything there that a scan needs?"""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.context import start
from fakesweep.errors import FakesweepError

if TYPE_CHECKING:
    from fakesweep.settings import Settings


@click.command()
def doctor() -> int:
    """Check settings, database, broker, model and device; each line is ok or says what to do."""
    from fakesweep.settings import config_path

    checks: list[tuple[str, Callable[[Settings], str]]] = [
        ("database", _check_database),
        ("broker", _check_broker),
        ("model", _check_model),
        ("device", _check_device),
        ("test image", _check_test_image),
    ]
    try:
        settings = start()
    except FakesweepError as error:
        _report("settings", str(error), ok=False)
        return 2
    file = config_path()
    _report("settings", f"{file if file.is_file() else 'defaults'} and FAKESWEEP_* variables")
    failed = 0
    for name, check in checks:
        try:
            _report(name, check(settings))
        except FakesweepError as error:
            _report(name, str(error), ok=False)
            failed += 1
    return 2 if failed else 0


def _report(name: str, text: str, *, ok: bool = True) -> None:
    mark = click.style("ok  ", fg="green") if ok else click.style("FAIL", fg="red")
    click.echo(f"{mark}  {name}: {text}")


def _check_database(settings: "Settings") -> str:
    from db.ledger import check_schema, open_ledger, schema_revision
    from db.schema import SCHEMA_REVISION

    ledger = open_ledger(settings.database_url)
    try:
        with ledger.read() as connection:
            empty = schema_revision(connection) is None
        if empty:
            return f"{ledger.name}, empty; the first scan creates the ledger"
        check_schema(ledger)
    finally:
        ledger.close()
    return f"{ledger.name}, schema {SCHEMA_REVISION}"


def _check_broker(settings: "Settings") -> str:
    if not settings.broker_url:
        return "none; images are judged inside `fakesweep scan`"
    from fakesweep.settings import mask_url
    from worker.app import make_app
    from worker.broker import check_broker, waiting_messages

    app = make_app(settings)
    check_broker(app)
    workers = app.control.ping(timeout=1.0)
    hint = "" if workers else "; start one with: fakesweep worker"
    return (
        f"{mask_url(settings.broker_url)}, {waiting_messages(app)} batches waiting,"
        f" {len(workers)} workers answer{hint}"
    )


def _check_model(settings: "Settings") -> str:
    from worker.models import check_model

    return f"version {check_model(settings, None)}, checksum fits its card"


def _check_device(settings: "Settings") -> str:
    from worker.detectors import LoadedDetectors
    from worker.models import check_model

    detector = LoadedDetectors(settings).get(check_model(settings, None))
    return (
        f"{detector.engine.name} on {detector.device}, {detector.device_batch} views in a device batch,"
        f" {settings.cpu_threads} threads"
    )


def _check_test_image(settings: "Settings") -> str:
    """Sweep one drawn image into a ledger of its own, by the way that every image goes."""
    from db.counts import read_progress
    from db.ledger import open_ledger
    from db.upgrade import prepare
    from detector.golden import golden_views
    from producer.here import sweep_here
    from producer.scan import begin_scan
    from producer.sources import named_sources

    with tempfile.TemporaryDirectory(prefix="fakesweep-doctor-") as folder:
        url = f"sqlite:///{folder}/doctor.db"
        apart = settings.model_copy(update={"database_url": url, "broker_url": ""})
        image = Path(folder) / "image.ppm"
        pixels = dict(golden_views())["cartoon"]
        height, width = pixels.shape[:2]
        image.write_bytes(f"P6 {width} {height} 255\n".encode() + pixels.tobytes())
        ledger = open_ledger(url)
        try:
            prepare(ledger)
            opened = begin_scan(
                ledger,
                named_sources([str(image)], None),
                settings=apart,
                model=None,
                rescan=False,
                priority="bulk",
            )
            sweep_here(ledger, opened, settings=apart, observe=lambda: None)
            with ledger.read() as connection:
                progress = read_progress(connection, opened.scan.id)
        finally:
            ledger.close()
    if progress.judged != 1 or progress.failed:
        raise FakesweepError(f"the drawn test image got no verdict: scan {progress.scan.status}")
    return "read, judged, written to a ledger and counted"
