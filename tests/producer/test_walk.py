"""Every image of a source is found once, under a name that leads back to it."""

import os
from pathlib import Path
from typing import Any

import pytest

from fakesweep.errors import SourceError
from fakesweep.uri import path_of_uri
from producer.findings import Findings
from producer.sources import Sources, named_sources
from producer.walk import find_images
from tests.pictures import write_picture
from worker.archive import ArchiveLimits

LIMITS = ArchiveLimits(members=1000, unpacked_bytes=2**30, ratio=200, depth=3)


def found(*paths: Path, files_from: Path | None = None, **policy: Any) -> list[str]:
    names, _ = found_and_noted(*paths, files_from=files_from, **policy)
    return names


def found_and_noted(
    *paths: Path, files_from: Path | None = None, **policy: Any
) -> tuple[list[str], Findings]:
    findings = Findings()
    sources = named_sources(
        [str(path) for path in paths], str(files_from) if files_from else None, **policy
    )
    sources = Sources.from_json(sources.to_json())
    images = [image for image in find_images(sources, findings, LIMITS) if image is not None]
    return sorted(path_of_uri(image.uri) for image in images), findings


def touch(path: Path, content: bytes = b"") -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return str(path)


def test_a_file_is_an_image_by_its_name_or_by_its_content(tmp_path: Path) -> None:
    named = touch(tmp_path / "broken.JPG", b"no image at all")
    by_content = str(write_picture(tmp_path / "x.png", 1).rename(tmp_path / "no_extension"))
    disguised = str(write_picture(tmp_path / "x.jpg", 1).rename(tmp_path / "notes.txt"))
    touch(tmp_path / "readme.txt", b"words")
    touch(tmp_path / "empty")

    names, findings = found_and_noted(tmp_path)

    assert names == sorted([named, by_content, disguised])
    assert findings.passed_over == 2


def test_a_named_file_always_counts(tmp_path: Path) -> None:
    words = touch(tmp_path / "readme.txt", b"words")

    assert found(Path(words)) == [words]


def test_hidden_names_count_only_when_asked_for(tmp_path: Path) -> None:
    touch(tmp_path / ".hidden.jpg")
    touch(tmp_path / ".folder/in.jpg")
    plain = touch(tmp_path / "plain.jpg")

    assert found(tmp_path) == [plain]
    assert len(found(tmp_path, hidden=True)) == 3


def test_links_are_followed_only_when_asked_for_and_circles_end(tmp_path: Path) -> None:
    real = touch(tmp_path / "real/a.jpg")
    (tmp_path / "link.jpg").symlink_to(real)
    (tmp_path / "real/circle").symlink_to(tmp_path)
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nowhere")
    (tmp_path / "loop.jpg").symlink_to(tmp_path / "loop.jpg")

    assert found(tmp_path) == [real]
    assert found(tmp_path, follow_symlinks=True) == sorted(
        [str(tmp_path / f"{name}.jpg") for name in ("gone", "link", "loop")] + [real]
    )


def test_globs_choose_files_and_leave_out_directories(tmp_path: Path) -> None:
    wanted = touch(tmp_path / "2024/a.jpg")
    touch(tmp_path / "2024/a.png")
    touch(tmp_path / "thumbs/a.jpg")
    touch(tmp_path / "2023/a.jpg")

    assert found(tmp_path, include=("*.jpg",), exclude=("thumbs", "2023/*")) == [wanted]


def test_a_source_inside_another_one_is_listed_once(tmp_path: Path) -> None:
    image = touch(tmp_path / "a/b/c.jpg")

    assert found(tmp_path, tmp_path / "a", tmp_path) == [image]


@pytest.mark.parametrize("separator", ["\n", "\0"])
def test_a_list_of_names_is_read(tmp_path: Path, separator: str) -> None:
    names = sorted([touch(tmp_path / "one.jpg"), touch(tmp_path / "two words.txt")])
    missing = str(tmp_path / "missing.jpg")
    listing = tmp_path / "names"
    listing.write_text(separator.join([*names, missing]))

    assert found(files_from=listing) == sorted([*names, missing])


def test_a_list_may_come_from_windows_or_hold_urls(tmp_path: Path) -> None:
    names = sorted(
        [touch(tmp_path / "one.jpg"), touch(tmp_path / "a b.jpg"), touch(tmp_path / "c.jpg")]
    )
    listing = tmp_path / "names"
    listing.write_bytes(
        b"\xef\xbb\xbf" + names[0].encode() + b"\r\n"
        + b"file://" + names[1].replace(" ", "%20").encode() + b"\r\nfile://localhost"
        + names[2].encode() + b"\r\n"
    )  # fmt: skip

    assert found(files_from=listing) == names


def test_relative_names_of_a_list_begin_where_the_scan_began(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = touch(tmp_path / "in/a.jpg")
    (tmp_path / "names").write_text("a.jpg\n")
    monkeypatch.chdir(tmp_path / "in")
    sources = named_sources([], str(tmp_path / "names"))
    monkeypatch.chdir("/")

    images = [image for image in find_images(sources, Findings(), LIMITS) if image]

    assert [found.uri for found in images] == [image]


def test_a_name_above_a_link_is_the_file_systems(tmp_path: Path) -> None:
    far = touch(tmp_path / "far/x.jpg")
    touch(tmp_path / "x.jpg")
    (tmp_path / "far/below").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "far/below")

    assert found(tmp_path / "link/../x.jpg") == [far]


def test_a_name_that_no_file_can_have_is_still_a_row(tmp_path: Path) -> None:
    listing = tmp_path / "names"
    listing.write_text("file:///nowhere/a%00b\n")

    assert found(files_from=listing) == ["/nowhere/a\0b"]


@pytest.mark.parametrize("content", [b"x" * 20_000, b"/a/b\n" * 20_000 + b"\0"])
def test_what_is_no_list_of_names_is_refused(tmp_path: Path, content: bytes) -> None:
    listing = tmp_path / "names"
    listing.write_bytes(content)

    with pytest.raises(SourceError, match="separated by newlines"):
        found(files_from=listing)


def test_a_named_file_counts_inside_a_named_directory_too(tmp_path: Path) -> None:
    hidden = touch(tmp_path / ".hidden.jpg")

    assert found(tmp_path, Path(hidden)) == [hidden]


def test_names_of_a_long_list_are_not_cut_where_blocks_end(tmp_path: Path) -> None:
    names = [f"/nowhere/{number:05}/{'x' * 40}.jpg" for number in range(5000)]
    listing = tmp_path / "names"
    listing.write_text("\n".join(names) + "\n")

    assert found(files_from=listing) == names


def test_strange_names_lead_back_to_their_files(tmp_path: Path) -> None:
    strange = [
        "new\nline.jpg",
        "-dash.jpg",
        "=1+1.jpg",
        "漢 ü%20.jpg",
        os.fsdecode(b"\xff\xfe.jpg"),
    ]
    for name in strange:
        (tmp_path / name).write_bytes(b"")

    names = found(tmp_path)

    assert names == sorted(str(tmp_path / name) for name in strange)
    assert all(Path(name).exists() for name in names)


def test_pipes_and_devices_are_passed_over(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")

    names, findings = found_and_noted(tmp_path)

    assert names == []
    assert findings.passed_over == 1


def test_a_path_too_long_for_the_ledger_is_reported(tmp_path: Path) -> None:
    folder = tmp_path
    here = Path.cwd()
    try:
        for _ in range(14):  # deeper than one call may name
            os.chdir(folder)
            folder = Path("d" * 200)
            folder.mkdir()
        os.chdir(folder)
        Path("deep.jpg").write_bytes(b"")
    finally:
        os.chdir(here)

    names, findings = found_and_noted(tmp_path)

    assert names == []
    assert findings.problem_count == 1
    assert "too long" in findings.problems[0]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("nowhere", "does not exist"),
        ("nowhere://bucket/photos", "unknown scheme nowhere://"),
        ("pipe", "neither a directory nor a regular file"),
    ],
)
def test_a_wrong_source_is_refused_by_name(tmp_path: Path, source: str, message: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    given = source if "://" in source else str(tmp_path / source)

    with pytest.raises(SourceError, match=message) as caught:
        named_sources([given], None)

    assert given in str(caught.value)


def test_no_source_at_all_is_refused() -> None:
    with pytest.raises(SourceError, match="--files-from"):
        named_sources([], None)
