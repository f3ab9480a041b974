"""A real run on drawn pictures: what it leaves, and how it goes on after a kill."""

import json
import signal
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest

from cli.train import train as train_command
from fakesweep.errors import TrainingError
from training.checkpoint import read_checkpoint
from training.cnn import build_cnn
from training.fit import FitOptions
from training.gather import gather_model
from training.runs import TrainOptions
from training.scoring import open_raw
from training.train import train

PICTURES = ("confusion_matrix.png", "roc.png", "scores.png")


def test_a_run_leaves_model_facts_and_pictures(run):
    facts = json.loads((run.output / "run.json").read_text())

    assert facts["epochs_done"] == 2
    assert facts["dataset"]["images"] == 40
    assert run.model.stat().st_size < 10_000_000
    for name in PICTURES:
        assert cv2.imread(str(run.output / name)).shape[2] == 3
    assert not [path for path in run.output.iterdir() if "partial" in path.name]


def test_metrics_cover_both_halves_and_both_launderings(run):
    metrics = json.loads((run.output / "metrics.json").read_text())

    assert set(metrics["metrics"]) == {
        "val_choose",
        "val_choose_laundered",
        "val_report",
        "val_report_laundered",
    }
    report = metrics["metrics"]["val_report"]["overall"]
    assert sum(report["confusion"].values()) == report["n"] == 8
    assert set(metrics["gates"]) == {"format_swap", "file_facts_alone"}


def test_the_saved_model_scores_as_the_serving_code_does(run, pictures):
    detector = open_raw(gather_model(str(run.output), run.output.parent))
    views = np.zeros((3, 224, 224, 3), dtype=np.uint8)

    scores = detector.score_views(views)

    assert scores.shape == (3,)
    assert ((scores > 0) & (scores < 1)).all()


def test_a_killed_run_goes_on_and_completes(pictures, tmp_path):
    output = tmp_path / "run"
    arguments = ["--real", pictures / "real", "--fake", pictures / "fake", "--output", output]
    arguments += ["--epochs", "400", "--batch-size", "8", "--val-share", "0.4", "--patience", "400"]
    arguments += ["--arch", "cnn", "--views", "whole"]
    code = "from cli.train import train; train()"
    with subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)], stderr=subprocess.PIPE
    ) as process:
        try:
            deadline = time.monotonic() + 120
            while not (output / "checkpoint.npz").is_file():
                assert process.poll() is None, process.stderr.read()
                assert time.monotonic() < deadline
                time.sleep(0.05)
        finally:
            process.send_signal(signal.SIGKILL)
    model = build_cnn(224)
    model.compile("adam", "binary_crossentropy")
    model.optimizer.build(model.trainable_variables)
    before = len(read_checkpoint(output / "checkpoint.npz", model, model.optimizer).history)
    options = TrainOptions(
        output=output,
        real=[pictures / "real"],
        fake=[pictures / "fake"],
        arch="cnn",
        views=["whole"],
        val_share=0.4,
        resume=True,
        fit=FitOptions(epochs=before + 1, batch_size=8, patience=400),
    )

    run = train(options)

    assert run.facts["epochs_done"] == before + 1
    assert [record["epoch"] for record in run.facts["history"]] == list(range(before + 1))
    assert (output / "model.keras").is_file()


def test_the_command_refuses_an_empty_folder_in_one_line(pictures, tmp_path):
    (tmp_path / "empty").mkdir()
    arguments = [
        "--real",
        tmp_path / "empty",
        "--fake",
        pictures / "fake",
        "--output",
        tmp_path / "r",
    ]

    with pytest.raises(TrainingError, match=f"no image in {tmp_path / 'empty'}"):
        train_command.main([str(argument) for argument in arguments], standalone_mode=False)


def test_bad_run_folders_are_one_clear_line(run, pictures, tmp_path):
    sides = {"real": [pictures / "real"], "fake": [pictures / "fake"]}
    (tmp_path / "file").write_text("")
    cases = [
        (TrainOptions(run.output, **sides), "is not empty: name another folder, or --resume"),
        (TrainOptions(tmp_path / "new", **sides, resume=True), "nothing to resume"),
        (TrainOptions(tmp_path / "a", **sides, arch="vgg"), "efficientnetv2b0; received: vgg"),
        (TrainOptions(tmp_path / "file" / "run", **sides), "cannot write the run folder"),
        (
            TrainOptions(
                run.output, **sides, arch="cnn", views=["whole"], val_share=0.2, resume=True
            ),
            "begun with another val_share: expected 0.4; received: 0.2",
        ),
    ]

    for options, expected in cases:
        with pytest.raises(TrainingError) as caught:
            train(options)
        assert expected in str(caught.value)
