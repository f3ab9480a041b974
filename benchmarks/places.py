"""Measure the same pictures swept from a directory, archives and a bucket, in turn.

    python -m benchmarks.places [--images FOLDER] [--count 1000] [--rounds 3] [--delay-ms 0]
    python -m benchmarks.places --objects 100000

The bucket is moto's server on loopback, which answers some hundred requests a second; `--delay-ms` adds
what a distant store takes to answer. The second form lists a bucket of so many objects. A quiet machine is
wanted.
"""

import argparse
import json
import logging
import os
import statistics
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import boto3
from moto.server import ThreadedMotoServer

from benchmarks.machine import COMMAND, REPOSITORY, copy_sample

BUCKET = "bench"


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description="Measure sources.")
    default = os.environ.get("FAKESWEEP_TEST_DATA", str(REPOSITORY / "../shared/data"))
    parser.add_argument("--images", default=f"{default}/faces", help="folder of pictures")
    parser.add_argument("--count", type=int, default=1000, help="pictures to sweep")
    parser.add_argument("--rounds", type=int, default=3, help="rounds, interleaved")
    parser.add_argument("--delay-ms", type=float, default=0.0, help="of each answer of the bucket")
    parser.add_argument("--objects", type=int, help="list a bucket of so many objects, and end")
    options = parser.parse_args()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory(prefix="fakesweep-places-") as folder:
        if options.objects:
            measure_listing(Path(folder), options.objects)
        else:
            measure_places(Path(folder), Path(options.images), options)


def measure_places(folder: Path, images: Path, options: argparse.Namespace) -> None:
    """Sweep each place with the model that ships, and print images a second."""
    sample = copy_sample(images, folder / "sample", options.count)
    with zipfile.ZipFile(folder / "sample.zip", "w") as archive:
        for path in sample:
            archive.write(path, path.name)
    with tarfile.open(folder / "sample.tar.gz", "w:gz", compresslevel=1) as packed:
        packed.add(folder / "sample", "sample")
    with bucket(options.delay_ms / 1000, {path.name: path.read_bytes() for path in sample}):
        places = {
            "directory": str(folder / "sample"),
            "zip": str(folder / "sample.zip"),
            "tar.gz": str(folder / "sample.tar.gz"),
            "bucket": f"s3://{BUCKET}",
        }
        rates: dict[str, list[float]] = {name: [] for name in places}
        for round_number in range(options.rounds):
            for name, source in places.items():
                data = folder / f"data-{name}-{round_number}"
                rates[name].append(sweep(source, data, len(sample)))
    floor = statistics.median(rates["directory"])
    print(f"{len(sample)} pictures, {options.rounds} rounds, {options.delay_ms:g} ms an answer\n")
    print("| place | images/s | least to most | of a directory |")
    print("|---|---|---|---|")
    for name, values in rates.items():
        median = statistics.median(values)
        print(
            f"| {name} | {median:.1f} | {min(values):.1f} to {max(values):.1f} | {median / floor:.2f} |"
        )


def sweep(source: str, data: Path, count: int) -> float:
    """Sweep into a new ledger; gives images a second of the whole scan, start of the model included."""
    done = subprocess.run(
        [COMMAND, "scan", source, "--json", "--fail-on", "never"],
        env={**os.environ, "FAKESWEEP_DATA_DIR": str(data)},
        capture_output=True,
        text=True,
        check=True,
    )
    facts = json.loads(done.stdout)
    if facts["images"] - facts["failed"] < 0.99 * count:
        sys.exit(
            f"{source}: of {count} images {facts['images']} were found, {facts['failed']} failed"
        )
    return float(facts["images_per_s"])


def measure_listing(folder: Path, objects: int) -> None:
    """List a bucket of many objects without judging them."""
    with bucket(0.0, {f"{n % 100:02}/{n:08}.jpg": b"x" for n in range(objects)}):
        script = (
            "import re, time\n"
            "from pathlib import Path\n"
            "from worker.bucket import list_objects\n"
            f"list(list_objects('s3://{BUCKET}/none'))\n"
            "began = time.time(); count = 0\n"
            f"for page in list_objects('s3://{BUCKET}'): count += len(page)\n"
            "status = Path('/proc/self/status').read_text()\n"
            "peak = int(re.search(r'VmHWM:\\s+(\\d+)', status)[1]) / 1024\n"
            "print(f'{count} objects listed in {time.time() - began:.1f} s, {peak:.0f} MB')\n"
        )
        subprocess.run([sys.executable, "-c", script], check=True, cwd=REPOSITORY)


@contextmanager
def bucket(delay_s: float, objects: dict[str, bytes]) -> Iterator[None]:
    """Serve objects over the protocol of S3; the environment names the server as users would."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        os.environ[name] = "bench"
    os.environ["AWS_DEFAULT_REGION"] = "us-east-1"
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    client = boto3.client("s3", endpoint_url=f"http://{host}:{port}")
    client.create_bucket(Bucket=BUCKET)
    from moto.s3.models import s3_backends

    (account,) = list(s3_backends)
    backend = s3_backends[account]["aws"]
    for key, content in objects.items():
        backend.put_object(BUCKET, key, content)
    front = Front(f"http://{host}:{port}", objects, delay_s)
    os.environ["AWS_ENDPOINT_URL"] = front.url
    try:
        yield
    finally:
        front.close()
        server.stop()


class Front:
    """Answers for objects itself, quickly, and passes everything else to moto's server."""

    def __init__(self, behind: str, objects: dict[str, bytes], delay_s: float) -> None:
        import hashlib

        import requests

        etags = {key: hashlib.md5(content).hexdigest() for key, content in objects.items()}  # noqa: S324

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                time.sleep(delay_s)
                key = unquote(urlsplit(self.path).path).partition(f"/{BUCKET}/")[2]
                if key in objects:
                    self._answer(200, objects[key], {"ETag": f'"{etags[key]}"'})
                    return
                answer = requests.request(
                    self.command, behind + self.path, headers=dict(self.headers), timeout=60
                )
                self._answer(
                    answer.status_code, answer.content, {"Content-Type": "application/xml"}
                )

            do_HEAD = do_GET

            def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Last-Modified", "Mon, 02 Nov 2026 10:00:00 GMT")
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()


if __name__ == "__main__":
    main()
