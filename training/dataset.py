"""Find labelled images: directories of real and of fake images, or a manifest."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from fakesweep.errors import TrainingError
from training.images import Dataset, LabelledImage, source_name
from training.manifest import read_manifest

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


def find_dataset(
    real: Iterable[Path] = (), fake: Iterable[Path] = (), manifest: Path | None = None
) -> Dataset:
    """Find the labelled images of directories, of a manifest, or of directories that a manifest
    describes.

    With both, the directories say which images there are and their class, and the manifest only
    adds source, group and split.

    Raises:
        TrainingError: A directory or the manifest is missing or empty, a label is neither 0 nor 1,
            or a class has no image.
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
