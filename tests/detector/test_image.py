import struct
import subprocess
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

from detector.golden import golden_views
from detector.image import decode_image
from fakesweep.errors import ImageTooLarge, UnreadableImage

LIMIT_PX = 50_000_000
ROOT = Path(__file__).parents[2]
HEIGHT, WIDTH = 96, 160


@pytest.fixture
def picture():
    """A drawn face with smooth tones, wider than high."""
    pixels = dict(golden_views())["cartoon"]
    return cv2.resize(pixels, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)


def encode(pixels, format_name, mode=None, **options):
    image = Image.fromarray(pixels)
    buffer = BytesIO()
    (image.convert(mode) if mode else image).save(buffer, format_name, **options)
    return buffer.getvalue()


def decode(data, limit_px=LIMIT_PX):
    return decode_image(data, limit_px=limit_px)


def differ(left, right):
    """Mean absolute difference in levels."""
    assert left.shape == right.shape
    return np.abs(left.astype(int) - right.astype(int)).mean()


def grey(pixels):
    return np.asarray(Image.fromarray(pixels).convert("L"))


FORMATS = {
    "JPEG": ("jpeg", {"quality": 95}),
    "PNG": ("png", {}),
    "WEBP": ("webp", {"lossless": True}),
    "TIFF": ("tiff", {}),
    "BMP": ("bmp", {}),
    "GIF": ("gif", {}),
    "AVIF": ("avif", {"quality": 95}),
    "JPEG2000": ("jpeg2000", {}),
    "PPM": ("pnm", {}),
}


@pytest.mark.parametrize("encoder", FORMATS)
def test_every_format_is_told_by_content_and_decoded(picture, encoder):
    format_name, options = FORMATS[encoder]

    image = decode(encode(picture, encoder, **options))

    assert (image.format, image.width, image.height, image.frames) == (
        format_name,
        WIDTH,
        HEIGHT,
        1,
    )
    assert image.pixels.dtype == np.uint8
    assert image.pixels.flags.c_contiguous
    assert differ(image.pixels, picture) < 4


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("encoder", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_every_orientation_comes_out_upright(picture, encoder, orientation):
    turn_back = {
        1: lambda p: p,
        2: lambda p: p[:, ::-1],
        3: lambda p: p[::-1, ::-1],
        4: lambda p: p[::-1],
        5: lambda p: p.transpose(1, 0, 2),
        6: lambda p: np.rot90(p),
        7: lambda p: p.transpose(1, 0, 2)[::-1, ::-1],
        8: lambda p: np.rot90(p, -1),
    }[orientation]
    exif = Image.Exif()
    exif[274] = orientation
    options = FORMATS[encoder][1]

    stored = np.ascontiguousarray(turn_back(picture))
    image = decode(encode(stored, encoder, exif=exif, **options))

    assert (image.width, image.height) == (WIDTH, HEIGHT)
    assert differ(image.pixels, picture) < 4
    assert image.pixels.flags.c_contiguous


@pytest.mark.parametrize("orientation", [0, 9, 99, 65535])
def test_an_invalid_orientation_is_upright(picture, orientation):
    exif = Image.Exif()
    exif[274] = orientation

    assert differ(decode(encode(picture, "JPEG", exif=exif)).pixels, picture) < 4


@pytest.mark.parametrize("block", [b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0" * 99])
@pytest.mark.parametrize("encoder", ["JPEG", "PNG", "WEBP"])
def test_malformed_exif_does_not_fail_the_image(picture, encoder, block):
    assert differ(decode(encode(picture, encoder, exif=block)).pixels, picture) < 4


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_png_of_every_mode_looks_the_same(picture, mode):
    if mode == "I;16":
        data = encode(grey(picture).astype(np.uint16) * 257, "PNG")
    elif mode == "P":
        buffer = BytesIO()
        Image.fromarray(picture).quantize(256).save(buffer, "PNG")
        data = buffer.getvalue()
    else:
        data = encode(picture, "PNG", mode)

    pixels = decode(data).pixels

    if mode == "1":
        assert set(np.unique(pixels)) == {0, 255}
        assert abs(pixels.mean() - grey(picture).mean()) < 4
    elif mode in ("L", "LA", "I;16"):
        assert differ(pixels, np.stack([grey(picture)] * 3, axis=-1)) < 1
    else:
        assert differ(pixels, picture) < 8


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.float32])
@pytest.mark.parametrize("top", [255, 65535])
def test_deep_grey_tiff_is_scaled_not_clipped(picture, dtype, top):
    expected = grey(picture).astype(float) * (255 / grey(picture).max())
    samples = (expected / 255 * top).astype(dtype)

    pixels = decode(encode(samples, "TIFF")).pixels

    # 16 bits are what they are: a picture that uses the lowest 255 of them is nearly black.
    factor = top / 65535 if dtype is np.uint16 else 1.0
    assert differ(pixels[:, :, 0], np.rint(expected * factor)) < 1


def test_float_tiff_from_zero_to_one_fills_the_range(picture):
    samples = (grey(picture) / 255).astype(np.float32)
    samples[0, 0], samples[0, 1] = 1.0, np.nan

    pixels = decode(encode(samples, "TIFF")).pixels

    assert pixels[0, 0].tolist() == [255, 255, 255]
    assert pixels[0, 1].tolist() == [0, 0, 0]
    assert differ(pixels[1:, :, 0], grey(picture)[1:]) < 1


def test_samples_below_zero_are_stretched():
    samples = np.linspace(-5.0, 5.0, 64, dtype=np.float32).reshape(8, 8)

    pixels = decode(encode(samples, "TIFF")).pixels

    assert (pixels.min(), pixels.max()) == (0, 255)


def test_16_bit_colour_png_keeps_its_colours(picture):
    _, data = cv2.imencode(".png", picture[:, :, ::-1].astype(np.uint16) * 257)

    assert differ(decode(data.tobytes()).pixels, picture) < 1


@pytest.mark.parametrize("encoder", ["JPEG", "TIFF"])
def test_cmyk_is_not_inverted(picture, encoder):
    assert differ(decode(encode(picture, encoder, "CMYK")).pixels, picture) < 6


def test_lab_tiff_keeps_its_colours(picture):
    to_lab = ImageCms.buildTransform(
        ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB"
    )
    lab = ImageCms.applyTransform(Image.fromarray(picture), to_lab)
    buffer = BytesIO()
    lab.save(buffer, "TIFF")

    assert differ(decode(buffer.getvalue()).pixels, picture) < 12


def test_grey_jpeg_has_three_equal_bands(picture):
    pixels = decode(encode(picture, "JPEG", "L", quality=95)).pixels

    assert (pixels == pixels[:, :, :1]).all()
    assert differ(pixels[:, :, 0], grey(picture)) < 3


@pytest.mark.parametrize("encoder", ["PNG", "WEBP", "TIFF"])
def test_transparency_is_shown_on_white(picture, encoder):
    alpha = np.zeros((HEIGHT, WIDTH, 1), dtype=np.uint8)
    alpha[:, WIDTH // 2 :] = 255
    options = FORMATS[encoder][1]

    pixels = decode(encode(np.concatenate([picture, alpha], axis=-1), encoder, **options)).pixels

    assert (pixels[:, : WIDTH // 2] == 255).all()
    assert differ(pixels[:, WIDTH // 2 :], picture[:, WIDTH // 2 :]) < 1


@pytest.mark.parametrize("encoder", ["PNG", "GIF"])
def test_a_transparent_palette_entry_is_shown_on_white(encoder):
    indices = np.zeros((40, 60), dtype=np.uint8)
    indices[:, 30:] = 1
    image = Image.fromarray(indices).convert("P")
    image.putpalette([200, 0, 0, 0, 0, 200])
    buffer = BytesIO()
    image.save(buffer, encoder, transparency=0)

    pixels = decode(buffer.getvalue()).pixels

    assert pixels[0, 0].tolist() == [255, 255, 255]
    assert pixels[0, 59].tolist() == [0, 0, 200]


@pytest.mark.parametrize("encoder", ["GIF", "WEBP", "PNG", "TIFF", "AVIF"])
def test_the_first_frame_is_decoded_and_all_are_counted(picture, encoder):
    later = [Image.fromarray(np.full_like(picture, tone)) for tone in (0, 120, 255)]
    options = FORMATS[encoder][1]

    image = decode(encode(picture, encoder, save_all=True, append_images=later, **options))

    assert image.frames == 4
    assert differ(image.pixels, picture) < 4


def test_the_pictures_of_an_mpo_are_counted(picture):
    later = [Image.fromarray(np.full_like(picture, 90))]

    image = decode(encode(picture, "MPO", save_all=True, append_images=later))

    assert (image.format, image.frames) == ("jpeg", 2)
    assert differ(image.pixels, picture) < 4


def test_counting_stops_in_an_endless_chain_of_pages(picture):
    data = bytearray(encode(picture, "TIFF"))
    (start,) = struct.unpack_from("<I", data, 4)
    (entries,) = struct.unpack_from("<H", data, start)
    struct.pack_into("<I", data, start + 2 + 12 * entries, start)

    assert decode(bytes(data)).frames == 1


def test_counting_stops_at_ten_thousand_frames(picture):
    blank = b"," + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x4c\x01\x00"

    image = decode(encode(picture, "GIF")[:-1] + blank * 12_000 + b";")

    assert image.frames == 10_000


def test_a_declared_size_above_the_limit_is_refused_with_both_numbers(picture):
    data = encode(picture, "PNG")

    with pytest.raises(ImageTooLarge, match=r"160 x 96 = 15360 pixels.*limit of 15359"):
        decode(data, limit_px=WIDTH * HEIGHT - 1)
    assert decode(data, limit_px=WIDTH * HEIGHT).width == WIDTH


def make_png_chunk(kind, content):
    checksum = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + checksum


def declare_png(width, height):
    """A PNG that is little but its claim."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + make_png_chunk(b"IHDR", header) + make_png_chunk(b"IDAT", b"x")


def test_nothing_is_decoded_above_the_limit():
    # Decoding would say that this file is truncated.
    with pytest.raises(ImageTooLarge, match="2000000000 x 2000000000"):
        decode(declare_png(2_000_000_000, 2_000_000_000))


@pytest.mark.parametrize("encoder", ["JPEG", "GIF"])
def test_a_large_claim_of_other_formats_is_refused(picture, encoder):
    data = bytearray(encode(picture, encoder))
    if encoder == "JPEG":
        at = data.index(b"\xff\xc0") + 5
        data[at : at + 4] = b"\xff\xdc" * 2
    else:
        data[6:10] = b"\xff\xff" * 2

    with pytest.raises(ImageTooLarge):
        decode(bytes(data))


@pytest.mark.parametrize("size", [(0, 0), (0, 10), (10, 0)])
def test_an_image_without_pixels_is_unreadable(size):
    with pytest.raises(UnreadableImage):
        decode(declare_png(*size))


def test_decoding_works_from_many_threads_at_once(picture):
    files = [encode(picture, name, **options) for name, (_, options) in FORMATS.items()] * 8

    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(decode, files))

    for data, image in zip(files, together, strict=True):
        assert (image.pixels == decode(data).pixels).all()


def test_strips_of_a_large_image_join_without_a_seam():
    ramp = np.arange(5000 * 1000, dtype=np.uint32).reshape(5000, 1000)
    samples = (ramp * 65535 // ramp.max()).astype(np.uint16)

    pixels = decode(encode(samples, "TIFF")).pixels

    assert (pixels[:, :, 1] == np.rint(samples / 257)).all()


def test_a_warning_of_pillow_stays_inside_where_warnings_are_errors(tmp_path, picture):
    data = encode(picture, "PNG")
    start = data.index(b"IDAT") - 4
    # An animation of no frames, at which Pillow warns.
    (tmp_path / "odd.png").write_bytes(
        data[:start] + make_png_chunk(b"acTL", bytes(8)) + data[start:]
    )
    script = (
        "import sys, pathlib; from detector.image import decode_image;"
        "print(decode_image(pathlib.Path(sys.argv[1]).read_bytes(), limit_px=10**6).width)"
    )

    answer = subprocess.run(
        [sys.executable, "-W", "error", "-c", script, str(tmp_path / "odd.png")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (answer.stdout, answer.stderr) == (f"{WIDTH}\n", "")


def test_tensorflow_is_not_needed_to_decode():
    script = (
        "import sys, detector.image, detector.views, detector.registry, detector.judge,"
        "detector.golden; print({'tensorflow', 'keras'} & set(sys.modules))"
    )

    answer = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert answer.stdout == "set()\n"
