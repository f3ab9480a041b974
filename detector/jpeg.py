"""The header of a JPEG file, read by walking its segments (ITU-T T.81, annex B)."""

import re
from dataclasses import dataclass

from detector.exif import read_image_count, read_orientation

SIGNATURE = b"\xff\xd8\xff"

# A marker is 0xFF and a code; 0xFF00 is a stuffed byte and 0xFFD0-7 are restarts, both inside scans.
# Fill bytes (repeated 0xFF) need no pattern of their own; with one the search takes 20 times as long.
_MARKER = re.compile(rb"\xff([\x01-\xcf\xd8-\xfe])")
_TEM, _SOI, _EOI, _SOS, _APP1, _APP2, _JPEG_LS = 0x01, 0xD8, 0xD9, 0xDA, 0xE1, 0xE2, 0xF7
_FRAMES = {*range(0xC0, 0xD0), _JPEG_LS} - {0xC4, 0xC8, 0xCC}
_DECODED_FRAMES = {0xC0, 0xC1, 0xC2, 0xC9, 0xCA}
_EXIF, _MPF = b"Exif\0\0", b"MPF\0"


@dataclass(frozen=True)
class JpegHeader:
    """What a JPEG file says of itself.

    Attributes:
        width: As stored, before the orientation is applied.
        height: As stored.
        bits: Per sample; 8 is all that is decoded.
        bands: 1 grey, 3 colour, 4 CMYK.
        decodable: Sequential or progressive, not lossless, hierarchical or JPEG-LS.
        orientation: EXIF orientation, 1 to 8.
        frames: Pictures in the file, more than 1 in a multi-picture (MPO) file.
        complete: The end marker stands after the first scan.
    """

    width: int
    height: int
    bits: int
    bands: int
    decodable: bool
    orientation: int
    frames: int
    complete: bool


def read_jpeg_header(data: bytes) -> JpegHeader | None:
    """Read the header of a file that begins with `SIGNATURE`, None where no frame is declared.

    An end marker inside an EXIF thumbnail does not count, what follows the end is not looked at.
    """
    frame: tuple[int, bytes] | None = None
    exif = mpf = b""
    scan_seen = complete = False
    position = 2
    while match := _MARKER.search(data, position):
        code = match[1][0]
        position = match.end()
        if code == _EOI:
            complete = scan_seen
            break
        if code in (_TEM, _SOI):
            continue
        length = int.from_bytes(data[position : position + 2], "big")
        segment = data[position + 2 : position + length]
        position += max(length, 2)
        if code in _FRAMES and frame is None:
            frame = (code, segment)
        elif code == _SOS:
            scan_seen = True
        elif code == _APP1 and not exif and segment.startswith(_EXIF):
            exif = segment
        elif code == _APP2 and not mpf and segment.startswith(_MPF):
            mpf = segment.removeprefix(_MPF)
    if frame is None or len(frame[1]) < 6:
        return None
    code, segment = frame
    return JpegHeader(
        width=int.from_bytes(segment[3:5], "big"),
        height=int.from_bytes(segment[1:3], "big"),
        bits=segment[0],
        bands=segment[5],
        decodable=code in _DECODED_FRAMES,
        orientation=read_orientation(exif),
        frames=read_image_count(mpf),
        complete=complete,
    )
