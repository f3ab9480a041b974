"""Find labelled images: directories of real and of fake images, or a manifest in CSV.

The **source** of an image is the set it comes from; metrics are reported per source. For a directory it is the directory's own
name, or its parent's where that name only says the class (`real`, `training_fake`, `1`, ...): `faces/celeba/real` is `celeba`.
"""

import csv
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from fakesweep.errors import TrainingError

SUFFIXES = frozenset(
    [
        ".jpg",
        ".jpeg",
        ".jpe",
        ".jfif",
        ".png",
        ".webp",
        ".bmp",
        ".dib",
        ".tif",
        ".tiff",
        ".gif",
        ".avif",
        ".jp2",
        ".pgm",
        ".ppm",
        ".pnm",
        ".heic",
        ".heif",
    ]
)
CLASS_WORD = re.compile(
    r"^(train|training|val|valid|validation|test)?[_\-. ]?(real|fake|0|1)s?$", re.IGNORECASE
)
LABELS = {"0": 0, "1": 1}


@dataclass(frozen=True)
class LabelledImage:
    """One image of known class; `group` and `split` only where a manifest gives them."""

    path: Path
    label: int
    source: str
    group: str | None = None
    split: str | None = None


@dataclass(frozen=True)
class Dataset:
    """The images in a stable order, and how many manifest rows had no label."""

    images: list[LabelledImage]
    without_label: int = 0


def find_dataset(
    real: Iterable[Path] = (), fake: Iterable[Path] = (), manifest: Path | None = None
) -> Dataset:
    """Find the labelled images of directories, of a manifest, or of directories that a manifest describes.

    With both, the directories say which images there are and their class, and the manifest only adds source, group and split.

    Raises:
        TrainingError: A directory or the manifest is missing or empty, a label is neither 0 nor 1, or a class has no image.
    """
    real, fake = list(real), list(fake)
    if not real and not fake and manifest is None:
        raise TrainingError("no training data named: give --real and --fake, or --manifest")
    listed = read_manifest(manifest) if manifest is not None else Dataset([])
    if real or fake:
        by_path = {image.path: image for image in listed.images}
        images = [
            _describe(image, by_path.get(image.path))
            for label, folders in ((0, real), (1, fake))
            for folder in folders
            for image in _walk(folder, label)
        ]
    else:
        images = listed.images
    _check_classes(images)
    return Dataset(images, listed.without_label)


def read_manifest(path: Path) -> Dataset:
    """Read a CSV file with the columns `path` and `label`, and `source`, `group` and `split` where present.

    Paths are relative to the manifest. Rows with an empty label are counted and left out.

    Raises:
        TrainingError: The file cannot be read, a column or a named file is missing, or a label is neither 0 nor 1.
    """
    images: list[LabelledImage] = []
    without_label = 0
    folder = path.resolve().parent
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            rows = csv.DictReader(stream)
            missing = {"path", "label"} - set(rows.fieldnames or ())
            if missing:
                raise TrainingError(
                    f"{path}: column {', '.join(sorted(missing))} is missing;"
                    f" received: {', '.join(rows.fieldnames or ()) or 'an empty file'}"
                )
            for line, row in enumerate(rows, start=2):
                label = (row["label"] or "").strip()
                if not label:
                    without_label += 1
                    continue
                if label not in LABELS:
                    raise TrainingError(
                        f"{path}, line {line}: a label is 0 (real) or 1 (fake); received: {label!r}"
                    )
                file = folder / row["path"]
                images.append(
                    LabelledImage(
                        path=file,
                        label=LABELS[label],
                        source=row.get("source") or source_name(file.parent),
                        group=row.get("group") or None,
                        split=row.get("split") or None,
                    )
                )
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise TrainingError(f"cannot read the manifest {path}: {error}") from error
    absent = [image.path for image in images if not image.path.is_file()]
    if absent:
        raise TrainingError(
            f"{path}: {len(absent)} of {len(images)} listed files do not exist; the first: {absent[0]}"
        )
    return Dataset(images, without_label)


def source_name(folder: Path) -> str:
    """Name the source of a directory: its own name, or its parent's where it only says the class."""
    folder = folder.resolve()
    return folder.parent.name if CLASS_WORD.match(folder.name) else folder.name


def _walk(folder: Path, label: int) -> list[LabelledImage]:
    if not folder.is_dir():
        raise TrainingError(f"no such directory: {folder}")
    source = source_name(folder)
    root = folder.resolve()
    images = [
        LabelledImage(path=path, label=label, source=source)
        for path in sorted(root.rglob("*"))
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()
    ]
    if not images:
        raise TrainingError(f"no image in {folder}: expected files such as .jpg, .png or .webp")
    return images


def _describe(image: LabelledImage, listed: LabelledImage | None) -> LabelledImage:
    if listed is None:
        return image
    return replace(image, source=listed.source, group=listed.group, split=listed.split)


def _check_classes(images: list[LabelledImage]) -> None:
    found = {image.label for image in images}
    for label, name in ((0, "real"), (1, "fake")):
        if label not in found:
            raise TrainingError(
                f"no {name} image among {len(images)} training images: both classes are needed"
            )
