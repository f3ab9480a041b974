"""Measure photos of 12 megapixels: preparing them beside decoding them once.

    python -m benchmarks.large [--images FOLDER] [--count 24]

Photos are enlarged from the pictures of a folder and written as JPEG of quality 90. Processor seconds of one
thread; prints a Markdown table.
"""

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import simplejpeg

from benchmarks.machine import REPOSITORY
from detector.finder import default_finder
from detector.registry import find_model
from worker.prepare import prepare_image
from worker.read import ImageBytes

WIDTH, HEIGHT = 4000, 3000


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description="Measure large photos.")
    default = os.environ.get("FAKESWEEP_TEST_DATA", str(REPOSITORY / "../shared/data"))
    parser.add_argument("--images", default=f"{default}/faces", help="folder of pictures")
    parser.add_argument("--count", type=int, default=24, help="photos")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    names = sorted(path for path in Path(options.images).rglob("*") if path.is_file())
    photos = [enlarge(name) for name in names[:: len(names) // options.count][: options.count]]
    once = measure(
        photos, lambda photo: cv2.imdecode(np.frombuffer(photo, np.uint8), cv2.IMREAD_COLOR)
    )
    turbo = measure(photos, lambda photo: simplejpeg.decode_jpeg(photo, "RGB"))
    print("| what | ms for each | of decoding by OpenCV | by simplejpeg |\n|---|---|---|---|")
    print(f"| decode once, OpenCV | {once:.0f} | 1.00 | {once / turbo:.2f} |")
    print(f"| decode once, simplejpeg | {turbo:.0f} | {turbo / once:.2f} | 1.00 |")
    for version in ("cnn-1", "lite-1"):
        card = find_model(Path("/nowhere"), version).card
        spent = measure(
            photos,
            lambda photo, card=card: prepare_image(  # type: ignore[misc]
                "photo",
                lambda: ImageBytes(photo, len(photo), 0.0, None),
                card,
                limit_px=10**8,
                finder=default_finder(),
            ),
        )
        print(
            f"| prepare for {version} ({', '.join(card.views)}) | {spent:.0f} | {spent / once:.2f}"
            f" | {spent / turbo:.2f} |"
        )


def enlarge(name: Path) -> bytes:
    """Enlarge a picture to 12 megapixels."""
    pixels = cv2.resize(cv2.imread(str(name)), (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    return bytes(cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 90])[1])


def measure(photos: list[bytes], work: Callable[[bytes], object]) -> float:
    """Milliseconds of processor time for each photo."""
    work(photos[0])
    began = time.process_time()
    for photo in photos:
        work(photo)
    return 1000 * (time.process_time() - began) / len(photos)


if __name__ == "__main__":
    main()
