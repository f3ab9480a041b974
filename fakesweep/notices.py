"""Keep the start-up notices of native libraries off stderr."""

import logging
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

log = logging.getLogger(__name__)

# TensorFlow writes these before any log level of its own is in force.
_NOTICE = re.compile(
    rb"(WARNING: All log messages before absl::InitializeLog"
    rb"|[IWE]\d{4} \d\d:\d\d:\d\d\.|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+: [IWE] |[IWE]0000 00:00:"
    rb"|To enable the following instructions:)"
)


@contextmanager
def held_notices() -> Iterator[None]:
    """Hold what is written to stderr's descriptor during the block.

    Start-up notices go to the debug log; every other line is written on when the block ends, also
    when it ends with an exception.
    """
    try:
        held = tempfile.TemporaryFile()  # noqa: SIM115  (closed by the block below)
    except OSError:  # no room to hold them: then they are seen
        yield
        return
    sys.stderr.flush()
    with held:
        stderr = os.dup(2)
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(stderr, 2)
            os.close(stderr)
            held.seek(0)
            for line in held:
                if _NOTICE.match(line):
                    log.debug("%s", line.decode(errors="replace").rstrip())
                else:
                    os.write(2, line)
