"""What a file is by its first bytes, where it is no image that is decoded here."""

import re

HEIC = "HEIC"

# Brands of the ISO base media format (ISO/IEC 14496-12, "ftyp").
_HEIC_BRANDS = {b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"hevm", b"hevs"}
_AVIF_BRANDS = {b"avif", b"avis"}
_SHARED_BRANDS = {b"mif1", b"msf1", b"miaf"}
_RAW_BRANDS = {b"crx "}

_UNSUPPORTED = (
    (0, b"8BPS", "a Photoshop document (PSD)"),
    (0, b"\0\0\1\0", "an icon (ICO)"),
    (0, b"\0\0\2\0", "a cursor (CUR)"),
    (0, b"icns", "an icon (ICNS)"),
    (0, b"%PDF-", "a PDF document"),
    (0, b"%!PS", "a PostScript document"),
    (0, b"\xc5\xd0\xd3\xc6", "a PostScript document"),
    (0, b"\xff\x0a", "a JPEG XL image"),
    (0, b"\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL image"),
    (0, b"II\xbc\x01", "a JPEG XR image"),
    (0, b"gimp xcf", "a GIMP document (XCF)"),
    (0, b"\x76\x2f\x31\x01", "an OpenEXR image"),
    (0, b"#?RADIANCE", "a Radiance HDR image"),
    (0, b"DDS ", "a DirectDraw surface (DDS)"),
    (0, b"qoif", "a QOI image"),
    (0, b"BPG\xfb", "a BPG image"),
    (0, b"AT&TFORM", "a DjVu document"),
    (128, b"DICM", "a DICOM image"),
    (0, b"SIMPLE  =", "a FITS image"),
    (8, b"CR\x02\0", "a camera raw file (Canon CR2)"),
    (0, b"FUJIFILMCCD-RAW", "a camera raw file (Fujifilm RAF)"),
    (0, b"IIU\0", "a camera raw file (Panasonic RW2)"),
    (0, b"IIRO", "a camera raw file (Olympus ORF)"),
    (0, b"IIRS", "a camera raw file (Olympus ORF)"),
    (0, b"MMOR", "a camera raw file (Olympus ORF)"),
    (0, b"FOVb", "a camera raw file (Sigma X3F)"),
    (0, b"\x1aE\xdf\xa3", "a video (Matroska or WebM)"),
    (8, b"AVI LIST", "a video (AVI)"),
    (0, b"FLV\x01", "a video (FLV)"),
    (0, b"\0\0\x01\xba", "a video (MPEG)"),
    (0, b"\0\0\x01\xb3", "a video (MPEG)"),
    (4, b"moov", "a video (QuickTime)"),
    (4, b"mdat", "a video (QuickTime)"),
)
_DAMAGED = (
    (0, b"\x89PNG", "PNG"),
    (0, b"GIF8", "GIF"),
    (8, b"WEBP", "WebP"),
    (0, b"II*\0", "TIFF"),
    (0, b"MM\0*", "TIFF"),
    (0, b"BM", "BMP"),
    (4, b"ftyp", "AVIF or HEIC"),
    (0, b"\0\0\0\x0cjP", "JPEG 2000"),
    (0, b"\xff\x4f\xff\x51", "JPEG 2000"),
)
_NO_IMAGE = (
    (b"version https://git-lfs", "a Git LFS pointer, not the image itself"),
    (b"pk\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"<!doctype html", "an HTML page"),
    (b"<html", "an HTML page"),
    (b"{", "a JSON text"),
)
_SVG = re.compile(
    rb"\A(?:\xef\xbb\xbf)?\s*(?:<\?xml.*?\?>|<!--.*?-->|<!DOCTYPE svg.*?>|\s)*<svg\b", re.S
)


def name_unsupported(data: bytes) -> str | None:
    """Name a recognised format that is not decoded, `HEIC` for one that an extra decodes."""
    if data[4:8] == b"ftyp":
        return _name_media(data)
    for start, signature, name in _UNSUPPORTED:
        if data.startswith(signature, start):
            return name
    return "an SVG drawing" if _SVG.match(data[:4096]) else None


def describe_start(data: bytes) -> str:
    """Say what a file seems to be that no decoder takes, as the start of a sentence."""
    for position, signature, name in _DAMAGED:
        if data.startswith(signature, position):
            return f"truncated or damaged {name} image"
    start = data[:64].lstrip().lower()
    for signature, name in _NO_IMAGE:
        if start.startswith(signature):
            return f"no image: {name}"
    return f"no image: the file begins with {data[:8]!r}"


def _name_media(data: bytes) -> str | None:
    """Tell HEIC, AVIF, camera raw and video apart by the brands of the file-type box."""
    length = min(max(int.from_bytes(data[:4], "big"), 16), 256)
    brands = {data[8:12], *(data[at : at + 4] for at in range(16, length, 4))}
    if brands & _AVIF_BRANDS:
        return None
    if brands & _HEIC_BRANDS or data[8:12] in _SHARED_BRANDS:
        return HEIC
    return "a camera raw file (Canon CR3)" if data[8:12] in _RAW_BRANDS else "a video (MP4)"
