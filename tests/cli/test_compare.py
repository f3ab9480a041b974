"""`models compare`: what a new version would change."""

import csv
import json
from pathlib import Path

from tests.commands import run
from tests.pictures import write_pictures


def test_two_versions_are_compared_on_what_both_have_judged(
    tmp_path: Path, model_dir: Path
) -> None:
    write_pictures(tmp_path / "in", 4)
    run("scan", str(tmp_path / "in"))

    before = run("models", "compare", "small-1", "small-2")
    run("scan", str(tmp_path / "in"), "--model", "small-2")
    after = run("models", "compare", "small-1", "small-2", "--export", str(tmp_path / "flips.csv"))
    facts = json.loads(
        run("models", "compare", "small-1", "small-2", str(tmp_path / "in"), "--json").stdout
    )

    assert before.returncode == 2
    assert "--rescan --where \"model_version = 'small-1'\" --model small-2" in before.stderr
    assert after.returncode == 0, after.stderr
    assert f"{facts['flips']} of 4 images flip" in after.stdout
    assert facts["images"] == sum(cell["images"] for cell in facts["matrix"]) == 4
    assert (facts["only_a"], facts["only_b"]) == (0, 0)
    with (tmp_path / "flips.csv").open(newline="") as stream:
        assert len(list(csv.DictReader(stream))) == facts["flips"]


def test_a_mistake_is_one_line(tmp_path: Path, model_dir: Path) -> None:
    run("db", "upgrade")
    for arguments, message in (
        (["small-1", "small-1"], "two different"),
        (["small-1", "unheard-of"], "versions with scans: none"),
        (["small-1", "small-2", "--scan", "7"], "no scan 7"),
        (["small-1", "small-2", "--export", "flips.xlsx"], ".csv"),
    ):
        done = run("models", "compare", *arguments)

        assert done.returncode == 2
        assert len(done.stderr.splitlines()) == 1, done.stderr
        assert message in done.stderr
