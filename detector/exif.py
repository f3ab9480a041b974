"""The few numbers that are read from EXIF and MPF blocks, without trusting a byte of them.

Both are small TIFF files (TIFF 6.0, section 2; CIPA DC-007 for MPF). Pillow's reader warns and
raises on malformed ones; a picture must not fail for the sake of its metadata.
"""

import struct

ORIENTATION = 0x0112
MPF_IMAGES = 0xB001
BYTE_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
SHORT, LONG = 3, 4


def read_orientation(block: bytes) -> int:
    """Read the EXIF orientation, 1 to 8; 1 (upright) where it is missing or malformed.

    Args:
        block: The EXIF block, with or without its `Exif` prefix.
    """
    value = _read_number(block.removeprefix(b"Exif\0\0"), ORIENTATION)
    return value if value is not None and 1 <= value <= 8 else 1


def read_image_count(block: bytes) -> int:
    """Read how many images an MPF block (of a multi-picture JPEG) names; 1 where malformed."""
    value = _read_number(block, MPF_IMAGES)
    return value if value is not None and 1 <= value <= 0xFFFF else 1


def _read_number(block: bytes, tag: int) -> int | None:
    """Read one inline number of the first directory."""
    order = BYTE_ORDERS.get(block[:4])
    if order is None:
        return None
    try:
        (start,) = struct.unpack_from(order + "I", block, 4)
        (entries,) = struct.unpack_from(order + "H", block, start)
        for position in range(start + 2, start + 2 + 12 * entries, 12):
            found, kind, count = struct.unpack_from(order + "HHI", block, position)
            if found == tag and count == 1 and kind in (SHORT, LONG):
                code = "H" if kind == SHORT else "I"
                return int(struct.unpack_from(order + code, block, position + 8)[0])
    except struct.error:
        return None
    return None
