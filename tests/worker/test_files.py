"""A file is read whole and within its limits, or the reason is told."""

import os
from pathlib import Path

import pytest

from fakesweep.errors import ImageError
from fakesweep.uri import path_of_uri, uri_of_path
from worker.files import read_file


def test_a_file_is_read_with_its_facts(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"\xff name.jpg")
    path.write_bytes(b"x" * 3_000_000)
    os.utime(path, (7, 7.5))

    uri = uri_of_path(str(path))
    content, facts = read_file(path_of_uri(uri), limit_bytes=3_000_000)

    assert (content, facts.st_size, facts.st_mtime) == (b"x" * 3_000_000, 3_000_000, 7.5)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("gone.jpg", "missing"),
        ("file.jpg/below.jpg", "missing"),
        ("file://%00", "missing"),
        ("folder", "unsupported"),
        ("pipe.jpg", "unsupported"),
        ("large.jpg", "too_large"),
        ("/proc/self/maps", "too_large"),  # says that it has no bytes, and has many
    ],
)
def test_what_cannot_be_read_has_its_code(tmp_path: Path, name: str, code: str) -> None:
    (tmp_path / "file.jpg").write_bytes(b"x")
    (tmp_path / "large.jpg").write_bytes(b"x" * 11)
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe.jpg")
    uri = name if name.startswith("file:") else str(tmp_path / name)

    with pytest.raises(ImageError) as caught:
        read_file(path_of_uri(uri), limit_bytes=10)

    assert caught.value.code == code


def test_a_file_that_may_not_be_read_is_forbidden(tmp_path: Path) -> None:
    path = tmp_path / "closed.jpg"
    path.touch(mode=0o000)
    if os.access(path, os.R_OK):
        pytest.skip("root may read every file")

    with pytest.raises(ImageError) as caught:
        read_file(str(path), limit_bytes=10)

    assert caught.value.code == "forbidden"
