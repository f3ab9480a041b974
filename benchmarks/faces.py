"""Measure the face finder beside the Haar cascade of OpenCV, and MTCNN where that is installed.

    python -m benchmarks.faces [--data FOLDER] [--count 150]

Prints Markdown tables: faces found and milliseconds of one thread for each source of the data set,
pictures without a face in which one was seen, small faces in drawn group pictures, and the share of
sharp and of spoilt faces below the sharpness floor.
"""

import argparse
import csv
import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.boxes import overlap
from detector.crops import Box, cut_face, face_square
from detector.faces import FaceFinder
from detector.sharpness import SHARPNESS_FLOOR, measure_sharpness

REPOSITORY = Path(__file__).parent.parent
Pixels = NDArray[np.uint8]
Find = Callable[[Pixels], list[Box]]

CHANGES: dict[str, Callable[[Pixels], Pixels]] = {
    "as it is": lambda pixels: pixels,
    "JPEG 75": lambda pixels: _recode(pixels, 75),
    "half size": lambda pixels: cv2.resize(pixels, None, fx=0.5, fy=0.5, interpolation=3),
    "turned by 90": lambda pixels: cv2.rotate(pixels, cv2.ROTATE_90_CLOCKWISE),
    "upside down": lambda pixels: cv2.rotate(pixels, cv2.ROTATE_180),
}
SPOILT: dict[str, Callable[[Pixels], Pixels]] = {
    "blur 5": lambda view: cv2.GaussianBlur(view, (0, 0), 5),
    "blur 5, JPEG 75": lambda view: _recode(cv2.GaussianBlur(view, (0, 0), 5), 75),
    "blur 7": lambda view: cv2.GaussianBlur(view, (0, 0), 7),
    "enlarged from 12": lambda view: _enlarge(view, 12),
    "enlarged from 20": lambda view: _enlarge(view, 20),
}


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description="Measure the face finder.")
    default = os.environ.get("FAKESWEEP_TEST_DATA", str(REPOSITORY / "../shared/data"))
    parser.add_argument("--data", type=Path, default=Path(default), help="folder of MANIFEST.csv")
    parser.add_argument("--count", type=int, default=150, help="pictures of each source")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    sample = dict(_sample(options.data, options.count))
    blaze = _open_blaze()
    _compare(sample, {"blaze": blaze, **_open_others()})
    _change(sample, blaze)
    _shrink(sample, blaze)
    _measure_sharpness(sample, blaze)


def _sample(folder: Path, count: int) -> Iterator[tuple[str, list[Pixels]]]:
    paths = defaultdict(list)
    with (folder / "MANIFEST.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            name = {"0": " real", "1": " fake"}.get(row["label"], "")
            paths[row["source"] + name].append(folder / row["path"])
    random = np.random.default_rng(0)
    for source, names in sorted(paths.items()):
        order = random.permutation(len(names))[:count]
        pictures = (cv2.imread(str(names[number])) for number in order)
        yield source, [cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB) for pixels in pictures]


def _open_blaze() -> Find:
    finder = FaceFinder()
    return lambda pixels: [face.box for face in finder.find(pixels)]


def _open_others() -> dict[str, Find]:
    path = str(Path(cv2.data.haarcascades) / "haarcascade_frontalface_default.xml")
    cascade = cv2.CascadeClassifier(path)

    def find_haar(pixels: Pixels) -> list[Box]:
        grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
        found = cascade.detectMultiScale(grey, 1.1, 5, minSize=(30, 30))
        return [(x, y, x + w, y + h) for x, y, w, h in found]

    others: dict[str, Find] = {"Haar": find_haar}
    try:
        from mtcnn import MTCNN  # type: ignore[import-not-found]  # only where someone installed it
    except ImportError:
        return others
    network = MTCNN()

    def find_mtcnn(pixels: Pixels) -> list[Box]:
        boxes = [tuple(face["box"]) for face in network.detect_faces(pixels)]
        return [(x, y, x + w, y + h) for x, y, w, h in boxes]

    return others | {"MTCNN": find_mtcnn}


def _measure(find: Find, pictures: list[Pixels]) -> tuple[float, float]:
    """Share of pictures with a face, and milliseconds of processor time for each."""
    find(pictures[0])
    began = time.process_time()
    found = [bool(find(pixels)) for pixels in pictures]
    return float(np.mean(found)), 1000 * (time.process_time() - began) / len(pictures)


def _compare(sample: dict[str, list[Pixels]], finders: dict[str, Find]) -> None:
    print("\nPictures with a face found, and ms for each\n")
    print(f"| source | n | {' | '.join(finders)} |\n|{'---|' * (len(finders) + 2)}")
    for source, pictures in sample.items():
        cells = []
        for find in finders.values():
            share, spent_ms = _measure(find, pictures)
            cells.append(f"{share:.3f} ({spent_ms:.0f} ms)")
        print(f"| {source} | {len(pictures)} | {' | '.join(cells)} |", flush=True)


def _change(sample: dict[str, list[Pixels]], find: Find) -> None:
    print(f"\nblaze on changed pictures\n\n| source | {' | '.join(CHANGES)} |")
    print(f"|{'---|' * (len(CHANGES) + 1)}")
    for source, pictures in sample.items():
        shares = [
            np.mean([bool(find(change(pixels))) for pixels in pictures])
            for change in CHANGES.values()
        ]
        print(f"| {source} | {' | '.join(f'{share:.3f}' for share in shares)} |", flush=True)


def _shrink(sample: dict[str, list[Pixels]], find: Find) -> None:
    """Paste six faces into pictures without one, each of a given share of the longer side."""
    print("\nSix faces in a picture without one\n")
    print(
        "| longer side, px | face, share of it | found | other boxes | ms |\n|---|---|---|---|---|"
    )
    faces = [*sample["celeba real"], *sample["lfw real"], *sample["generated_photos fake"]]
    random = np.random.default_rng(3)
    for width in (1200, 3000):
        for share in (0.1, 0.05, 0.04, 0.03, 0.025, 0.02):
            hits, others, spent_s = 0, 0, 0.0
            grounds = [pixels for pixels in sample["no_face"] if not find(pixels)][:12]
            for ground in grounds:
                canvas = cv2.resize(ground, (width, width * 3 // 4), interpolation=cv2.INTER_CUBIC)
                wanted = [
                    _paste(canvas, faces[random.integers(len(faces))], find, share * width, place)
                    for place in range(6)
                ]
                began = time.process_time()
                boxes = np.array(find(_recode(canvas, 88)), dtype=float).reshape(-1, 4)
                spent_s += time.process_time() - began
                same = np.array([overlap(np.array(box, float), boxes) > 0.3 for box in wanted])
                hits += int(same.any(axis=1).sum()) if len(boxes) else 0
                others += len(boxes) - int(same.any(axis=0).sum()) if len(boxes) else 0
            print(
                f"| {width} | {share:g} | {hits / (6 * len(grounds)):.2f} |"
                f" {others / len(grounds):.2f} | {1000 * spent_s / len(grounds):.0f} |",
                flush=True,
            )


def _paste(canvas: Pixels, face: Pixels, find: Find, face_px: float, place: int) -> list[float]:
    left, top, right, bottom = (find(face) or [(0, 0, face.shape[1], face.shape[0])])[0]
    factor = face_px / max(right - left, bottom - top)
    small = cv2.resize(face, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    x = min(canvas.shape[1] * (place % 3) // 3, canvas.shape[1] - small.shape[1])
    y = min(canvas.shape[0] * (place // 3) // 2, canvas.shape[0] - small.shape[0])
    canvas[y : y + small.shape[0], x : x + small.shape[1]] = small
    return [x + left * factor, y + top * factor, x + right * factor, y + bottom * factor]


def _measure_sharpness(sample: dict[str, list[Pixels]], find: Find) -> None:
    print(f"\nFace views below the sharpness floor of {SHARPNESS_FLOOR}\n")
    print(f"| source | median | as it is | {' | '.join(SPOILT)} |\n|{'---|' * (len(SPOILT) + 3)}")
    for source, pictures in sample.items():
        if source == "no_face":
            continue
        views = [
            cut_face(pixels, face_square(boxes[0], *pixels.shape[:2]))
            for pixels in pictures
            if (boxes := find(pixels))
        ]
        sharp = np.array([measure_sharpness(view) for view in views])
        shares = [float((sharp < SHARPNESS_FLOOR).mean())]
        for spoil in SPOILT.values():
            spoilt = np.array([measure_sharpness(spoil(view)) for view in views])
            shares.append(float((spoilt < SHARPNESS_FLOOR).mean()))
        cells = " | ".join(f"{share:.3f}" for share in shares)
        print(f"| {source} | {np.median(sharp):.3f} | {cells} |", flush=True)


def _recode(pixels: Pixels, quality: int) -> Pixels:
    _, encoded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), dtype=np.uint8)


def _enlarge(view: Pixels, face_px: int) -> Pixels:
    side = round(1.7 * face_px)
    small = cv2.resize(view, (side, side), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, view.shape[1::-1], interpolation=cv2.INTER_CUBIC))


if __name__ == "__main__":
    main()
