"""The installed command, run to its end."""

import subprocess
import sys
from pathlib import Path

COMMAND = str(Path(sys.executable).parent / "fakesweep")


def run(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [COMMAND, *arguments], capture_output=True, text=True, timeout=240, check=False, **options
    )
