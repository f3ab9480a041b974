"""How many frames or pages a file holds, counted without decoding any.

Pillow counts by decoding what it passes: a hostile TIFF of 11 MB kept it busy for a minute.
"""

import struct
from contextlib import suppress

MOST_FRAMES = 10_000
"""Counting stops here."""

_GIF_FRAME, _GIF_EXTENSION = 0x2C, 0x21


def count_frames(data: bytes, format_name: str, declared: int) -> int:
    """Count the frames of a file.

    Args:
        data: The whole file, of a format that was recognised.
        format_name: As in `DecodedImage`.
        declared: What the header of the other formats says.

    Returns:
        1 to `MOST_FRAMES`.
    """
    if format_name == "gif":
        declared = _count_gif(data)
    elif format_name == "tiff":
        declared = _count_tiff(data)
    return min(max(declared, 1), MOST_FRAMES)


def _count_gif(data: bytes) -> int:
    """Walk the blocks of a GIF file (GIF89a specification)."""
    frames = 0
    position = 13 + _measure_gif_palette(data, 10)
    while position < len(data) and frames < MOST_FRAMES:
        kind = data[position]
        if kind == _GIF_FRAME:
            frames += 1
            position += 11 + _measure_gif_palette(data, position + 9)
        elif kind == _GIF_EXTENSION:
            position += 2
        else:
            break
        while position < len(data) and data[position]:
            position += 1 + data[position]
        position += 1
    return frames


def _measure_gif_palette(data: bytes, position: int) -> int:
    """Size in bytes of the palette that a packed field declares."""
    packed = data[position] if position < len(data) else 0
    return 3 << (packed & 7) + 1 if packed & 0x80 else 0


def _count_tiff(data: bytes) -> int:
    """Follow the chain of directories of a TIFF or BigTIFF file."""
    order = "<" if data.startswith(b"II") else ">"
    big = data[2:4] in (b"+\0", b"\0+")
    start, entry_size, count_code, offset_code = (8, 20, "Q", "Q") if big else (4, 12, "H", "I")
    seen: set[int] = set()
    with suppress(struct.error):  # the chain leaves the file: what was passed until there counts
        (position,) = struct.unpack_from(order + offset_code, data, start)
        while position and position not in seen and len(seen) < MOST_FRAMES:
            seen.add(position)
            (entries,) = struct.unpack_from(order + count_code, data, position)
            end = position + struct.calcsize("=" + count_code) + entries * entry_size
            (position,) = struct.unpack_from(order + offset_code, data, end)
    return len(seen)
