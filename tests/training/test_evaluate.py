"""`fakesweep evaluate` on drawn pictures: any model, any labelled set, one clear line where it cannot."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli.evaluate import evaluate as evaluate_command
from fakesweep.errors import FakesweepError
from tests.training.telling import draw_sources, leave_run, save_telling_model
from training.assess import assess_run
from training.publish import publish


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return draw_sources(tmp_path_factory.mktemp("pictures"), 12)


@pytest.fixture(scope="module")
def run(pictures, tmp_path_factory):
    folder = leave_run(tmp_path_factory.mktemp("run"), pictures)
    assess_run(folder)
    return folder


def evaluate(*arguments: object):
    return CliRunner().invoke(evaluate_command, [str(argument) for argument in arguments])


def sides(pictures: Path) -> list[object]:
    return [
        word
        for name in ("real", "fake")
        for folder in sorted(pictures.glob(f"*/{name}"))
        for word in (f"--{name}", folder)
    ]


def test_a_version_a_run_and_a_file_are_measured_alike(pictures, run, tmp_path):
    publish(run, tmp_path / "models", version="mine", force=True)
    bare = save_telling_model(tmp_path / "bare.keras")

    for model in ("mine", run, bare, tmp_path / "models" / "mine"):
        output = tmp_path / "report"
        answer = evaluate(
            model,
            *sides(pictures),
            "--output",
            output,
            "--model-dir",
            tmp_path / "models",
            "--json",
        )

        assert answer.exception is None, answer.exception
        facts = json.loads(answer.stdout)
        assert set(facts["metrics"]) == {"labelled", "labelled_laundered"}
        assert facts["metrics"]["labelled"]["overall"]["auc"] == 1.0
        assert set(facts["metrics"]["labelled"]["per_source"]) == {"one", "two"}
        assert "Evaluation of" in (output / "report.html").read_text()
        assert json.loads((output / "metrics.json").read_text())["metrics"] == facts["metrics"]


def test_tables_are_printed_for_people(pictures, run, tmp_path):
    answer = evaluate(run, *sides(pictures), "--output", tmp_path / "report")

    assert answer.exception is None, answer.exception
    assert "laundered" in answer.stdout
    assert "report.html" in answer.stdout


def test_unreadable_files_are_counted_and_left_out(pictures, run, tmp_path):
    broken = tmp_path / "more" / "real"
    broken.mkdir(parents=True)
    (broken / "broken.jpg").write_bytes(b"no picture")

    answer = evaluate(
        run, *sides(pictures), "--real", broken, "--output", tmp_path / "report", "--json"
    )

    assert answer.exception is None, answer.exception
    metrics = json.loads((tmp_path / "report" / "metrics.json").read_text())
    assert metrics["dataset"]["unreadable"] == 1
    assert metrics["metrics"]["labelled"]["overall"]["n"] == 48


def test_a_manifests_split_can_be_named(pictures, run, tmp_path):
    rows = [
        f"{path},{int(path.parent.name == 'fake')},{path.parent.parent.name},,"
        f"{'val' if path.stem < '004' else 'train'}"
        for path in sorted((pictures / "one").rglob("*.jpg"))
    ]
    manifest = tmp_path / "images.csv"
    manifest.write_text("path,label,source,group,split\n" + "\n".join(rows) + "\n")
    base = [run, "--manifest", manifest, "--output", tmp_path / "report", "--json"]

    answer = evaluate(*base, "--split", "val")
    unknown = evaluate(*base, "--split", "test")

    assert json.loads(answer.stdout)["metrics"]["labelled"]["overall"]["n"] == 8
    assert "expected one of train, val; received: test" in str(unknown.exception)


def test_bad_input_is_one_clear_line(pictures, run, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "m.csv").write_text(f"path,label\n{pictures}/one/real/000.jpg,0\n")
    (tmp_path / "gone.csv").write_text("path,label\nnowhere.jpg,1\n")
    (tmp_path / "bad.csv").write_text("path,label\nnowhere.jpg,real\n")
    (tmp_path / "columns.csv").write_text("file,label\nnowhere.jpg,1\n")
    (tmp_path / "junk.keras").write_bytes(b"junk")
    both = sides(pictures)
    cases = [
        ([run], "no training data named"),
        ([run, *both[:4]], "no fake image among 24"),
        ([run, "--manifest", tmp_path / "m.csv"], "no fake image among 1"),
        ([run, "--manifest", tmp_path / "gone.csv"], "listed files do not exist"),
        ([run, "--manifest", tmp_path / "bad.csv"], "received: 'real'"),
        ([run, "--manifest", tmp_path / "columns.csv"], "column path is missing"),
        ([run, "--real", tmp_path / "empty", *both[4:]], "no image in"),
        ([run, *both, "--output", run], "is a training run's folder"),
        (["nothing", *both], "unknown model version 'nothing'"),
        ([tmp_path / "empty", *both], "holds no model"),
        ([tmp_path / "none.keras", *both], "cannot read the model file"),
        ([tmp_path / "junk.keras", *both], "cannot load the model"),
    ]

    for arguments, expected in cases:
        output = [] if "--output" in arguments else ["--output", tmp_path / "report"]
        answer = evaluate(*arguments, *output)
        assert isinstance(answer.exception, FakesweepError), (arguments, answer.output)
        assert expected in str(answer.exception)
        assert "\n" not in str(answer.exception)
