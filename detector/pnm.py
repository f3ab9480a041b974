"""The header of a PNM file, which Pillow reads byte by byte however long a comment is."""

import re

SIGNATURES = tuple(b"P" + kind for kind in (b"1", b"2", b"3", b"4", b"5", b"6", b"f", b"F"))
LONGEST_HEADER = 65_536

_GAP = rb"(?:\s|#[^\r\n]*[\r\n])+"
# Bitmaps declare width and height, all others also the highest sample (or the scale).
_HEADER = re.compile(rb"P(?:[14](?:%b\d+){2}|[2356fF](?:%b[-.\d]+){3})\s" % (_GAP, _GAP))


def has_header(data: bytes) -> bool:
    """Tell whether a file declares its size in its first 64 KB."""
    return _HEADER.match(data[:LONGEST_HEADER]) is not None
