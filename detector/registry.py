"""The registry: a folder of published model versions, and which of them is current.

    MODEL_DIR/<version>/model.keras, card.json      an immutable published version
    MODEL_DIR/current                               one line: the promoted version
    detector/builtin/<version>/                     the version that ships in the package

Publishing and promoting are training's; this module reads and verifies.
"""

import hashlib
import logging
import re
from dataclasses import dataclass, replace
from pathlib import Path

from detector.card import VERSION_PATTERN, Artefact, ModelCard, Serving, read_card
from fakesweep.errors import ModelError

log = logging.getLogger(__name__)

BUILTIN_DIR = Path(__file__).parent / "builtin"
CARD_FILE = "card.json"
CURRENT_FILE = "current"


@dataclass(frozen=True)
class PublishedModel:
    """One version of the registry, with its card read and checked; the artefact is not opened."""

    version: str
    folder: Path
    path: Path
    card: ModelCard
    current: bool
    builtin: bool

    @property
    def serving(self) -> Path | None:
        """The serving file, None where the version has none."""
        return None if self.card.serving is None else self.folder / self.card.serving.file


def list_models(model_dir: Path) -> list[PublishedModel]:
    """List every usable version, oldest first.

    A version whose card is broken is logged and left out, so that it does not hide the others.

    Raises:
        ModelError: The registry folder cannot be read.
    """
    folders = _find_folders(model_dir)
    models = []
    for version, folder in folders.items():
        try:
            models.append(_read_model(folder, version))
        except ModelError as error:
            log.warning("model version %s left out: %s", version, error)
    models.sort(key=lambda model: (model.card.created_at, model.version))
    try:
        chosen = _read_current(model_dir) or _newest_builtin(models)
    except ModelError as error:
        log.warning("no current model version: %s", error)
        chosen = None
    return [_mark_current(model, chosen) for model in models]


def find_model(model_dir: Path, version: str | None = None) -> PublishedModel:
    """Find one version, the current one when none is named.

    Raises:
        ModelError: No such version, a broken card or pointer, or nothing is installed at all.
    """
    folders = _find_folders(model_dir)
    current = _read_current(model_dir)
    if current is None and (version is None or version in folders):
        current = _newest_builtin(
            [
                _read_model(folder, name)
                for name, folder in folders.items()
                if folder.parent == BUILTIN_DIR
            ]
        )
    wanted = current if version is None else version
    if wanted is None:
        raise ModelError(
            f"no model is installed: {model_dir} has no promoted version and the package carries "
            "none; train one with `fakesweep train`, or set FAKESWEEP_MODEL_DIR to a folder of "
            "published models" + _name_known(folders)
        )
    if wanted not in folders:
        if version is None:
            raise ModelError(
                f"{model_dir / CURRENT_FILE} names model version {wanted!r}, which is not there; "
                "promote another version" + _name_known(folders)
            )
        raise ModelError(
            f"unknown model version {wanted!r} in {model_dir}; see `fakesweep models list`"
            + _name_known(folders)
        )
    return _mark_current(_read_model(folders[wanted], wanted), current)


def verify_model(model: PublishedModel) -> None:
    """Check that the model's files are those that were published.

    Raises:
        ModelError: A file is missing, or its size or SHA-256 is not the card's.
    """
    cure = f"publish version {model.version} again, or promote another version"
    _verify_file(model.path, model.card.artefact, cure)
    if model.card.serving is not None:
        _verify_file(model.folder / model.card.serving.file, model.card.serving, cure)


def _verify_file(path: Path, published: Artefact | Serving, cure: str) -> None:
    try:
        with path.open("rb") as file:
            size_bytes = file.seek(0, 2)
            file.seek(0)
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}; {cure}") from error
    if size_bytes != published.size_bytes:
        raise ModelError(
            f"{path}: the model file was altered: expected {published.size_bytes} bytes. "
            f"Received: {size_bytes} bytes; {cure}"
        )
    if sha256 != published.sha256:
        raise ModelError(
            f"{path}: the model file was altered: expected SHA-256 {published.sha256}. "
            f"Received: {sha256}; {cure}"
        )


def _find_folders(model_dir: Path) -> dict[str, Path]:
    """Map version names to folders; a version in `model_dir` hides a built-in one of its name."""
    folders = {}
    for parent in (BUILTIN_DIR, model_dir):
        try:
            found = [path for path in sorted(parent.iterdir()) if path.is_dir()]
        except FileNotFoundError:
            continue
        except OSError as error:
            raise ModelError(
                f"{parent}: the model folder cannot be read: {error.strerror}"
            ) from error
        # Names that begin with "." are half-published; others are no version's name.
        folders.update({path.name: path for path in found if re.match(VERSION_PATTERN, path.name)})
    return folders


def _read_current(model_dir: Path) -> str | None:
    """Read the promoted version's name, None where none was promoted."""
    pointer = model_dir / CURRENT_FILE
    try:
        text = pointer.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ModelError(f"{pointer}: cannot be read: {error.strerror}") from error
    name = text.decode("utf-8", errors="replace").strip()
    if not re.match(VERSION_PATTERN, name):
        raise ModelError(
            f"{pointer}: expected one line with a model version. Received: {name[:80]!r}; "
            "promote a version anew"
        )
    return name


def _read_model(folder: Path, version: str) -> PublishedModel:
    card = read_card(folder / CARD_FILE)
    if card.version != version:
        raise ModelError(
            f"{folder / CARD_FILE}: version: expected {version!r}, the folder's name. "
            f"Received: {card.version!r}"
        )
    return PublishedModel(
        version=version,
        folder=folder,
        path=folder / card.artefact.file,
        card=card,
        current=False,
        builtin=folder.parent == BUILTIN_DIR,
    )


def _newest_builtin(models: list[PublishedModel]) -> str | None:
    builtin = [model for model in models if model.builtin]
    return max(builtin, key=lambda model: model.card.created_at).version if builtin else None


def _mark_current(model: PublishedModel, current: str | None) -> PublishedModel:
    return replace(model, current=model.version == current)


def _name_known(folders: dict[str, Path]) -> str:
    return f"; known: {', '.join(sorted(folders))}" if folders else ""
