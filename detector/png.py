"""The checksums of a PNG file, which Pillow does not look at while it decodes."""

import zlib

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def find_damaged_chunk(data: bytes) -> str | None:
    """Name the first critical chunk whose CRC-32 is wrong, None where all are right.

    Critical chunks (upper-case first letter) make the picture; the others carry metadata and may
    be damaged without harm (PNG specification, section 5.4). A chunk that ends after the file
    does is left to the decoder, which knows whether pixels are missing.
    """
    chunks = memoryview(data)
    position = len(SIGNATURE)
    while position + 12 <= len(data):
        length = int.from_bytes(chunks[position : position + 4], "big")
        end = position + 8 + length
        if end + 4 > len(data):
            return None
        kind = bytes(chunks[position + 4 : position + 8])
        expected = int.from_bytes(chunks[end : end + 4], "big")
        if kind[:1].isupper() and zlib.crc32(chunks[position + 4 : end]) != expected:
            return kind.decode("latin-1")
        if kind == b"IEND":
            return None
        position = end + 4
    return None
