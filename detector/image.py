"""The one door to image decoding: bytes in, upright RGB pixels or one clear error out.

Pillow reads headers and the odd formats; plain JPEG, most of every archive, is read by libjpeg-turbo.
"""

import importlib
import logging
import struct
import threading
import warnings
import zlib
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cache
from io import BytesIO

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image, JpegImagePlugin

from detector import jpeg, png, pnm
from detector.exif import read_orientation
from detector.frames import count_frames
from detector.jpeg import JpegHeader, read_jpeg_header
from detector.rgb import convert_to_rgb, turn_upright
from detector.signature import HEIC, describe_start, name_unsupported
from fakesweep.errors import ImageTooLarge, UnreadableImage, UnsupportedImage

log = logging.getLogger(__name__)

FORMATS = {
    "PNG": "png",
    "WEBP": "webp",
    "TIFF": "tiff",
    "BMP": "bmp",
    "GIF": "gif",
    "AVIF": "avif",
    "JPEG2000": "jpeg2000",
    "PPM": "pnm",
}
HEIF_FORMATS = {"HEIF": "heif"}

LARGE_PX = 25_000_000
"""Above this many pixels images are decoded one at a time: each may need several hundred MB while
its samples are converted, and as many at once as there are threads would exhaust the machine."""
_large_decode = threading.Lock()

TIFF_SUBFILE, TIFF_SUB_IFDS, TIFF_DNG_VERSION = 254, 330, 50706

DECODER_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    AttributeError,
    AssertionError,
    EOFError,
    LookupError,
    ArithmeticError,
    RuntimeError,
    MemoryError,
    BufferError,
    Warning,
    struct.error,
    zlib.error,
    cv2.error,
    Image.DecompressionBombError,
)
"""All that hostile bytes have been seen to raise from Pillow's plugins and OpenCV, which check
their input by chance of what breaks first. `Warning` stands for runs in which warnings raise."""

# The declared size is checked below before anything is decoded; Pillow's own check would warn.
Image.MAX_IMAGE_PIXELS = None
# Malformed metadata makes Pillow warn; it is no fault of the caller. `catch_warnings` around each
# decode would not do, since it changes the whole process and decoding runs on several threads.
warnings.filterwarnings("ignore", module=r"PIL\.")


@dataclass(frozen=True)
class DecodedImage:
    """The first frame of an image file.

    Attributes:
        pixels: RGB, shape `(height, width, 3)`, dtype uint8, range [0, 255], upright.
        format: `jpeg`, `png`, `webp`, `tiff`, `bmp`, `gif`, `avif`, `jpeg2000`, `pnm` or `heif`.
        width: Of the upright pixels.
        height: Of the upright pixels.
        frames: 1, or the number of frames or pages in the file.
    """

    pixels: NDArray[np.uint8]
    format: str
    width: int
    height: int
    frames: int


def decode_image(data: bytes, *, limit_px: int) -> DecodedImage:
    """Decode an image file; what it is, is told by its content.

    Safe to call from several threads at once.

    Args:
        data: The whole file.
        limit_px: The largest width times height that is decoded.

    Raises:
        UnreadableImage: The bytes are empty, truncated, damaged or no image.
        UnsupportedImage: The format, or this variant of it, is not decoded.
        ImageTooLarge: The header declares more than `limit_px` pixels; nothing was decoded.
    """
    if not data:
        raise UnreadableImage("the file is empty")
    if data.startswith(jpeg.SIGNATURE):
        return _decode_jpeg(data, limit_px)
    return _decode_other(data, limit_px)


def _decode_jpeg(data: bytes, limit_px: int) -> DecodedImage:
    header = read_jpeg_header(data)
    if header is None:
        raise UnreadableImage("truncated or damaged JPEG image: it declares no size")
    _check_size(header.width, header.height, limit_px)
    if header.bits != 8 or not header.decodable:
        raise UnsupportedImage(f"a {header.bits}-bit, lossless or hierarchical JPEG is not decoded")
    with _take_turn(header.width * header.height):
        pixels = _read_plain_jpeg(data, header)
        if pixels is None:
            pixels = _read_jpeg_strictly(data, header)
        return _finish(pixels, header.orientation, "jpeg", header.frames)


def _read_plain_jpeg(data: bytes, header: JpegHeader) -> NDArray[np.uint8] | None:
    """Decode a complete grey or colour JPEG by libjpeg-turbo, in half of OpenCV's time."""
    # OpenCV fills the missing rows of a truncated file with grey and says nothing.
    if not header.complete or header.bands not in (1, 3):
        return None
    try:
        pixels = simplejpeg.decode_jpeg(data, "RGB", strict=True)
    except (ValueError, MemoryError) as error:
        log.debug("a JPEG that is not quite as it should be: %s", error)
        return _read_lax_jpeg(data, header)
    return pixels if pixels.shape == (header.height, header.width, 3) else None


def _read_lax_jpeg(data: bytes, header: JpegHeader) -> NDArray[np.uint8] | None:
    """Decode by OpenCV, to the same pixels, what libjpeg-turbo warns of or calls unusual."""
    flags = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except (cv2.error, MemoryError) as error:
        log.debug("OpenCV refused a JPEG that Pillow tries next: %s", error)
        return None
    # The stubs deny it, but what cannot be decoded comes back as None.
    if pixels is None or pixels.shape != (header.height, header.width, 3):
        return None
    return np.asarray(pixels, dtype=np.uint8)


def _read_jpeg_strictly(data: bytes, header: JpegHeader) -> NDArray[np.uint8]:
    """Decode any JPEG by Pillow, which raises where rows or the end marker are missing."""
    try:
        # Not Image.open: it would also look for further pictures, and warn of broken lists of them.
        with JpegImagePlugin.JpegImageFile(BytesIO(data)) as image:
            if image.size != (header.width, header.height):
                raise UnreadableImage("damaged JPEG image: it declares two different sizes")
            image.load()
            return convert_to_rgb(image)
    except DECODER_ERRORS as error:
        fault = "damaged" if header.complete else "truncated"
        raise UnreadableImage(f"{fault} JPEG image{_explain(error)}") from error


def _decode_other(data: bytes, limit_px: int) -> DecodedImage:
    formats = FORMATS
    name = name_unsupported(data)
    if name == HEIC:
        if not _register_heif():
            raise UnsupportedImage(
                "a HEIC image: install fakesweep with the `heic` extra to decode it"
            )
        formats = HEIF_FORMATS
    elif name is not None:
        raise UnsupportedImage(f"{name} is not decoded")
    if data.startswith(pnm.SIGNATURES) and not pnm.has_header(data):
        raise UnreadableImage("no image: the file begins like a PNM image without a size")
    try:
        image = Image.open(BytesIO(data), formats=list(formats))
    except DECODER_ERRORS as error:
        raise UnreadableImage(describe_start(data)) from error
    with image:
        format_name = formats.get(image.format or "", "")
        _check_size(image.width, image.height, limit_px)
        _check_variant(image)
        if format_name == "png" and (chunk := png.find_damaged_chunk(data)):
            raise UnreadableImage(f"damaged PNG image: chunk {chunk} fails its checksum")
        with _take_turn(image.width * image.height):
            try:
                _check_rows(image)
                image.load()
                pixels = convert_to_rgb(image)
            except DECODER_ERRORS as error:
                raise UnreadableImage(
                    f"truncated or damaged {format_name.upper()} image{_explain(error)}"
                ) from error
            # Those of GIF and TIFF are counted from the bytes: Pillow would decode every one.
            declared = 1 if format_name in ("gif", "tiff") else getattr(image, "n_frames", 1)
            frames = count_frames(data, format_name, declared)
            return _finish(pixels, _find_orientation(image), format_name, frames)


def _finish(
    pixels: NDArray[np.uint8], orientation: int, format_name: str, frames: int
) -> DecodedImage:
    upright = turn_upright(pixels, orientation)
    return DecodedImage(
        pixels=upright,
        format=format_name,
        width=upright.shape[1],
        height=upright.shape[0],
        frames=frames,
    )


def _check_size(width: int, height: int, limit_px: int) -> None:
    if width < 1 or height < 1:
        raise UnreadableImage(f"damaged image: it declares {width} x {height} pixels")
    if width * height > limit_px:
        raise ImageTooLarge(
            f"the image declares {width} x {height} = {width * height} pixels, "
            f"more than the limit of {limit_px}"
        )


def _check_variant(image: Image.Image) -> None:
    """Refuse camera raw files that are TIFF outside: their first page is a thumbnail."""
    tags = getattr(image, "tag_v2", {})
    if TIFF_DNG_VERSION in tags or (TIFF_SUB_IFDS in tags and tags.get(TIFF_SUBFILE) == 1):
        raise UnsupportedImage("a camera raw file is not decoded")


def _check_rows(image: Image.Image) -> None:
    """Refuse a TIFF whose strips or tiles do not cover it: Pillow would leave the rest black."""
    boxes = [tile.extents for tile in getattr(image, "tile", []) if tile.extents]
    covered = sum((right - left) * (bottom - top) for left, top, right, bottom in boxes)
    if image.format == "TIFF" and covered < image.width * image.height:
        raise UnreadableImage("truncated or damaged TIFF image: rows are missing")


def _find_orientation(image: Image.Image) -> int:
    """Find the orientation that is still to be applied; Pillow turns TIFF upright itself."""
    if image.format == "TIFF":
        return 1
    block = image.info.get("exif")
    return read_orientation(block) if isinstance(block, bytes) else 1


def _take_turn(pixel_count: int) -> AbstractContextManager[object]:
    return _large_decode if pixel_count > LARGE_PX else nullcontext()


def _explain(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f": {text[:120]}" if text else ""


@cache
def _register_heif() -> bool:
    """Let Pillow decode HEIC where the `heic` extra is installed."""
    try:
        pillow_heif = importlib.import_module("pillow_heif")
    except ImportError:
        return False
    pillow_heif.register_heif_opener()
    return True
