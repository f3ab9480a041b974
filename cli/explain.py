"""`fakesweep explain`: one image's verdict, faces and heat map."""

import json
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.context import start
from fakesweep.errors import FakesweepError, SourceError

if TYPE_CHECKING:
    from db.batches import ImageOutcome
    from detector.card import ModelCard


@click.command()
@click.argument("image", type=click.Path())
@click.option(
    "--output",
    "-o",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Draw the image with boxes, scores and a heat map to FILE, which ends in .png or .jpg.",
)
@click.option(
    "--model-version", metavar="VERSION", help="Judge with this model version.  [default: current]"
)
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON.")
def explain(image: str, output: Path | None, model_version: str | None, as_json: bool) -> int:
    """Judge IMAGE as a scan would, and show why; nothing is recorded.

    The heat map is the model's own patch map, or Grad-CAM of its last convolution.

    Exit status: 0 not flagged, 1 fake, 2 error.
    """
    from detector.engine import TENSORFLOW
    from fakesweep.uri import is_remote, split_member, uri_of_name
    from worker.detectors import LoadedDetectors
    from worker.explain import check_output, draw_explanation, judge_one, write_picture
    from worker.models import check_model
    from worker.threads import ImageThreads

    settings = start()
    uri = uri_of_name(image)
    if not is_remote(uri) and split_member(uri) is None and not Path(image).exists():
        raise SourceError(f"{image} does not exist")
    if output is not None:
        check_output(output, Path(image))
        settings = settings.model_copy(update={"engine": TENSORFLOW})  # heat maps look into Keras
    detector = LoadedDetectors(settings).get(check_model(settings, model_version))
    with closing(ImageThreads(settings)) as threads:
        outcome = judge_one(uri, detector, threads)
        if outcome.verdict is None:
            raise FakesweepError(f"{image}: {outcome.error_code}: {outcome.error_message}")
        faces = json.loads(outcome.faces or "[]")
        if output is not None:
            write_picture(draw_explanation(outcome, faces, detector, threads), output)
    facts = _collect(outcome, faces, detector.card)
    click.echo(json.dumps(facts) if as_json else _format(facts))
    return 1 if outcome.verdict == "fake" else 0


def _collect(
    outcome: "ImageOutcome", faces: list[dict[str, Any]], card: "ModelCard"
) -> dict[str, Any]:
    return {
        "uri": outcome.uri,
        "verdict": outcome.verdict,
        "score": outcome.score,
        "reason": outcome.reason,
        "faces": faces,
        "model_version": card.version,
        "real_threshold": card.thresholds.real_threshold,
        "fake_threshold": card.thresholds.fake_threshold,
        "width": outcome.width,
        "height": outcome.height,
        "format": outcome.format,
    }


def _format(facts: dict[str, Any]) -> str:
    """Put the facts into lines: the verdict, then one for each face."""
    score = "" if facts["score"] is None else f", score {facts['score']:.6f}"
    reason = "" if facts["reason"] is None else f" ({facts['reason']})"
    lines = [
        f"{facts['verdict']}{reason}{score}",
        f"model {facts['model_version']}: real below {facts['real_threshold']:g},"
        f" fake from {facts['fake_threshold']:g}",
    ]
    if facts["verdict"] == "no_face":
        lines.append("no face was found in it")
    for number, face in enumerate(facts["faces"], start=1):
        cannot = "" if face["reason"] is None else f", cannot be judged: {face['reason']}"
        left, top, right, bottom = face["box"]
        lines.append(
            f"face {number}: score {face['score']:.6f}, {right - left} x {bottom - top} pixels at"
            f" {left}, {top}, found by {face['finder']} {face['found']:.2f}{cannot}"
        )
    return "\n".join(lines)
