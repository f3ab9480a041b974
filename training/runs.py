"""A run folder: what a training run was asked for and what it leaves.

It holds `model.keras`, `run.json` (the facts of the card), `metrics.json`, `confusion_matrix.png`,
`roc.png`, `scores.png`, and the checkpoint and views that a resumed run goes on from.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from fakesweep.errors import TrainingError
from training.cnn import ARCHITECTURES
from training.draft import ARTEFACT
from training.files import write_text
from training.fit import FitOptions
from training.load import SIDE_PX

CHECKPOINT, OPTIONS, RUN = "checkpoint.npz", "options.json", "run.json"


@dataclass(frozen=True)
class TrainOptions:
    """What to train on, where to, and how."""

    output: Path
    real: list[Path] = field(default_factory=list)
    fake: list[Path] = field(default_factory=list)
    manifest: Path | None = None
    arch: str = "cnn"
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
    record = json.loads(json.dumps(asdict(options), default=lambda path: str(path.resolve())))
    path = options.output / OPTIONS
    try:
        options.output.mkdir(parents=True, exist_ok=True)
        if options.resume:
            _check_same(path, record)
        elif any(options.output.iterdir()):
            raise TrainingError(f"{options.output} is not empty: name another folder, or --resume")
        write_text(path, json.dumps(record, indent=2))
    except OSError as error:
        raise TrainingError(f"cannot write the run folder {options.output}: {error}") from error


def save_model(model: Any, options: TrainOptions) -> Path:
    """Write the network without its optimizer, so that the file holds what scoring needs alone."""
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
    for name in ("arch", "val_share", "real", "fake", "manifest"):
        if before.get(name) != record[name]:
            raise TrainingError(
                f"{path.parent} was begun with another {name}: expected {before.get(name)};"
                f" received: {record[name]}"
            )
