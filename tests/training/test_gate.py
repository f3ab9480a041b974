"""The publish gate: two real models on the same held-out images, and the rule between them."""

import json
import shutil

import pytest
from click.testing import CliRunner

from cli.publish import publish as publish_command
from detector.registry import find_model, list_models
from fakesweep.errors import ModelError
from tests.training.telling import draw_sources, leave_run, save_telling_model
from training.assess import assess_run
from training.gate import decide, format_table
from training.promote import promote
from training.publish import publish


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return draw_sources(tmp_path_factory.mktemp("pictures"), 16)


@pytest.fixture(scope="module")
def runs(pictures, tmp_path_factory):
    """A run whose model tells all fakes, and one whose model is blind."""
    folders = {}
    for name, gain in (("good", 200.0), ("blind", 0.0)):
        folders[name] = leave_run(tmp_path_factory.mktemp(name), pictures, gain=gain)
        assess_run(folders[name])
    return folders


@pytest.fixture
def registry(runs, tmp_path):
    """A registry whose current version tells all fakes."""
    folder = tmp_path / "models"
    publish(runs["good"], folder, version="good", force=True)
    promote(folder, "good")
    return folder


def test_a_better_run_is_published_and_its_card_holds_the_comparison(runs, tmp_path):
    save_telling_model(tmp_path / "blind.keras", gain=0.0)
    publish(tmp_path / "blind.keras", tmp_path / "models", version="blind", force=True)
    promote(tmp_path / "models", "blind")

    model = publish(runs["good"], tmp_path / "models", version="good")

    gate = model.card.training["gate"]
    assert model.card.forced is False
    assert gate["passed"] is True
    assert (gate["current"], gate["mean"]) == ("blind", {"current": 0.5, "new": 1.0})
    assert [row["source"] for row in gate["rows"]] == ["one", "two"]


def test_a_worse_run_is_refused_with_the_table_and_leaves_nothing(runs, registry):
    answer = CliRunner().invoke(
        publish_command, [str(runs["blind"]), "--version", "worse", "--model-dir", str(registry)]
    )

    assert isinstance(answer.exception, ModelError)
    assert "the mean AUC falls from 1.0000 to 0.5000" in str(answer.exception)
    assert "--force" in str(answer.exception)
    assert "mean of the sources" in answer.stderr
    assert "worst of the sources" in answer.stderr
    assert sorted(path.name for path in registry.iterdir()) == ["current", "good", "history"]


def test_force_publishes_and_is_recorded_with_the_table(runs, registry):
    answer = CliRunner().invoke(
        publish_command,
        f"{runs['blind']} --version worse --model-dir {registry} --force --json".split(),
        catch_exceptions=False,
    )

    assert json.loads(answer.stdout)["forced"] is True
    card = find_model(registry, "worse").card
    assert card.forced is True
    assert card.training["gate"]["passed"] is False
    assert card.training["gate"]["worst"] == {"current": 1.0, "new": 0.5, "chance": 0.0}


def test_a_run_whose_images_are_gone_is_refused_unless_forced(pictures, registry, tmp_path):
    moved = shutil.copytree(pictures, tmp_path / "pictures")
    folder = leave_run(tmp_path / "run", moved)
    assess_run(folder)
    next(moved.glob("two/real/*.jpg")).unlink()

    with pytest.raises(ModelError, match="some are gone or were added"):
        publish(folder, registry, version="later")

    assert publish(folder, registry, version="later", force=True).card.forced is True


def test_a_bare_file_needs_images_to_compare_on(pictures, registry, tmp_path):
    good = save_telling_model(tmp_path / "good.keras")
    blind = save_telling_model(tmp_path / "blind.keras", gain=0.0)
    manifest = tmp_path / "held_out.csv"
    rows = [f"{path},{int(path.parent.name == 'fake')}" for path in pictures.glob("*/*/*.jpg")]
    manifest.write_text("path,label\n" + "\n".join(rows) + "\n")

    with pytest.raises(ModelError, match="name them with --manifest"):
        publish(good, registry, version="bare")
    with pytest.raises(ModelError, match="the worst AUC falls"):
        publish(blind, registry, version="bare", manifest=manifest)
    model = publish(good, registry, version="bare", manifest=manifest)

    assert model.card.training["gate"]["why"] == "mean and worst source are at least as good"
    assert model.card.training["gate"]["images"] == len(rows)


def test_chosen_thresholds_answer_for_a_bare_file(registry, tmp_path):
    file = save_telling_model(tmp_path / "own.keras", gain=0.0)

    model = publish(file, registry, version="own", thresholds=(0.3, 0.7))

    assert model.card.forced is False
    assert model.card.training["gate"]["passed"] is None
    assert {model.version for model in list_models(registry)} >= {"good", "own"}


def test_neither_mean_nor_worst_may_fall_and_one_must_rise():
    sources = ["a"] * 20 + ["b"] * 20
    cases = [
        ((0.9, 0.8), (0.9, 0.8), False, "neither the mean nor the worst source is better"),
        ((0.9, 0.8), (0.9, 0.81), True, "at least as good"),
        ((0.9, 0.8), (1.0, 0.79), False, "the worst AUC falls from 0.8000 to 0.7900"),
        ((0.9, 0.8), (0.84, 0.82), False, "the mean AUC falls from 0.8500 to 0.8300"),
        ((1.0, 1.0), (1.0, 1.0), True, "at least as good"),
    ]

    for before, after, passed, why in cases:
        current, new = ({"a": pair[0], "b": pair[1]} for pair in (before, after))
        answer = decide(new, current, sources)
        assert answer["passed"] is passed
        assert why in answer["why"]


def test_the_worst_source_may_fall_by_what_chance_explains():
    sources = ["a"] * 20 + ["b"] * 20
    current, new = {"a": 0.8, "b": 0.65}, {"a": 0.95, "b": 0.6}

    within = decide(new, current, sources, chance={"a": 0.01, "b": 0.1})
    beyond = decide(new, current, sources, chance={"a": 0.1, "b": 0.04})
    no_gain = decide({"a": 0.8, "b": 0.6}, current, sources, chance={"a": 0.1, "b": 0.1})

    assert within["passed"] is True
    assert "within chance (0.1000)" in within["why"]
    assert beyond["passed"] is False
    assert "the worst AUC falls from 0.6500 to 0.6000" in beyond["why"]
    assert no_gain["passed"] is False


def test_a_tiny_source_is_shown_and_does_not_decide():
    sources = ["large"] * 20 + ["tiny"] * 3
    current, new = {"large": 0.8, "tiny": 1.0}, {"large": 0.9, "tiny": 0.5}

    answer = decide(new, current, sources)

    assert answer["passed"] is True
    assert answer["worst"] == {"current": 0.8, "new": 0.9, "chance": 0.0}
    table = format_table(
        {**answer, "new": "n", "current": "c", "held_out": "drawn images", "images": 23}
    )
    assert "tiny" in table
