"""Find a model by any name that a person may use: a version, a run folder, a `.keras` file."""

import json
import re
from pathlib import Path
from typing import Any

from detector.card import read_card
from detector.registry import CARD_FILE, PublishedModel, find_model
from fakesweep.errors import ModelError
from training.draft import ARTEFACT, as_published, draft_card, run_fields
from training.runs import RUN

SUFFIX = ".keras"
LONGEST_NAME = 64


def gather_model(name: str, model_dir: Path) -> PublishedModel:
    """Find a version of the registry, a published folder, a run folder or a `.keras` file.

    A `.keras` file is taken as one that judges whole images, with nothing measured. A folder counts
    where it holds a run or a card; otherwise the name is looked for in the registry.

    Raises:
        ModelError: There is no such model, or its run or card cannot be read.
    """
    path = Path(name)
    if path.suffix == SUFFIX:
        return as_published(path.parent, draft_card(path, _as_version(path.stem)))
    if (path / RUN).is_file():
        run = read_run(path)
        card = draft_card(
            path / ARTEFACT, _as_version(path.resolve().name), **run_fields(run, None)
        )
        return as_published(path, card)
    if (path / CARD_FILE).is_file():
        return as_published(path, read_card(path / CARD_FILE))
    if path.is_dir() and len(path.parts) > 1:
        raise ModelError(f"{path} holds no model: neither {RUN} nor {CARD_FILE} is there")
    return find_model(model_dir, name)


def read_run(folder: Path) -> dict[str, Any]:
    """Read the facts of a finished run.

    Raises:
        ModelError: The run is not finished, or its facts are no JSON.
    """
    for path in (folder / ARTEFACT, folder / RUN):
        if not path.is_file():
            raise ModelError(
                f"{folder} is no finished run: {path.name} is missing;"
                " finish it with `fakesweep train --resume`"
            )
    try:
        facts: dict[str, Any] = json.loads((folder / RUN).read_text())
    except (OSError, ValueError) as error:
        raise ModelError(f"cannot read {folder / RUN}: {error}") from error
    return facts


def _as_version(name: str) -> str:
    return (
        re.sub(r"[^A-Za-z0-9._-]|^[^A-Za-z0-9]+", "-", name).lstrip("-._")[:LONGEST_NAME] or "model"
    )
