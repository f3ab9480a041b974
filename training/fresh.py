"""Run a part of training in a fresh process."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def run_fresh(module: str, folder: Path) -> str | None:
    """Run `python -m MODULE FOLDER` under TensorFlow, which judging needs, and wait for it.

    Returns:
        None, or the last line that a failed process wrote: why it failed.
    """
    command = [sys.executable, "-m", module, str(folder.resolve())]
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow"}
    # S603: the command holds this interpreter and a path of ours, nothing that a shell reads.
    done = subprocess.run(  # noqa: S603
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    if not done.returncode:
        return None
    return (done.stdout.strip() or done.stderr.strip() or "no reason given").splitlines()[-1]
