"""A URI leads back to what it names: a file, an object, or a member of an archive."""

import os
from pathlib import Path

import pytest

from fakesweep.uri import is_archive, is_remote, path_of_uri, split_member, uri_of_name, uri_of_path


@pytest.mark.parametrize(
    ("uri", "parts"),
    [
        ("/a/b.jpg", None),
        ("/a/b.zip", None),
        ("/a/b.zip!/", None),
        ("/a/hey!/b.jpg", None),
        ("/a/b.zip!/c/d.jpg", ("/a/b.zip", "c/d.jpg")),
        ("/a/b.TAR.GZ!/c.jpg", ("/a/b.TAR.GZ", "c.jpg")),
        ("s3://a/b.tar!/c.zip!/d.jpg", ("s3://a/b.tar!/c.zip", "d.jpg")),
        ("/a/b.zip!/wow!/d.jpg", ("/a/b.zip", "wow!/d.jpg")),
    ],
)
def test_a_member_is_told_by_its_archive(uri: str, parts: tuple[str, str] | None) -> None:
    assert split_member(uri) == parts


def test_a_folder_that_looks_like_an_archive_with_members_is_named_otherwise(
    tmp_path: Path,
) -> None:
    path = tmp_path / "b.zip!" / "c.jpg"

    uri = uri_of_path(str(path))

    assert split_member(uri) is None
    assert path_of_uri(uri) == str(path)


def test_names_as_people_write_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "odd.zip!").mkdir()
    (tmp_path / "odd.zip!" / "x.jpg").touch()
    monkeypatch.chdir(tmp_path)

    assert uri_of_name("a.jpg") == f"{tmp_path}/a.jpg"
    assert uri_of_name("a.jpg", "/b") == "/b/a.jpg"
    assert uri_of_name("s3://b/a.jpg", "/b") == "s3://b/a.jpg"
    assert uri_of_name("c.zip!/a.jpg") == f"{tmp_path}/c.zip!/a.jpg"
    assert uri_of_name("odd.zip!/x.jpg") == f"file://{tmp_path}/odd.zip%21/x.jpg"


def test_an_archive_whose_name_is_no_text_has_members(tmp_path: Path) -> None:
    archive = uri_of_path(str(tmp_path / os.fsdecode(b"\xff.zip")))

    outer, inner = split_member(f"{archive}!/a.jpg") or ("", "")

    assert path_of_uri(outer) == str(tmp_path / os.fsdecode(b"\xff.zip"))
    assert inner == "a.jpg"


def test_what_is_remote_and_what_is_an_archive() -> None:
    assert [
        is_remote(uri) for uri in ("s3://a", "https://a/b", "/a", "file:///a", "a://b.zip")
    ] == [
        True,
        True,
        False,
        False,
        True,
    ]
    assert [is_archive(name) for name in ("a.zip", "A.TGZ", "a.tar.zst", "a.gz", "zip")] == [
        True,
        True,
        True,
        False,
        False,
    ]
