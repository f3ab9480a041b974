"""A fitted run is measured through the serving code: what it leaves, and what stops it."""

import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest

from detector.calibration import logit
from detector.registry import CARD_FILE
from fakesweep.errors import TrainingError
from tests.conftest import REPOSITORY
from tests.training.telling import draw_sources, leave_run
from training.assess import assess_run
from training.draft import as_published, draft_card, run_fields
from training.rewrite import keep
from training.scoring import open_raw, score_images, uncalibrated

SPLITS = {"val_choose", "val_report"}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return draw_sources(tmp_path_factory.mktemp("pictures"), 14)


@pytest.fixture(scope="module")
def output(pictures, tmp_path_factory):
    folder = leave_run(tmp_path_factory.mktemp("run"), pictures)
    command = [sys.executable, "-m", "training.assess", str(folder)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture
def run(output):
    return json.loads((output / "run.json").read_text())


def test_every_split_but_train_is_measured_as_it_is_and_laundered(run):
    assert set(run["metrics"]) == SPLITS | {f"{name}_laundered" for name in SPLITS}
    overall = run["metrics"]["val_report"]["overall"]
    assert overall["auc"] == 1.0
    assert overall["n"] == overall["judged"] == overall["real"] + overall["fake"]
    assert set(run["metrics"]["val_report"]["per_source"]) == {"one", "two"}
    assert run["gates"]["format_swap"]["passed"]
    assert run["gates"]["file_facts_alone"]["auc"] < 0.9


def test_the_trainers_facts_are_kept_and_the_json_repeats_the_measures(output, run):
    metrics = json.loads((output / "metrics.json").read_text())

    assert metrics["metrics"] == run["metrics"]
    assert (run["architecture"], run["best_epoch"], run["seed"]) == ("telling", 1, 3)
    assert run["dataset"]["images"] == 56


def test_the_reference_for_drift_counts_each_scored_image_once(run):
    reference, overall = run["reference"], run["metrics"]["val_report"]["overall"]

    assert len(reference["edges"]) == 21
    assert (sum(reference["real"]), sum(reference["fake"])) == (overall["real"], overall["fake"])
    assert sum(reference["fake"][10:]) == overall["fake"]
    assert (reference["no_face_share"], reference["failed_share"]) == (0.0, 0.0)


def test_robustness_curves_are_short_lists_per_source(run):
    robustness = run["robustness"]

    assert robustness["as_is"]["one"] == 1.0
    for facts in robustness["kinds"].values():
        assert set(facts["auc"]) == {"one", "two", "overall"}
        assert all(len(curve) == len(facts["levels"]) for curve in facts["auc"].values())
    assert len(json.dumps(run)) < 60_000


def test_the_page_needs_nothing_but_itself(output):
    page = (output / "report.html").read_text()
    tags = _Tags()
    tags.feed(page)

    assert not re.findall(r"""(?:src|href)=["'](?!data:)""", page)
    assert not re.findall(r"@import|url\(|<script|<link", page)
    assert tags.open == []
    for said in ("Sources of val_report", "Robustness", "Data set", "Training", "Limits"):
        assert said in page
    assert page.count("data:image/svg+xml;base64,") == 8


def test_pictures_are_written_beside_the_page(output):
    for name in ("confusion_matrix", "roc", "scores"):
        assert cv2.imread(str(output / f"{name}.png")).shape[2] == 3
    assert not [path for path in output.iterdir() if "partial" in path.name]


def test_calibrating_afterwards_gives_what_serving_gives(output, run, pictures):
    served = as_published(output, draft_card(output / "model.keras", "x", **run_fields(run, None)))
    paths = sorted(pictures.glob("*/*/*.jpg"))[:6]
    raw, _ = score_images(open_raw(served), paths, {"": keep})

    slope, intercept = (run["calibration"][name] for name in ("slope", "intercept"))
    afterwards = 1 / (1 + np.exp(-(slope * logit(raw[""].raw) + intercept)))

    from detector.model import load_detector

    detector = load_detector(served)
    answers, _ = score_images(detector, paths, {"": keep})
    assert uncalibrated(served.card).calibration.method == "none"
    np.testing.assert_allclose(afterwards, answers[""].raw, atol=1e-5)


def test_a_run_without_its_fit_or_its_images_is_one_clear_line(output, pictures, tmp_path):
    for missing in ("fit.json", "options.json"):
        folder = shutil.copytree(output, tmp_path / missing)
        (folder / missing).unlink()
        with pytest.raises(TrainingError, match=f"{missing} is missing"):
            assess_run(folder)
    gone = leave_run(tmp_path / "gone", pictures, real=[str(tmp_path / "nowhere")])
    with pytest.raises(TrainingError, match="no such directory"):
        assess_run(gone)


def test_pictures_without_a_face_cannot_calibrate_a_model_of_faces(pictures, tmp_path):
    folder = leave_run(tmp_path / "faces", pictures, views=["face", "native"])

    with pytest.raises(TrainingError, match=r"no (real|fake) image of val_choose got a score"):
        assess_run(folder)

    assert not (folder / "run.json").exists()


def test_real_faces_are_judged_face_by_face(test_data, tmp_path):
    rows = [
        f"{path},{label},{source},,"
        for source in ("stylegan_ffhq_256",)
        for label, name in ((0, "real"), (1, "fake"))
        for path in sorted((test_data / "faces" / source).rglob("*.jpg"))
        if name in str(path.parent.name)
    ]
    manifest = tmp_path / "manifest.csv"
    manifest.write_text(
        "path,label,source,group,split\n" + "\n".join([*rows[:12], *rows[-12:]]) + "\n"
    )
    folder = leave_run(tmp_path / "run", tmp_path, manifest=str(manifest), views=["face", "native"])

    run = assess_run(folder)

    card = draft_card(folder / "model.keras", "faces", **run_fields(run, None))
    assert (card.card_format, card.views, card.faces.finder) == (2, ["face", "native"], "blaze")
    assert card.aggregate == "worst_face"
    assert run["metrics"]["val_report"]["overall"]["judged"] > 0
    assert CARD_FILE not in [path.name for path in folder.iterdir()]


class _Tags(HTMLParser):
    """Which tags are left open."""

    def __init__(self):
        super().__init__()
        self.open = []

    def handle_starttag(self, tag, attrs):
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag
