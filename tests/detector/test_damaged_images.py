import importlib.util
import random
import struct
from io import BytesIO

import cv2
import numpy as np
import pytest
from PIL import Image

from detector.golden import golden_views
from detector.image import decode_image
from fakesweep.errors import ImageError, UnreadableImage, UnsupportedImage

LIMIT_PX = 4_000_000
IMAGE_LENGTH = 257


def draw():
    pixels = dict(golden_views())["noisy_cartoon"]
    return Image.fromarray(cv2.resize(pixels, (72, 56), interpolation=cv2.INTER_AREA))


def encode(format_name, mode="RGB", **options):
    buffer = BytesIO()
    draw().convert(mode).save(buffer, format_name, **options)
    return buffer.getvalue()


def decode(data):
    return decode_image(data, limit_px=LIMIT_PX)


def later_frames():
    return {"save_all": True, "append_images": [draw().rotate(90), draw().rotate(180)]}


FILES = {
    "jpeg": lambda: encode("JPEG"),
    "jpeg progressive": lambda: encode("JPEG", progressive=True, optimize=True),
    "jpeg cmyk": lambda: encode("JPEG", "CMYK"),
    "jpeg grey": lambda: encode("JPEG", "L"),
    "mpo": lambda: encode("MPO", **later_frames()),
    "png": lambda: encode("PNG", "RGBA"),
    "png palette": lambda: encode("PNG", "P"),
    "apng": lambda: encode("PNG", **later_frames()),
    "webp": lambda: encode("WEBP"),
    "webp animated": lambda: encode("WEBP", lossless=True, **later_frames()),
    "tiff": lambda: encode("TIFF"),
    "tiff lzw": lambda: encode("TIFF", compression="tiff_lzw"),
    "tiff float": lambda: encode("TIFF", "F"),
    "tiff pages": lambda: encode("TIFF", "L", **later_frames()),
    "bmp": lambda: encode("BMP"),
    "gif": lambda: encode("GIF"),
    "gif animated": lambda: encode("GIF", **later_frames()),
    "avif": lambda: encode("AVIF"),
    "jpeg2000": lambda: encode("JPEG2000"),
    "pnm": lambda: encode("PPM"),
}


@pytest.mark.parametrize("name", FILES)
def test_whatever_bytes_break_only_image_errors_come_out(name):
    rng = random.Random(name)  # noqa: S311  repeatable damage, no secret
    whole = FILES[name]()
    messages = []

    for _ in range(120):
        data = bytearray(whole)
        if rng.random() < 0.4:
            del data[rng.randrange(len(data)) :]
        else:
            for _ in range(rng.choice((1, 3, 10))):
                at = rng.randrange(min(len(data), rng.choice((64, 300, len(data)))))
                data[at] = rng.choice((data[at] ^ 1 << rng.randrange(8), 0, 255))
        try:
            image = decode(bytes(data))
        except ImageError as error:
            messages.append(str(error))
        else:
            assert image.pixels.shape == (image.height, image.width, 3)

    assert messages
    assert all(message and "\n" not in message for message in messages)


@pytest.mark.parametrize("name", FILES)
def test_the_undamaged_files_are_decoded(name):
    assert decode(FILES[name]()).pixels.shape == (56, 72, 3)


@pytest.mark.parametrize("name", ["jpeg", "jpeg grey", "jpeg cmyk", "png", "tiff", "webp", "bmp"])
@pytest.mark.parametrize("kept", [0.3, 0.6, 0.9])
def test_a_truncated_file_is_unreadable(name, kept):
    data = FILES[name]()

    with pytest.raises(UnreadableImage):
        decode(data[: int(len(data) * kept)])


@pytest.mark.parametrize("missing", [1, 2, 3])
def test_a_jpeg_that_lost_its_last_bytes_is_unreadable(missing):
    with pytest.raises(UnreadableImage, match="truncated JPEG image"):
        decode(encode("JPEG")[:-missing])


def test_the_end_of_an_exif_thumbnail_is_not_the_end_of_the_image():
    thumbnail = encode("JPEG", quality=20)
    data = encode("JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0" + thumbnail)
    assert data.count(b"\xff\xd9") == 2

    decode(data)
    with pytest.raises(UnreadableImage, match="truncated JPEG image"):
        decode(data[: len(data) - 500])


def test_bytes_after_the_end_do_no_harm():
    data = encode("JPEG")

    assert (decode(data + b"\0garbage" * 99).pixels == decode(data).pixels).all()


def test_bytes_before_the_start_make_no_image():
    with pytest.raises(UnreadableImage, match="no image"):
        decode(b"\0" * 16 + encode("JPEG"))


def test_a_png_with_a_wrong_checksum_is_unreadable():
    data = bytearray(encode("PNG"))
    data[data.index(b"IDAT") + 5] ^= 1

    with pytest.raises(UnreadableImage):
        decode(bytes(data))


def test_a_wrong_checksum_of_the_pixels_alone_is_found():
    data = bytearray(encode("PNG"))
    length = int.from_bytes(data[data.index(b"IDAT") - 4 : data.index(b"IDAT")], "big")
    data[data.index(b"IDAT") + 4 + length] ^= 1

    with pytest.raises(UnreadableImage, match="chunk IDAT fails its checksum"):
        decode(bytes(data))


def test_missing_rows_of_a_tiff_are_not_taken_for_black():
    data = bytearray(encode("TIFF", "L"))
    (directory,) = struct.unpack_from("<I", data, 4)
    (entries,) = struct.unpack_from("<H", data, directory)
    for entry in range(directory + 2, directory + 2 + 12 * entries, 12):
        if struct.unpack_from("<H", data, entry) == (IMAGE_LENGTH,):
            struct.pack_into("<H", data, entry + 8, 112)

    with pytest.raises(UnreadableImage, match="rows are missing"):
        decode(bytes(data))


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "the file is empty"),
        (b"\x89", "no image"),
        (b"hello, this is text", "no image: the file begins with b'hello, t'"),
        (b"<!DOCTYPE html><html><body>404", "an HTML page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer"),
        (b"PK\x03\x04 archive", "a ZIP archive"),
        (b"\xff\xd8\xff\xd9", "it declares no size"),
        (b"\x89PNG\r\n\x1a\n", "truncated or damaged PNG image"),
        (b"P6 #" + b"a" * 200_000, "without a size"),
    ],
)
def test_what_is_no_image_is_told(data, told):
    with pytest.raises(UnreadableImage) as caught:
        decode(data)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"8BPS\0\x01" + bytes(50), "Photoshop"),
        (b"\0\0\1\0\1\0" + bytes(50), "ICO"),
        (b"%PDF-1.7\n", "PDF"),
        (b"\xff\x0a" + bytes(50), "JPEG XL"),
        (b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(50), "JPEG XL"),
        (b'<?xml version="1.0"?>\n<!-- drawn -->\n<svg width="1">', "SVG"),
        (b"<svg xmlns='x'>", "SVG"),
        (b"II*\0\x10\0\0\0CR\x02\0" + bytes(50), "Canon CR2"),
        (b"\0\0\0\x18ftypcrx \0\0\0\1crx isom", "Canon CR3"),
        (b"\0\0\0\x18ftypisom\0\0\0\1isommp41", "video"),
        (b"\x1aE\xdf\xa3" + bytes(50), "video"),
    ],
)
def test_a_known_format_that_is_not_decoded_is_named(data, told):
    with pytest.raises(UnsupportedImage, match=told):
        decode(data)


@pytest.mark.skipif(
    importlib.util.find_spec("pillow_heif") is not None, reason="the `heic` extra is installed"
)
@pytest.mark.parametrize("brand", [b"heic", b"mif1"])
def test_a_heic_image_names_the_extra_that_decodes_it(brand):
    with pytest.raises(UnsupportedImage, match="`heic` extra"):
        decode(b"\0\0\0\x18ftyp" + brand + b"\0\0\0\0mif1heic" + bytes(100))


def test_a_12_bit_jpeg_is_unsupported():
    data = bytearray(encode("JPEG"))
    data[data.index(b"\xff\xc0") + 4] = 12

    with pytest.raises(UnsupportedImage, match="12-bit"):
        decode(bytes(data))


def test_a_camera_raw_file_in_tiff_is_not_judged_by_its_thumbnail():
    with pytest.raises(UnsupportedImage, match="camera raw"):
        decode(encode("TIFF", tiffinfo={50706: b"\1\4\0\0"}))


OUTCOMES = {
    "empty.jpg": "unreadable",
    "one_byte.png": "unreadable",
    "text_as.jpg": "unreadable",
    "html_as.png": "unreadable",
    "lfs_pointer.jpg": "unreadable",
    "leading_garbage.jpg": "unreadable",
    "header_zero_dims.png": "unreadable",
    "png_bad_crc.png": "unreadable",
    "truncated_10pct.jpg": "unreadable",
    "truncated_50pct.jpg": "unreadable",
    "truncated_90pct.jpg": "unreadable",
    "bomb_20000x20000_rgb.png": "too_large",
    "bomb_30000x30000_1bit.png": "too_large",
    "header_claims_2e9x2e9.png": "too_large",
    "jpeg_header_claims_65500.jpg": "too_large",
}


def test_every_hostile_file_has_its_outcome(test_data):
    outcomes = {}
    for path in sorted((test_data / "evil").rglob("*")):
        if path.is_file():
            try:
                decode_image(path.read_bytes(), limit_px=100_000_000)
                outcomes[path.name] = "pixels"
            except ImageError as error:
                outcomes[path.name] = error.code

    assert len(outcomes) > 80
    assert {name: code for name, code in outcomes.items() if code != "pixels"} == OUTCOMES


def test_eight_orientations_of_one_face_are_one_picture(test_data):
    folder = test_data / "evil" / "synthetic"
    images = [
        decode((folder / f"face_exif_orient_{number}.jpg").read_bytes()) for number in range(1, 9)
    ]

    for image in images[1:]:
        difference = image.pixels.astype(int) - images[0].pixels.astype(int)
        assert np.abs(difference).mean() < 2
