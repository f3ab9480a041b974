"""Whichever decoder reads a JPEG, its pixels are the same."""

import cv2
import numpy as np
import pytest
import simplejpeg
from PIL import Image

from detector.image import decode_image
from fakesweep.errors import UnreadableImage

LIMIT_PX = 10**8


def draw(height, width):
    random = np.random.default_rng(3)
    small = random.integers(0, 256, (7, 7, 3), dtype=np.uint8)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)


def write(folder, **options):
    path = folder / "picture.jpg"
    Image.fromarray(draw(123, 217)).save(path, "JPEG", **options)
    return path.read_bytes()


def read_by_opencv(content):
    return cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR_RGB)


@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("quality", [10, 75, 95])
def test_pixels_are_those_of_opencv(tmp_path, quality, progressive, subsampling):
    content = write(tmp_path, quality=quality, progressive=progressive, subsampling=subsampling)

    assert (decode_image(content, limit_px=LIMIT_PX).pixels == read_by_opencv(content)).all()


def test_grey_becomes_rgb(tmp_path):
    path = tmp_path / "grey.jpg"
    Image.fromarray(draw(64, 80)[:, :, 0]).save(path, "JPEG")

    pixels = decode_image(path.read_bytes(), limit_px=LIMIT_PX).pixels

    assert pixels.shape == (64, 80, 3)
    assert (pixels == read_by_opencv(path.read_bytes())).all()


def test_what_the_fast_decoder_warns_of_is_read_all_the_same(tmp_path):
    content = write(tmp_path, quality=75, subsampling=0)
    # Bytes between two segments, which libjpeg skips with a warning.
    start = content.index(b"\xff\xdb")
    odd = content[:start] + b"\x00" * 7 + content[start:]
    with pytest.raises(ValueError, match="extraneous"):
        simplejpeg.decode_jpeg(odd, "RGB")

    pixels = decode_image(odd, limit_px=LIMIT_PX).pixels

    assert (pixels == read_by_opencv(content)).all()


def test_unusual_subsampling_is_read_all_the_same(tmp_path):
    content = bytearray(write(tmp_path, quality=75, subsampling=0))
    frame = content.index(b"\xff\xc0")
    content[frame + 14] = 0x11
    content[frame + 11] = 0x31  # three luma blocks for each of chroma: no common name
    with pytest.raises(ValueError, match="subsampling"):
        simplejpeg.decode_jpeg_header(bytes(content))

    pixels = decode_image(bytes(content), limit_px=LIMIT_PX).pixels

    assert (pixels == read_by_opencv(bytes(content))).all()


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_truncated_file_is_refused(tmp_path, share):
    content = write(tmp_path, quality=90)

    with pytest.raises(UnreadableImage, match="truncated"):
        decode_image(content[: int(share * len(content))], limit_px=LIMIT_PX)
