"""Finding labelled images, and what bad input gets."""

import csv
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fakesweep.errors import TrainingError
from training.dataset import find_dataset
from training.images import source_name
from training.load import load_facts

MANIFEST_HEAD = "path,label,source,group,split\n"


def write_manifest(folder: Path, text: str) -> Path:
    path = folder / "manifest.csv"
    path.write_text(text)
    return path


def test_directories_give_labels_in_a_stable_order(pictures):
    found = find_dataset([pictures / "real"], [pictures / "fake"])

    assert [image.label for image in found.images] == [0] * 20 + [1] * 20
    assert [image.path.name for image in found.images[:3]] == ["000.jpg", "001.jpg", "002.jpg"]
    assert {image.source for image in found.images} == {pictures.name}


@pytest.mark.parametrize(
    ("folder", "source"),
    [
        ("faces/celeba/real", "celeba"),
        ("faces/ciplab/training_fake", "ciplab"),
        ("faces/celeba", "celeba"),
        ("sets/realistic", "realistic"),
        ("sets/lfw/0", "lfw"),
    ],
)
def test_a_source_is_the_folder_that_tells_sets_apart(folder, source, tmp_path):
    assert source_name(tmp_path / folder) == source


def test_manifest_rows_without_a_label_are_counted_and_left_out(pictures):
    manifest = pictures / "some.csv"
    manifest.write_text("path,label,source\nreal/000.jpg,0,a\nfake/000.jpg,1,b\nfake/001.jpg,,b\n")

    found = find_dataset(manifest=manifest)

    assert found.without_label == 1
    assert [(image.label, image.source) for image in found.images] == [(0, "a"), (1, "b")]


def test_a_manifest_beside_directories_only_describes_their_images(pictures):
    manifest = pictures / "described.csv"
    manifest.write_text(MANIFEST_HEAD + "real/000.jpg,1,lfw,person-1,val\n")

    found = find_dataset([pictures / "real"], [pictures / "fake"], manifest)

    first, second = found.images[:2]
    assert (first.label, first.source, first.group, first.split) == (0, "lfw", "person-1", "val")
    assert (second.source, second.group, second.split) == (pictures.name, None, None)
    assert len(found.images) == 40


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("path,source\na.jpg,x\n", "column label is missing; received: path, source"),
        ("", "column label, path is missing; received: an empty file"),
        ("path,label\nreal/000.jpg,2\n", "line 2: a label is 0 (real) or 1 (fake); received: '2'"),
        ("path,label\nnowhere.jpg,1\n", "1 of 1 listed files do not exist"),
        ("path,label\nreal/000.jpg,0\n", "no fake image among 1"),
    ],
)
def test_a_bad_manifest_is_one_clear_line(text, expected, pictures):
    manifest = write_manifest(pictures, text)

    with pytest.raises(TrainingError) as caught:
        find_dataset(manifest=manifest)

    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_bad_directories_are_one_clear_line(pictures, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    cases = [
        (([], []), "no training data named"),
        (([pictures / "real"], []), "no fake image among 20"),
        (([tmp_path / "none"], [pictures / "fake"]), f"no such directory: {tmp_path / 'none'}"),
        (([empty], [pictures / "fake"]), f"no image in {empty}"),
    ]

    for (real, fake), expected in cases:
        with pytest.raises(TrainingError) as caught:
            find_dataset(real, fake)
        assert expected in str(caught.value)

    with pytest.raises(TrainingError, match="cannot read the manifest"):
        find_dataset(manifest=tmp_path / "none.csv")


def test_unreadable_images_are_named_and_more_than_half_are_refused(pictures, tmp_path):
    broken = tmp_path / "real"
    broken.mkdir()
    for number in range(3):
        (broken / f"{number}.jpg").write_bytes(b"no image")
    few = find_dataset([broken], [pictures / "fake"]).images
    most = [image for image in few if image.label == 0] + few[-2:]

    facts = load_facts(few, tmp_path)

    assert sum(fact.error is not None for fact in facts) == 3
    assert str(broken / "0.jpg") in facts[0].error
    with pytest.raises(TrainingError, match="3 of 5 training images cannot be read"):
        load_facts(most, tmp_path)


def test_a_parquet_manifest_reads_as_its_csv_twin(pictures, tmp_path):
    rows = [
        {"path": str(pictures / name), "label": label, "source": "pair", "group": None}
        for label, name in ((0, "real/000.jpg"), (1, "fake/000.jpg"), (None, "real/001.jpg"))
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "images.parquet")
    with (tmp_path / "images.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)

    twin = find_dataset(manifest=tmp_path / "images.csv")

    assert find_dataset(manifest=tmp_path / "images.parquet") == twin
    assert (len(twin.images), twin.without_label) == (2, 1)


def test_a_parquet_manifest_without_labels_is_one_clear_line(tmp_path):
    pq.write_table(pa.table({"path": ["a.jpg"]}), tmp_path / "images.parquet")

    with pytest.raises(TrainingError, match="column label is missing; received: path"):
        find_dataset(manifest=tmp_path / "images.parquet")
