"""Keep a fit at rest: one `.npz` file that holds everything the next epoch needs."""

import io
import json
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fakesweep.errors import TrainingError
from training.files import write_bytes

Arrays = list[NDArray[Any]]


@dataclass
class Checkpoint:
    """What a fit carries from epoch to epoch.

    The averaged weights, the best of them, and one record per epoch.
    """

    average: Arrays
    best: Arrays | None = None
    best_value: float = -1.0
    best_epoch: int = -1
    history: list[dict[str, float]] = field(default_factory=list)


def write_checkpoint(path: Path, saved: Checkpoint, model: Any, optimizer: Any) -> None:
    """Replace the checkpoint file.

    Raises:
        TrainingError: The disk is full or the folder cannot be written; the former checkpoint
            stays.
    """
    facts = {
        "best_value": saved.best_value,
        "best_epoch": saved.best_epoch,
        "history": saved.history,
    }
    groups = {
        "average": saved.average,
        "best": saved.best or [],
        "model": [variable.numpy() for variable in _model_variables(model)],
        "optimizer": [variable.numpy() for variable in optimizer.variables],
    }
    arrays = {f"{name}.{i}": a for name, group in groups.items() for i, a in enumerate(group)}
    stream = io.BytesIO()
    np.savez(stream, facts=np.array(json.dumps(facts)), **arrays)
    try:
        write_bytes(path, stream.getvalue())
    except OSError as error:
        raise TrainingError(f"cannot write the checkpoint {path}: {error}") from error


def read_checkpoint(path: Path, model: Any, optimizer: Any) -> Checkpoint | None:
    """Put a checkpoint's weights into model and optimizer, and return the rest.

    None where there is no file.

    Raises:
        TrainingError: The file is damaged or of another network.
    """
    if not path.is_file():
        return None
    arrays, facts = _read(path)
    variables = {"model": _model_variables(model), "optimizer": list(optimizer.variables)}
    for name, group in variables.items():
        values = _group(arrays, name)
        if [value.shape for value in values] != [tuple(v.shape) for v in group]:
            raise TrainingError(f"the checkpoint {path} is of another network")
        for variable, value in zip(group, values, strict=True):
            variable.assign(value)
    return Checkpoint(_group(arrays, "average"), _group(arrays, "best") or None, **facts)


def count_epochs(path: Path) -> int:
    """Count the whole epochs behind a checkpoint, 0 where there is no file.

    Raises:
        TrainingError: The file is damaged.
    """
    return len(_read(path)[1]["history"]) if path.is_file() else 0


def _read(path: Path) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        return arrays, json.loads(str(arrays.pop("facts")))
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise TrainingError(f"cannot read the checkpoint {path}: {error}") from error


def _group(arrays: dict[str, NDArray[Any]], name: str) -> Arrays:
    count = sum(key.startswith(f"{name}.") for key in arrays)
    return [arrays[f"{name}.{i}"] for i in range(count)]


def _model_variables(model: Any) -> list[Any]:
    """List weights and random states (dropout), without the metrics that compiling adds."""
    return [variable for layer in model.layers for variable in layer.variables]
