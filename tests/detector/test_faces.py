import csv
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

from detector.boxes import overlap
from detector.faces import FaceFinder
from detector.finder import open_finder
from detector.golden import golden_views
from fakesweep.errors import SettingError

SAMPLE = 12


@pytest.fixture(scope="module")
def finder():
    return FaceFinder()


def read(path):
    return cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)


def read_manifest(folder):
    with (folder / "MANIFEST.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def pick(folder, source, count=SAMPLE):
    """Every so-manieth picture of a source."""
    rows = [row["path"] for row in read_manifest(folder) if row["source"] == source]
    return [read(folder / path) for path in rows[:: max(1, len(rows) // count)][:count]]


SOURCES = (
    "celeba",
    "ciplab",
    "dfdc_faces_224",
    "generated_photos",
    "hard_stylegan2",
    "lfw",
    "stable_diffusion_21",
    "stylegan_ffhq_256",
    "utkface",
)
CHANGES = {
    "none": lambda pixels: pixels,
    "jpeg 75": lambda pixels: cv2.imdecode(cv2.imencode(".jpg", pixels, [1, 75])[1], 1),
    "half": lambda pixels: cv2.resize(pixels, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA),
    "turned": lambda pixels: cv2.rotate(pixels, cv2.ROTATE_90_CLOCKWISE),
    "upside down": lambda pixels: cv2.rotate(pixels, cv2.ROTATE_180),
}


@pytest.mark.parametrize("change", CHANGES)
def test_of_a_hundred_faces_of_all_sources_at_most_one_is_missed(test_data, finder, change):
    pictures = [pixels for source in SOURCES for pixels in pick(test_data, source)]

    found = [bool(finder.find(CHANGES[change](pixels))) for pixels in pictures]

    assert len(found) == SAMPLE * len(SOURCES)
    assert found.count(False) <= 1


def test_almost_no_picture_of_animals_and_things_has_a_face(test_data, finder):
    pictures = pick(test_data, "no_face", 35)

    assert len(pictures) == 35
    assert sum(bool(finder.find(pixels)) for pixels in pictures) <= 2


def test_the_box_turns_with_the_picture(test_data, finder):
    (pixels,) = pick(test_data, "stylegan_ffhq_256", 1)
    left, top, right, bottom = finder.find(pixels)[0].box

    turned = finder.find(cv2.rotate(pixels, cv2.ROTATE_90_CLOCKWISE))[0].box

    height = pixels.shape[0]
    expected = np.array([[height - bottom, left, height - top, right]], dtype=float)
    assert overlap(np.array(turned, dtype=float), expected)[0] > 0.6


@pytest.mark.parametrize("face_px", [40, 60, 100])
def test_small_faces_of_a_large_group_picture_are_found(test_data, finder, face_px):
    canvas = cv2.resize(read(next((test_data / "no_face").glob("*bucket*"))), (1280, 960))
    places = [(100, 150), (600, 120), (1000, 200), (200, 600), (650, 650), (1050, 600)]
    for (x, y), pixels in zip(places, pick(test_data, "celeba", len(places)), strict=True):
        box = finder.find(pixels)[0].box
        factor = face_px / max(box[2] - box[0], box[3] - box[1])
        small = cv2.resize(pixels, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        canvas[y : y + small.shape[0], x : x + small.shape[1]] = small

    faces = finder.find(canvas)

    assert len(faces) == len(places)


def test_the_largest_face_comes_first_and_boxes_lie_inside(test_data, finder):
    small, large = pick(test_data, "celeba", 2)
    large = cv2.resize(large, (356, 436))
    pixels = np.full((500, 700, 3), 90, dtype=np.uint8)
    pixels[20:456, 300:656] = large
    pixels[20:238, 20:198] = small

    first, second = finder.find(pixels)

    assert first.box[0] > 300 > second.box[2]
    for face in (first, second):
        left, top, right, bottom = face.box
        assert 0 <= left < right <= 700
        assert 0 <= top < bottom <= 500
        assert 0 < face.found <= 1


def test_threads_find_the_same_as_one(test_data, finder):
    pictures = pick(test_data, "lfw", 8)
    alone = [finder.find(pixels) for pixels in pictures]

    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(finder.find, pictures * 4))

    assert together == alone * 4


@pytest.mark.parametrize("size", [(1, 1), (15, 400), (16, 16), (16, 4000), (2000, 17)])
def test_a_picture_of_any_shape_is_looked_at(finder, size):
    noise = np.random.default_rng(1).integers(0, 256, (*size, 3), dtype=np.uint8)

    assert finder.find(noise) == []


def test_a_blank_picture_has_no_face(finder):
    assert finder.find(np.full((400, 600, 3), 127, dtype=np.uint8)) == []


def test_patterns_have_no_face(finder):
    drawn = dict(golden_views())

    for name in ("gradient", "checkers", "noise"):
        assert finder.find(drawn[name]) == [], name


def test_blazeface_looks_where_no_other_finder_is_named():
    assert open_finder(None).name == "blaze"


def test_a_missing_yunet_file_is_one_line(tmp_path):
    with pytest.raises(SettingError, match="FAKESWEEP_YUNET_FILE") as caught:
        open_finder(tmp_path / "yunet.onnx")

    assert "which is no file" in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"no network at all", b"\x08\x07\x12\x04test" * 9])
def test_a_file_that_is_no_yunet_is_one_line(tmp_path, content):
    path = tmp_path / "yunet.onnx"
    path.write_bytes(content)

    with pytest.raises(SettingError, match="does not read as one") as caught:
        open_finder(path)

    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
