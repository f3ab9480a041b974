"""Promote a published version, and go back to the one before.

`MODEL_DIR/current` names the current version; `MODEL_DIR/history` lists the former ones, the latest
last. Both are replaced whole.
"""

import logging
from pathlib import Path

from detector.registry import CURRENT_FILE, PublishedModel, find_model, verify_model
from fakesweep.errors import ModelError
from training.files import sync_folder, write_text

log = logging.getLogger(__name__)

HISTORY_FILE = "history"


def promote(model_dir: Path, version: str) -> PublishedModel:
    """Make a version the current one, after its file was checked against its card.

    Raises:
        ModelError: The version is unknown, its file was altered, or the folder cannot be written;
            nothing changes then.
    """
    model = find_model(model_dir, version)
    verify_model(model)
    former = _read_former(model_dir, version)
    try:
        current = find_model(model_dir).version
    except ModelError as error:  # none yet, or it is gone: nothing to go back to
        log.info("no former version: %s", error)
    else:
        if current != version:
            former.append(current)
    _write(model_dir, version, former)
    return find_model(model_dir, version)


def rollback(model_dir: Path) -> PublishedModel:
    """Promote the version that was current before.

    Raises:
        ModelError: No version was current before, or that one is gone or altered; nothing changes
            then.
    """
    former = _read_former(model_dir, None)
    current = (model_dir / CURRENT_FILE).read_text().strip() if former else None
    while former and former[-1] == current:
        former.pop()
    if not former:
        raise ModelError(f"no former version in {model_dir}: nothing to go back to")
    version = former.pop()
    verify_model(find_model(model_dir, version))
    _write(model_dir, version, former)
    return find_model(model_dir, version)


def _read_former(model_dir: Path, promoted: str | None) -> list[str]:
    try:
        return (model_dir / HISTORY_FILE).read_text().split()
    except FileNotFoundError:
        return []


def _write(model_dir: Path, version: str, former: list[str]) -> None:
    try:
        model_dir.mkdir(parents=True, exist_ok=True)
        # The history first: cut short between the two, it names the current version, which a
        # roll-back passes over.
        write_text(model_dir / HISTORY_FILE, "".join(f"{name}\n" for name in former))
        write_text(model_dir / CURRENT_FILE, f"{version}\n")
        sync_folder(model_dir)
    except OSError as error:
        raise ModelError(f"cannot promote {version} in {model_dir}: {error}") from error
