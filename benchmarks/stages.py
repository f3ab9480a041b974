"""Measure what each stage of judging a picture costs, and draw it beside what was measured before.

    python -m benchmarks.stages [--images FOLDER] [--count 500] [--model lite-1] [--label "this version"]

Milliseconds of processor time of all threads for each picture, stage by stage, nothing else at work in the process. The
figures are kept by label in benchmarks/figures/stages.json, from which benchmarks/figures/profile.png is drawn.
"""

import argparse
import hashlib
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from matplotlib.figure import Figure

from benchmarks.machine import REPOSITORY, describe_machine
from detector.image import decode_image
from detector.model import load_detector
from detector.registry import find_model
from detector.views import make_views

FIGURES = Path(__file__).parent / "figures"
STAGES = ("read, hash", "decode", "find faces", "cut, sharpness", "score")
COLOURS = ("#5b6472", "#9aa3b1", "#3b7ea1", "#d8b24a", "#c8553d")


def main() -> None:
    """Parse, measure, print, draw."""
    parser = argparse.ArgumentParser(description="Measure the stages of judging.")
    default = os.environ.get("FAKESWEEP_TEST_DATA", str(REPOSITORY / "../shared/data"))
    parser.add_argument("--images", default=f"{default}/faces", help="folder of pictures")
    parser.add_argument("--count", type=int, default=500, help="pictures")
    parser.add_argument("--model", default="lite-1", help="a version that judges faces")
    parser.add_argument("--label", default="this version", help="name of the bar")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    names = sorted(path for path in Path(options.images).rglob("*") if path.is_file())
    found = measure_stages(names[:: max(1, len(names) // options.count)], options.model)
    print(describe_machine())
    print("| stage | ms of a core for each picture |\n|---|---|")
    for stage in STAGES:
        print(f"| {stage} | {found[stage]:.2f} |")
    print(f"| together | {sum(found.values()):.2f} |")
    kept = FIGURES / "stages.json"
    bars = json.loads(kept.read_text()) | {options.label: found}
    kept.write_text(json.dumps(bars, indent=2) + "\n")
    draw(bars, f"milliseconds of a core for one picture, {options.model}", FIGURES / "profile.png")


def measure_stages(names: list[Path], version: str) -> dict[str, float]:
    """Run stage after stage over all pictures; milliseconds of processor time for each picture."""
    detector = load_detector(find_model(Path("/nowhere"), version))
    card, finder = detector.card, detector.finder

    def spend(work: Callable[[], Any]) -> tuple[Any, float]:
        work()  # once to warm up
        began = time.process_time()
        made = work()
        return made, round(1000 * (time.process_time() - began) / len(names), 3)

    def read() -> list[bytes]:
        contents = [name.read_bytes() for name in names]
        for content in contents:
            hashlib.sha256(content).hexdigest()
        return contents

    contents, reading = spend(read)
    images, decoding = spend(lambda: [decode_image(one, limit_px=10**8).pixels for one in contents])
    _, finding = spend(lambda: [finder.find(pixels) for pixels in images])
    made, viewing = spend(lambda: [make_views(pixels, card, finder) for pixels in images])
    views = np.stack([view.pixels for views in made for view in views])
    _, scoring = spend(lambda: detector.score_views(views))
    spent = (reading, decoding, finding, max(0.0, viewing - finding), scoring)
    return {stage: round(value, 3) for stage, value in zip(STAGES, spent, strict=True)}


def draw(bars: dict[str, dict[str, float]], title: str, path: Path) -> None:
    """Draw one bar for each label, its stages side by side."""
    figure = Figure(figsize=(7, 0.8 + 0.65 * len(bars)), layout="constrained")
    axes = figure.subplots()
    for number, (stage, colour) in enumerate(zip(STAGES, COLOURS, strict=True)):
        before = [sum(bar.get(name, 0.0) for name in STAGES[:number]) for bar in bars.values()]
        values = [bar.get(stage, 0.0) for bar in bars.values()]
        axes.barh(list(bars), values, left=before, color=colour, label=stage)
    axes.invert_yaxis()
    axes.set_title(title)
    figure.legend(loc="outside lower center", ncols=len(STAGES), frameon=False)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
