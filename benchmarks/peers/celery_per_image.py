"""One Celery task for each image, two worker processes, one row and one commit each, on Redis."""

import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from celery import Celery

from benchmarks.machine import REPOSITORY, started_redis
from benchmarks.peers.common import Clock, load, read_task

app = Celery("peer", broker=os.environ.get("PEER_BROKER", ""))
app.conf.update(task_ignore_result=True, worker_prefetch_multiplier=4)
loaded: dict[str, object] = {}


@app.task(name="peer.judge")
def judge(path: str) -> None:
    """Score one picture and write its row."""
    import keras
    import numpy as np

    if not loaded:
        keras.utils.set_random_seed(1)
        loaded["model"] = keras.models.load_model(os.environ["PEER_MODEL"], compile=False)
    model: object = loaded["model"]
    if path:
        batch = load(path)[np.newaxis].astype(np.float32)
        score = float(np.asarray(model(batch, training=False))[0, 0])  # type: ignore[operator]
    with sqlite3.connect(os.environ["PEER_DATABASE"], timeout=60) as connection:
        if path:
            connection.execute("INSERT INTO results VALUES (?, ?)", (path, score))
        else:
            connection.execute("INSERT INTO ready VALUES (?)", (os.getpid(),))
    if not path:
        time.sleep(0.5)  # so that the other process takes the next one


def main() -> None:
    """Send a task for each picture, and wait for their rows."""
    clock, task = Clock(), read_task()
    with tempfile.TemporaryDirectory() as name, started_redis(Path(name)) as broker:
        database = f"{name}/results.db"
        connection = sqlite3.connect(database, isolation_level=None)
        connection.execute("CREATE TABLE results (path TEXT, score FLOAT)")
        connection.execute("CREATE TABLE ready (process INTEGER)")
        os.environ |= {"PEER_BROKER": broker, "PEER_MODEL": str(task.model)}
        os.environ["PEER_DATABASE"] = database
        app.conf.broker_url = broker
        worker = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "benchmarks.peers.celery_per_image", "worker",
             "--concurrency", "2", "--loglevel", "ERROR"],
            cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            ready = "SELECT count(DISTINCT process) FROM ready"
            while connection.execute(ready).fetchone() < (2,):
                judge.delay("")
                time.sleep(1.0)
            clock.ready()
            for path in task.paths:
                judge.delay(str(path))
            done = "SELECT count(*) FROM results"
            while connection.execute(done).fetchone() < (len(task.paths),):
                time.sleep(0.05)
            clock.report(len(task.paths))
        finally:
            worker.terminate()
            worker.wait()


if __name__ == "__main__":
    main()
