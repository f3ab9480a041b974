"""Publish a model: an immutable version folder with the model file and its card, or nothing at all.

The folder is written under a temporary name, must beat the current version (`training.gate`), is proved
by a fresh process, and only then renamed.
"""

import logging
import os
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from detector.card import VERSION_PATTERN, ModelCard, write_card
from detector.engine import OPENVINO, TENSORFLOW
from detector.model import load_detector
from detector.registry import BUILTIN_DIR, CARD_FILE, PublishedModel, find_model
from fakesweep.errors import ModelError
from training.compare import compare_with_current
from training.draft import ARTEFACT, as_published, bare_fields, draft_card, run_fields
from training.files import sync_folder
from training.fresh import run_fresh
from training.gather import SUFFIX, read_run
from training.prove import score_golden
from training.serving import write_serving

log = logging.getLogger(__name__)


def publish(
    source: Path,
    model_dir: Path,
    *,
    version: str | None = None,
    description: str | None = None,
    limits: Sequence[str] = (),
    thresholds: tuple[float, float] | None = None,
    recipe: str | None = None,
    manifest: Path | None = None,
    force: bool = False,
    on_gate: Callable[[dict[str, Any]], None] | None = None,
) -> PublishedModel:
    """Publish a run folder or a bare `.keras` file into a registry folder.

    Args:
        version: Its name; by default the architecture and the next free number, such as `cnn-3`.
        limits: Sentences to add to those that the run's own figures give.
        thresholds: `(real_threshold, fake_threshold)` for a bare file; 0.5 and 0.5 by default.
        recipe: The command that makes this model again.
        manifest: Labelled images to compare on; by default those that a run held out.
        force: Publish what does not beat the current version; the card says so.
        on_gate: Gets the comparison with the current version, passed or not.

    Raises:
        ModelError: The version exists or is no name, the file is no model, it does not beat the current
            version, its golden scores cannot be repeated, or the folder cannot be written; nothing is
            published then.
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
        card = _describe_serving(partial, card)
        gate = compare_with_current(
            as_published(partial, card),
            model_dir,
            run_folder=source if run else None,
            manifest=manifest,
            undecided=thresholds is not None,
        )
        if on_gate is not None:
            on_gate(gate)
        card = _pass_gate(card, gate, force)
        write_card(partial / CARD_FILE, card)
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
        return source / ARTEFACT, read_run(source)
    if not source.is_file():
        raise ModelError(f"no such run folder or model file: {source}")
    if source.suffix != SUFFIX:
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


def _describe_serving(folder: Path, card: ModelCard) -> ModelCard:
    """Score the golden views by TensorFlow, and write the serving file if it repeats the scores."""
    detector = load_detector(as_published(folder, card), engine=TENSORFLOW)
    scores = score_golden(detector)
    golden = [{"name": name, "score": round(score, 6)} for name, score in scores.items()]
    card = ModelCard.model_validate(card.model_dump() | {"golden": golden})
    serving = write_serving(detector.engine.network, card.input.side_px, folder)
    if serving is None:
        return card
    served = card.model_copy(update={"serving": serving})
    try:
        load_detector(as_published(folder, served), engine=OPENVINO)
    except ModelError as error:
        log.warning("no serving file, TensorFlow will serve: %s", error)
        (folder / serving.file).unlink()
        return card
    return served


def _pass_gate(card: ModelCard, gate: dict[str, Any], force: bool) -> ModelCard:
    """Record the comparison in the card.

    Raises:
        ModelError: It was lost, and nobody forces.
    """
    refused = gate["passed"] is False
    if refused and not force:
        raise ModelError(
            f"not published: {card.version} is not shown to beat the current version:"
            f" {gate['why']}; --force publishes it all the same, and its card will say so"
        )
    return card.model_copy(update={"forced": refused, "training": card.training | {"gate": gate}})


def _sync_files(folder: Path) -> None:
    for path in folder.iterdir():
        with path.open("rb") as stream:
            os.fsync(stream.fileno())
    sync_folder(folder)


def _prove(folder: Path) -> None:
    reason = run_fresh("training.prove", folder)
    if reason is not None:
        raise ModelError(f"not published: a fresh process could not prove the model: {reason}")
