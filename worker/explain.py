"""Explain one image: judge it the way every image goes, and draw what spoke for it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from db.batches import ImageOutcome
from detector.crops import face_square, shown_square
from detector.heat import GRAD_CAM
from detector.image import decode_image
from detector.judge import NO_FACE, UNCERTAIN, choose_verdict
from detector.picture import DrawnFace, draw_picture
from detector.views import FACE, NATIVE, View, make_views
from fakesweep.errors import SourceError
from worker.judging import judge_images
from worker.threads import ImageThreads

if TYPE_CHECKING:
    from detector.model import Detector

SUFFIXES = (".png", ".jpg", ".jpeg")


def judge_one(uri: str, detector: "Detector", threads: ImageThreads) -> ImageOutcome:
    """Judge one image as a batch of its own; nothing is recorded."""
    (outcome,) = judge_images([uri], detector, threads=threads, known=None, progress=lambda: None)
    return outcome


def check_output(output: Path, image: Path) -> None:
    """Refuse, before anything is judged, a picture that could not be written.

    Raises:
        SourceError: The suffix is no PNG's or JPEG's, the folder is not there, or the picture would
            overwrite the image.
    """
    if output.suffix.lower() not in SUFFIXES:
        raise SourceError(
            f"--output: expected a file that ends in {', '.join(SUFFIXES)}. Received: {output}"
        )
    if not output.parent.is_dir():
        raise SourceError(f"--output: {output.parent} is not a folder; create it first")
    if output.exists() and image.exists() and output.samefile(image):
        raise SourceError(f"--output: {output} is the image itself; name another file")


def draw_explanation(
    outcome: ImageOutcome,
    faces: list[dict[str, Any]],
    detector: "Detector",
    threads: ImageThreads,
) -> NDArray[np.uint8]:
    """Draw the image with boxes, scores and what in each judged face speaks for fake.

    Args:
        outcome: Of `judge_one`, with a verdict.
        faces: The records of its faces.

    Returns:
        RGB, shape `(height, width, 3)`, dtype uint8.

    Raises:
        ImageError: The image can no longer be read.
        ModelError: The model cannot be explained.
    """
    content = threads.reader.read(outcome.uri).content
    pixels = decode_image(content, limit_px=threads.limit_px).pixels
    views = [
        view for view in make_views(pixels, detector.card, detector.finder) if view.kind != NATIVE
    ]
    drawn = [_explain_view(view, outcome, faces, detector, pixels.shape[:2]) for view in views]
    kinds = {face.heat.kind for face in drawn if face.heat is not None}
    captions = [_describe(outcome, detector), _describe_heat(kinds, detector)]
    return draw_picture(
        pixels, drawn, [text for text in captions if text], outcome.verdict or NO_FACE
    )


def write_picture(picture: NDArray[np.uint8], output: Path) -> None:
    """Write a picture in the format that the name's suffix tells.

    Raises:
        SourceError: The file cannot be written.
    """
    done, encoded = cv2.imencode(output.suffix.lower(), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    if not done:
        raise SourceError(f"--output: {output}: OpenCV cannot encode the picture")
    try:
        output.write_bytes(encoded.tobytes())
    except OSError as error:
        raise SourceError(f"--output: {output} cannot be written: {error.strerror}") from error


def _explain_view(
    view: View,
    outcome: ImageOutcome,
    faces: list[dict[str, Any]],
    detector: "Detector",
    size: tuple[int, ...],
) -> DrawnFace:
    from detector.heatmap import make_heat  # TensorFlow: only where images are judged

    height, width = size
    if view.kind != FACE:
        heat = make_heat(detector.engine.network, view.pixels)
        return DrawnFace(None, outcome.verdict or NO_FACE, "", (0, 0, width, height), heat)
    face = faces[view.face]
    assert view.box is not None  # noqa: S101  (a face view has the box of its face)
    if view.reason is not None:
        return DrawnFace(view.box, UNCERTAIN, f"{face['score']:.3f} {view.reason}")
    left, top, side = shown_square(
        face_square(view.box, height, width), detector.card.input.side_px
    )
    return DrawnFace(
        view.box,
        choose_verdict(face["score"], detector.card),
        f"{face['score']:.3f}",
        (left, top, left + side, top + side),
        make_heat(detector.engine.network, view.pixels),
    )


def _describe(outcome: ImageOutcome, detector: "Detector") -> str:
    score = "" if outcome.score is None else f" {outcome.score:.3f}"
    reason = "" if outcome.reason is None else f" ({outcome.reason})"
    thresholds = detector.card.thresholds
    return (
        f"{outcome.verdict}{score}{reason}   model {detector.version}: real below "
        f"{thresholds.real_threshold:g}, fake from {thresholds.fake_threshold:g}"
    )


def _describe_heat(kinds: set[str], detector: "Detector") -> str:
    if not kinds:
        return ""
    if GRAD_CAM in kinds:
        return "heat: Grad-CAM of fake, red is where each view speaks for it most, however little"
    return "heat: fake probability of each patch, uncalibrated"
