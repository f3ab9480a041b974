"""Publish, promote and roll back on real folders; what goes wrong leaves nothing behind."""

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli.publish import promote as promote_command
from cli.publish import publish as publish_command
from detector.registry import find_model, list_models, verify_model
from fakesweep.errors import ModelError
from tests.training.telling import draw_sources, leave_run
from training.assess import assess_run
from training.promote import promote, rollback
from training.prove import prove
from training.publish import publish


@dataclass(frozen=True)
class Run:
    """A finished run: its folder, its model file and the facts of its `run.json`."""

    output: Path
    model: Path
    facts: dict


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    pictures = draw_sources(tmp_path_factory.mktemp("pictures"), 10)
    folder = leave_run(tmp_path_factory.mktemp("run"), pictures)
    return Run(folder, folder / "model.keras", assess_run(folder))


@pytest.fixture(scope="module")
def model_dir(run, tmp_path_factory):
    """A registry with the versions `first` (from the run) and `second` (the same file alone)."""
    folder = tmp_path_factory.mktemp("models")
    publish(run.output, folder, version="first", limits=["Drawn pictures only."], recipe="drawn")
    answer = CliRunner().invoke(
        publish_command,
        f"{run.model} --version second --model-dir {folder} --json --thresholds 0.2 0.8".split(),
        catch_exceptions=False,
    )
    assert json.loads(answer.stdout)["version"] == "second"
    return folder


@pytest.fixture
def registry(model_dir, tmp_path):
    return shutil.copytree(model_dir, tmp_path / "models")


def test_a_published_run_carries_its_figures(model_dir, run):
    model = find_model(model_dir, "first")

    verify_model(model)
    assert model.card.architecture == "telling"
    assert set(model.card.metrics) == {"val_report", "val_report_laundered"}
    assert model.card.metrics["val_report"] == run.facts["metrics"]["val_report"]
    assert model.card.training["gate"]["current"] == "lite-1"
    assert model.card.thresholds.fake_threshold == run.facts["thresholds"]["fake_threshold"]
    assert len(model.card.golden) == 8
    assert model.card.limits[-1] == "Drawn pictures only."
    assert model.card.training["recipe"] == "drawn"
    assert len(model.card.training["reference"]["real"]) == 20
    assert (model.folder / "card.json").stat().st_size < 100_000


def test_a_bare_file_says_that_nothing_was_measured(model_dir):
    card = find_model(model_dir, "second").card

    assert card.metrics == {}
    assert card.calibration.method == "none"
    assert (card.thresholds.real_threshold, card.thresholds.fake_threshold) == (0.2, 0.8)
    assert "Nothing was measured" in card.limits[0]
    assert len(card.golden) == 8


def test_publishing_leaves_only_whole_versions(model_dir):
    assert sorted(path.name for path in model_dir.iterdir()) == ["first", "second"]
    assert sorted(path.name for path in (model_dir / "first").iterdir()) == [
        "card.json",
        "model.keras",
        "model.tflite",
    ]


def test_promote_and_rollback_move_the_pointer(registry):
    promote(registry, "first")
    answer = CliRunner().invoke(
        promote_command, ["second", "--model-dir", str(registry), "--json"], catch_exceptions=False
    )
    assert json.loads(answer.stdout)["current"] is True
    assert find_model(registry).version == "second"

    back = rollback(registry)

    assert back.version == find_model(registry).version == "first"
    assert (registry / "current").read_text() == "first\n"


def test_promoting_the_current_version_again_adds_no_history(registry):
    promote(registry, "first")
    promote(registry, "second")
    promote(registry, "second")

    assert rollback(registry).version == "first"


def test_rollback_past_the_first_is_refused(tmp_path):
    with pytest.raises(ModelError, match="nothing to go back to"):
        rollback(tmp_path)


def test_an_altered_file_is_not_promoted_nor_gone_back_to(registry):
    promote(registry, "first")
    promote(registry, "second")
    file = registry / "first" / "model.keras"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)

    for attempt in (lambda: promote(registry, "first"), lambda: rollback(registry)):
        with pytest.raises(ModelError, match="altered"):
            attempt()

    assert find_model(registry).version == "second"


def test_a_wrong_golden_score_is_refused(registry):
    path = registry / "second" / "card.json"
    card = json.loads(path.read_text())
    card["golden"][0]["score"] = 1 - card["golden"][0]["score"] * 0.9
    path.write_text(json.dumps(card))

    with pytest.raises(ModelError, match="golden view 'gradient' has the score"):
        prove(path.parent)


def test_bad_input_is_one_clear_line_and_publishes_nothing(registry, run, tmp_path):
    junk = tmp_path / "junk.keras"
    junk.write_bytes(b"no model")
    (tmp_path / "file").write_text("")
    before = {model.version for model in list_models(registry)}
    cases = [
        (run.output, registry, {"version": "first"}, "version first exists already"),
        (run.output, registry, {"version": "../x"}, "received: '../x'"),
        (run.output, registry, {"version": "x", "thresholds": (0.1, 0.9)}, "give none"),
        (run.model, registry, {"version": "x", "thresholds": (0.9, 0.1)}, "0.9 and 0.1"),
        (tmp_path / "none", registry, {"version": "x"}, "no such run folder or model file"),
        (tmp_path, registry, {"version": "x"}, "is no finished run"),
        (tmp_path / "file", registry, {"version": "x"}, "expected a run folder or a .keras file"),
        (junk, registry, {"version": "x"}, "cannot load the model"),
        (run.model, tmp_path / "file", {"version": "x"}, "cannot publish x into"),
    ]

    for source, folder, options, expected in cases:
        with pytest.raises(ModelError) as caught:
            publish(source, folder, **options)
        assert expected in str(caught.value)
        assert "\n" not in str(caught.value)

    assert {model.version for model in list_models(registry)} == before
    assert not [path for path in registry.iterdir() if path.name.startswith(".")]
    with pytest.raises(ModelError, match="unknown model version 'nope'"):
        promote(registry, "nope")
    assert not (registry / "current").exists()


@pytest.mark.parametrize(("limit", "refused"), [(4_000, "cannot publish"), (20_000, "card.json")])
def test_a_full_disk_publishes_nothing(run, tmp_path, limit, refused):
    """Too full for the model file, then for its card."""
    code = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from fakesweep.errors import ModelError\n"
        "from training.publish import publish\n"
        "size = int(sys.argv[3])\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))\n"
        "try:\n"
        "    publish(Path(sys.argv[1]), Path(sys.argv[2]), version='big')\n"
        "except ModelError as error:\n"
        "    sys.exit(f'refused: {error}')\n"
    )
    assert 4_000 < run.model.stat().st_size < 20_000

    done = subprocess.run(
        [sys.executable, "-c", code, run.output, tmp_path / "models", str(limit)],
        capture_output=True,
        text=True,
    )

    assert "refused: " in done.stderr
    assert refused in done.stderr
    assert list((tmp_path / "models").iterdir()) == []
