"""Members of archives are swept like files; what is broken, locked or a bomb says so on its row."""

import bz2
import gzip
import io
import lzma
import os
import struct
import tarfile
import zipfile
from pathlib import Path

import pytest
import zstandard

from db.ledger import Ledger
from fakesweep.settings import Settings
from producer.sources import named_sources
from tests.pictures import write_picture, write_pictures
from tests.sweeping import finish, rows, sweep

PACKED = {
    ".tar": lambda content: content,
    ".tar.gz": gzip.compress,
    ".tbz2": bz2.compress,
    ".txz": lzma.compress,
    ".tar.zst": lambda content: zstandard.ZstdCompressor().compress(content),
}


def make_zip(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def make_tar(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(content), 1_600_000_000
            archive.addfile(info, io.BytesIO(content))
    return stream.getvalue()


@pytest.fixture
def pictures(tmp_path: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in write_pictures(tmp_path / "plain", 5)}


@pytest.fixture
def plain(ledger: Ledger, settings: Settings, tmp_path: Path, pictures: dict[str, bytes]) -> dict:
    """Verdicts of the same pictures as files, by name."""
    progress = sweep(ledger, settings, tmp_path / "plain")
    found = rows(ledger, progress.scan.id)
    return {Path(uri).name: (row["verdict"], row["score"]) for uri, row in found.items()}


def verdicts_of(ledger: Ledger, scan_id: int) -> dict:
    return {
        uri.rpartition("/")[2]: (row["verdict"], row["score"])
        for uri, row in rows(ledger, scan_id).items()
    }


@pytest.mark.parametrize("kind", [".zip", *PACKED])
def test_members_are_judged_as_files_are(
    ledger: Ledger,
    settings: Settings,
    tmp_path: Path,
    pictures: dict[str, bytes],
    plain: dict,
    kind: str,
) -> None:
    path = tmp_path / f"in/archive{kind}"
    path.parent.mkdir()
    members = {"./sub/" + name: content for name, content in pictures.items()}
    members |= {"notes.txt": b"words", ".hidden.jpg": b"", "no_suffix": pictures["0000.jpg"]}
    if kind == ".zip":
        make_zip(path, members)
    else:
        path.write_bytes(PACKED[kind](make_tar(members)))

    progress = sweep(ledger, settings, tmp_path / "in", rescan=True)

    assert verdicts_of(ledger, progress.scan.id) == {**plain, "no_suffix": plain["0000.jpg"]}
    assert set(rows(ledger, progress.scan.id)) == {
        *(f"{path}!/sub/{name}" for name in pictures),
        f"{path}!/no_suffix",
    }
    assert progress.scan.passed_over == 2


def test_unchanged_members_are_not_judged_again(
    ledger: Ledger, settings: Settings, tmp_path: Path, pictures: dict[str, bytes]
) -> None:
    (tmp_path / "in").mkdir()
    make_zip(tmp_path / "in/a.zip", pictures)
    (tmp_path / "in/b.tgz").write_bytes(gzip.compress(make_tar(pictures)))
    sweep(ledger, settings, tmp_path / "in")

    second = sweep(ledger, settings, tmp_path / "in")
    changed = {**pictures, "0001.jpg": pictures["0002.jpg"]}
    make_zip(tmp_path / "in/a.zip", changed)
    third = sweep(ledger, settings, tmp_path / "in")

    assert (second.scan.unchanged, second.judged) == (10, 0)
    assert (third.scan.unchanged, third.judged) == (9, 1)


def test_archives_inside_archives_to_a_depth(
    ledger: Ledger, settings: Settings, tmp_path: Path, pictures: dict[str, bytes], plain: dict
) -> None:
    inner = make_zip(tmp_path / "0.zip", {"0001.jpg": pictures["0001.jpg"]}).read_bytes()
    for depth in range(1, 4):
        outer = {"x.tar.gz": gzip.compress(make_tar({"in.zip": inner})), f"000{depth}.jpg": b""}
        inner = make_zip(tmp_path / f"{depth}.zip", {**outer, **pictures}).read_bytes()

    progress = sweep(ledger, settings, tmp_path / "1.zip")
    deeper = sweep(ledger, settings, tmp_path / "2.zip")

    assert verdicts_of(ledger, progress.scan.id) == plain
    assert f"{tmp_path}/1.zip!/x.tar.gz!/in.zip!/0001.jpg" in rows(ledger, progress.scan.id)
    failed = {
        uri: row["error_code"]
        for uri, row in rows(ledger, deeper.scan.id).items()
        if row["status"] == "failed"
    }
    assert failed == {f"{tmp_path}/2.zip!/x.tar.gz!/in.zip!/x.tar.gz": "too_large"}


def test_broken_archives_have_a_row_and_what_can_be_read_is_judged(
    ledger: Ledger, settings: Settings, tmp_path: Path, pictures: dict[str, bytes]
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    tar = make_tar(pictures)
    (folder / "words.zip").write_bytes(b"not a zip at all")
    (folder / "empty.tar").write_bytes(b"")
    (folder / "cut.tar").write_bytes(tar[: len(tar) // 2])
    (folder / "cut.tar.gz").write_bytes(gzip.compress(tar)[: len(tar) // 2])
    whole = make_zip(folder / "cut.zip", pictures).read_bytes()
    (folder / "cut.zip").write_bytes(whole[: len(whole) // 2])
    damaged = bytearray(make_zip(folder / "damaged.zip", pictures).read_bytes())
    damaged[200:300] = bytes(100)
    (folder / "damaged.zip").write_bytes(damaged)

    progress = sweep(ledger, settings, folder)

    found = rows(ledger, progress.scan.id)
    assert progress.scan.status == "done"
    codes = {uri[len(str(folder)) + 1 :]: row["error_code"] for uri, row in found.items()}
    for name in ("words.zip", "empty.tar", "cut.tar", "cut.tar.gz", "cut.zip"):
        assert codes[name] == "unreadable", name
    assert codes["cut.tar!/0000.jpg"] is None
    assert codes["damaged.zip!/0000.jpg"] == "unreadable"
    assert codes["damaged.zip!/0004.jpg"] is None
    assert "\n" not in str(found[f"{folder}/words.zip"]["error_message"])


def test_an_encrypted_member_has_its_code(
    ledger: Ledger, settings: Settings, tmp_path: Path, pictures: dict[str, bytes]
) -> None:
    path = make_zip(tmp_path / "locked.zip", pictures)
    content = bytearray(path.read_bytes())
    first = content.index(b"PK\x01\x02")
    content[first + 8] |= 1  # the flag in the directory of the archive
    content[6] |= 1  # and before the member
    path.write_bytes(content)

    progress = sweep(ledger, settings, path)

    codes = [row["error_code"] for row in rows(ledger, progress.scan.id).values()]
    assert sorted(map(str, codes)) == ["None"] * 4 + ["encrypted"]


def test_bombs_are_not_unpacked(ledger: Ledger, settings: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    write_picture(folder / "a.jpg", 1)
    zeros = bytes(300 * 1024 * 1024)
    make_zip(folder / "bomb.zip", {"a.jpg": zeros})
    (folder / "bomb.tar.gz").write_bytes(gzip.compress(make_tar({"a.jpg": zeros}), 1))
    lying = bytearray(
        make_zip(folder / "lies.zip", {"a.jpg": zeros[: 40 * 1024 * 1024]}).read_bytes()
    )
    first = lying.index(b"PK\x01\x02")
    struct.pack_into("<I", lying, first + 24, 1000)  # it says that it unpacks to 1000 bytes
    (folder / "lies.zip").write_bytes(lying)
    small = settings.model_copy(update={"limit_bytes": 1024 * 1024})

    progress = sweep(ledger, small, folder)

    codes = {
        uri[len(str(folder)) + 1 :]: row["error_code"]
        for uri, row in rows(ledger, progress.scan.id).items()
    }
    assert codes.pop("a.jpg") is None
    assert codes.pop("lies.zip!/a.jpg") in ("unreadable", "too_large")
    assert codes == {"bomb.zip": "too_large", "bomb.tar.gz": "too_large"}


def test_too_many_members_are_too_large(
    ledger: Ledger, settings: Settings, tmp_path: Path, pictures: dict[str, bytes]
) -> None:
    make_zip(tmp_path / "a.zip", pictures)
    (tmp_path / "b.tar").write_bytes(make_tar(pictures))
    few = settings.model_copy(update={"archive_members": 4})

    for name in ("a.zip", "b.tar"):
        progress = sweep(ledger, few, tmp_path / name)
        ((uri, row),) = rows(ledger, progress.scan.id).items()
        assert (uri, row["error_code"]) == (str(tmp_path / name), "too_large")
        assert "archive_members" in str(row["error_message"])


def test_without_archives_they_are_passed_over(
    ledger: Ledger, settings: Settings, tmp_path: Path, pictures: dict[str, bytes]
) -> None:
    make_zip(tmp_path / "plain/a.zip", pictures)

    from producer.scan import begin_scan

    opened = begin_scan(
        ledger,
        named_sources([str(tmp_path / "plain")], None, archives=False),
        settings=settings,
        model=None,
        rescan=False,
        priority="bulk",
    )
    progress = finish(ledger, settings, opened)

    assert (progress.scan.images, progress.scan.passed_over) == (5, 1)


def test_a_folder_that_is_named_like_an_archive_is_a_folder(
    ledger: Ledger, settings: Settings, tmp_path: Path
) -> None:
    pictures = write_pictures(tmp_path / "old.zip", 2) + write_pictures(tmp_path / "in/a.tar", 1)

    named = sweep(ledger, settings, tmp_path / "old.zip")
    walked = sweep(ledger, settings, tmp_path / "in")

    found = {**rows(ledger, named.scan.id), **rows(ledger, walked.scan.id)}
    assert set(found) == {str(path) for path in pictures}
    assert {row["status"] for row in found.values()} == {"done"}


def test_a_picture_that_is_named_like_an_archive_is_judged(
    ledger: Ledger, settings: Settings, tmp_path: Path
) -> None:
    write_picture(tmp_path / "a.jpg", 1).rename(tmp_path / "photo.zip")

    progress = sweep(ledger, settings, tmp_path / "photo.zip")

    ((uri, row),) = rows(ledger, progress.scan.id).items()
    assert (uri, row["status"], row["format"]) == (str(tmp_path / "photo.zip"), "done", "jpeg")


def test_names_that_are_no_text_and_links_inside_a_tar(
    ledger: Ledger, settings: Settings, tmp_path: Path, pictures: dict[str, bytes]
) -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", encoding="utf-8", errors="surrogateescape") as tar:
        info = tarfile.TarInfo(os.fsdecode(b"\xff.jpg"))
        info.size = len(pictures["0000.jpg"])
        tar.addfile(info, io.BytesIO(pictures["0000.jpg"]))
        for name, kind, target in (
            ("again.jpg", tarfile.LNKTYPE, info.name),
            ("link.jpg", tarfile.SYMTYPE, "/etc/passwd"),
            ("pipe.jpg", tarfile.FIFOTYPE, ""),
        ):
            link = tarfile.TarInfo(name)
            link.type, link.linkname = kind, target
            tar.addfile(link)
    (tmp_path / "a.tar").write_bytes(stream.getvalue())

    progress = sweep(ledger, settings, tmp_path / "a.tar")

    found = {uri.rpartition("!/")[2]: row for uri, row in rows(ledger, progress.scan.id).items()}
    assert set(found) == {"\\xff.jpg", "again.jpg"}
    assert found["again.jpg"]["score"] == found["\\xff.jpg"]["score"] is not None
