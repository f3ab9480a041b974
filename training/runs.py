"""A run folder: what a training run was asked for and what it leaves.

The trainer writes `options.json`, `images.json` (what was found in each image), `labels.csv` (people's
labels, where asked for), `checkpoint.npz`, `model.keras` and `fit.json`; `training.assess` adds
`run.json` (the facts of the card), `metrics.json`, `report.html` and its pictures.
"""

import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import keras  # type: ignore[import-untyped]  # ships no annotations

from detector.views import FACE, NATIVE, WHOLE
from fakesweep.errors import TrainingError
from training.dataset import find_dataset
from training.draft import ARTEFACT
from training.files import write_text
from training.fit import FitOptions
from training.images import Dataset, LabelledImage
from training.load import SIDE_PX
from training.manifest import read_manifest
from training.networks import ARCHITECTURES, FIXED_SIZE
from training.prepare import Prepared, prepare
from training.weights import NONE

CHECKPOINT, OPTIONS, FIT, RUN = "checkpoint.npz", "options.json", "fit.json", "run.json"
LABELS = "labels.csv"
VIEWS = {WHOLE: [WHOLE], FACE: [FACE, NATIVE]}
"""What the network is shown, by the word of `--views`."""

BEGUN_WITH = ("arch", "val_share", "real", "fake", "manifest", "weights", "views")


@dataclass(frozen=True)
class TrainOptions:
    """What to train on, where to, and how."""

    output: Path
    real: list[Path] = field(default_factory=list)
    fake: list[Path] = field(default_factory=list)
    manifest: Path | None = None
    labelled: list[LabelledImage] = field(default_factory=list)
    arch: str = "lite"
    weights: str = NONE
    views: list[str] = field(default_factory=lambda: list(VIEWS[FACE]))
    val_share: float = 0.15
    resume: bool = False
    fit: FitOptions = field(default_factory=FitOptions)


def open_run(options: TrainOptions) -> None:
    """Make the run folder, or check that a run to resume was begun with the same data and network.

    Raises:
        TrainingError: The folder is in use, of another run, or cannot be written.
    """
    if options.arch not in ARCHITECTURES:
        raise TrainingError(
            f"--arch: expected one of {', '.join(ARCHITECTURES)}; received: {options.arch}"
        )
    if options.arch in FIXED_SIZE and options.fit.crop_px != SIDE_PX:
        raise TrainingError(
            f"--crop-px: {options.arch} takes views of {SIDE_PX} px only; received:"
            f" {options.fit.crop_px}"
        )
    record = json.loads(json.dumps(asdict(options), default=lambda path: str(path.resolve())))
    del record["labelled"]
    path = options.output / OPTIONS
    try:
        options.output.mkdir(parents=True, exist_ok=True)
        if options.resume:
            _check_same(path, record)
        elif any(options.output.iterdir()):
            raise TrainingError(f"{options.output} is not empty: name another folder, or --resume")
        if options.labelled and not options.resume:
            write_text(options.output / LABELS, _write_labels(options.labelled))
        write_text(path, json.dumps(record, indent=2))
    except OSError as error:
        raise TrainingError(f"cannot write the run folder {options.output}: {error}") from error


def find_images(output: Path, options: dict[str, Any]) -> Dataset:
    """Find the images of a run again, people's labels included.

    Raises:
        TrainingError: A directory, the manifest or a file is gone, or a class has no image.
    """
    dataset = find_dataset(
        [Path(folder) for folder in options["real"]],
        [Path(folder) for folder in options["fake"]],
        Path(options["manifest"]) if options["manifest"] else None,
    )
    labels = output / LABELS
    if not labels.is_file():
        return dataset
    labelled = read_manifest(labels).images
    said = {image.path for image in labelled}
    # What a person said about an image counts more than the folder that it lies in.
    others = [image for image in dataset.images if image.path not in said]
    return Dataset([*others, *labelled], dataset.without_label)


def prepare_run(
    output: Path,
    options: dict[str, Any],
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Prepared:
    """Prepare the data set of a run; what was found before is taken up.

    Raises:
        TrainingError: A directory, the manifest or too many files are gone.
    """
    return prepare(
        find_images(output, options),
        output,
        val_share=options["val_share"],
        seed=options["fit"]["seed"],
        threads=options["fit"]["threads"],
        progress=progress,
    )


def read_facts(path: Path) -> dict[str, Any]:
    """Read a JSON file of a run folder.

    Raises:
        TrainingError: It is missing or no JSON.
    """
    try:
        facts: dict[str, Any] = json.loads(path.read_text())
    except FileNotFoundError as error:
        raise TrainingError(
            f"{path.parent} is no fitted run: {path.name} is missing;"
            " finish it with `fakesweep train --resume`"
        ) from error
    except (OSError, ValueError) as error:
        raise TrainingError(f"cannot read {path}: {error}") from error
    return facts


def save_model(model: Any, options: TrainOptions) -> Path:
    """Write the network without its optimizer, so that the file holds what scoring needs alone."""
    keras.config.set_dtype_policy("float32")  # training may have mixed its precision
    bare = ARCHITECTURES[options.arch](SIDE_PX)
    bare.set_weights(model.get_weights())
    file = options.output / ARTEFACT
    partial = file.with_name(f".partial-{file.name}")
    try:
        bare.save(partial)
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)
    return file


def _check_same(path: Path, record: dict[str, Any]) -> None:
    if not path.is_file():
        raise TrainingError(f"nothing to resume in {path.parent}: it holds no {OPTIONS}")
    before = json.loads(path.read_text())
    for name in BEGUN_WITH:
        if before.get(name) != record[name]:
            raise TrainingError(
                f"{path.parent} was begun with another {name}: expected {before.get(name)};"
                f" received: {record[name]}"
            )


def _write_labels(images: Sequence[LabelledImage]) -> str:
    stream = io.StringIO()
    rows = csv.writer(stream, lineterminator="\n")
    rows.writerow(["path", "label", "source", "group"])
    rows.writerows([image.path, image.label, image.source, image.group or ""] for image in images)
    return stream.getvalue()
