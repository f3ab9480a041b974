"""Labels become training images as long as the bytes are those that a person saw."""

import hashlib
import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from db.labels import Label
from tests.pictures import write_pictures
from training.images import LabelledImage
from training.labels import check_labels, labelled_images

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def label(path: Path, value: int, *, sha256: str | None = None, hours: int = 0) -> Label:
    content = sha256 or hashlib.sha256(path.read_bytes()).hexdigest()
    return Label(str(path), content, value, "ann", NOON + timedelta(hours=hours))


def test_a_label_becomes_an_image_of_the_source_reviewed(tmp_path: Path) -> None:
    (picture,) = write_pictures(tmp_path, 1)
    given = label(picture, 1)

    assert labelled_images([given]) == [LabelledImage(picture, 1, "reviewed", group=given.sha256)]


def test_the_newest_label_counts_in_whatever_order_they_come(tmp_path: Path) -> None:
    (picture,) = write_pictures(tmp_path, 1)

    images = labelled_images([label(picture, 0, hours=2), label(picture, 1)])

    assert [image.label for image in images] == [0]


def test_missing_and_changed_files_are_named_and_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kept, changed, gone = write_pictures(tmp_path, 3)
    rows = [label(path, 1) for path in (kept, changed, gone)]
    changed.write_bytes(b"other bytes")
    gone.unlink()

    checked = check_labels(rows)
    with caplog.at_level(logging.WARNING):
        images = labelled_images(rows)

    assert [image.path for image in images] == [kept]
    assert (checked.missing, checked.changed) == ([str(gone)], [str(changed)])
    assert f"1 labelled files are gone or cannot be read and are left out: {gone}" in caplog.text
    assert str(changed) in caplog.text
