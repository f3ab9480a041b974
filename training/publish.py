"""Publish a model: an immutable version folder with the model file and its card, or nothing at all.

The folder is written under a temporary name, proved by a fresh process, and only then renamed.
"""

import json
import logging
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from detector.card import VERSION_PATTERN, ModelCard, write_card
from detector.model import load_detector
from detector.registry import BUILTIN_DIR, CARD_FILE, PublishedModel, find_model
from fakesweep.errors import ModelError
from training.draft import ARTEFACT, as_published, bare_fields, draft_card, run_fields
from training.files import sync_folder
from training.prove import score_golden
from training.runs import RUN

log = logging.getLogger(__name__)

ROOT = Path(__file__).resolve().parent.parent


def publish(
    source: Path,
    model_dir: Path,
    *,
    version: str | None = None,
    description: str | None = None,
    limits: Sequence[str] = (),
    thresholds: tuple[float, float] | None = None,
    recipe: str | None = None,
) -> PublishedModel:
    """Publish a run folder or a bare `.keras` file into a registry folder.

    Args:
        version: Its name; by default the architecture and the next free number, such as `cnn-3`.
        limits: Sentences to add to those that the run's own figures give.
        thresholds: `(real_threshold, fake_threshold)` for a bare file; 0.5 and 0.5 by default.
        recipe: The command that makes this model again.

    Raises:
        ModelError: The version exists or is no name, the file is no model, its golden scores cannot
            be repeated, or the folder cannot be written; nothing is published then.
    """
    file, run = _open_source(source)
    if thresholds is not None and run is not None:
        raise ModelError("thresholds of a run are chosen by its evaluation: give none")
    version = version or _next_version(model_dir, run["architecture"] if run else "model")
    _check_version(model_dir, version)
    facts = run_fields(run, recipe) if run else bare_fields(thresholds)
    card = draft_card(file, version, **facts)
    card = card.model_copy(
        update={
            "artefact": card.artefact.model_copy(update={"file": ARTEFACT}),
            "description": description or card.description,
            "limits": [*card.limits, *limits],
        }
    )
    partial = model_dir / f".{version}.partial-{os.getpid()}"
    try:
        partial.mkdir(parents=True)
        shutil.copyfile(file, partial / ARTEFACT)
        _write_golden(partial, card)
        _sync_files(partial)
        _prove(partial)
        partial.rename(model_dir / version)
        sync_folder(model_dir)
    except OSError as error:
        raise ModelError(
            f"cannot publish {version} into {model_dir}: {error.strerror or error}"
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    log.info("published %s in %s", version, model_dir)
    return find_model(model_dir, version)


def _open_source(source: Path) -> tuple[Path, dict[str, Any] | None]:
    if source.is_dir():
        file, facts = source / ARTEFACT, source / RUN
        for path in (file, facts):
            if not path.is_file():
                raise ModelError(
                    f"{source} is no finished run: {path.name} is missing;"
                    " finish it with `fakesweep train --resume`"
                )
        try:
            return file, json.loads(facts.read_text())
        except (OSError, ValueError) as error:
            raise ModelError(f"cannot read {facts}: {error}") from error
    if not source.is_file():
        raise ModelError(f"no such run folder or model file: {source}")
    if source.suffix != ".keras":
        raise ModelError(f"{source}: expected a run folder or a .keras file")
    return source, None


def _next_version(model_dir: Path, architecture: str) -> str:
    number = 1
    while _taken(model_dir, f"{architecture}-{number}") is not None:
        number += 1
    return f"{architecture}-{number}"


def _taken(model_dir: Path, version: str) -> Path | None:
    for folder in (model_dir / version, BUILTIN_DIR / version):
        if folder.exists():
            return folder
    return None


def _check_version(model_dir: Path, version: str) -> None:
    if not re.match(VERSION_PATTERN, version):
        raise ModelError(
            "a version is letters, digits, '.', '_' and '-', at most 64, and begins with a letter"
            f" or digit; received: {version!r}"
        )
    taken = _taken(model_dir, version)
    if taken is not None:
        raise ModelError(
            f"version {version} exists already: {taken};"
            " published versions never change: name another"
        )


def _write_golden(folder: Path, card: ModelCard) -> None:
    scores = score_golden(load_detector(as_published(folder, card)))
    golden = [{"name": name, "score": round(score, 6)} for name, score in scores.items()]
    write_card(folder / CARD_FILE, ModelCard.model_validate(card.model_dump() | {"golden": golden}))


def _sync_files(folder: Path) -> None:
    for path in folder.iterdir():
        with path.open("rb") as stream:
            os.fsync(stream.fileno())
    sync_folder(folder)


def _prove(folder: Path) -> None:
    command = [sys.executable, "-m", "training.prove", str(folder.resolve())]
    # S603: the command holds this interpreter and a path of ours, nothing that a shell reads.
    done = subprocess.run(  # noqa: S603
        command, cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        reason = (done.stdout.strip() or done.stderr.strip() or "no reason given").splitlines()[-1]
        raise ModelError(f"not published: a fresh process could not prove the model: {reason}")
