"""The model card: every fact that travels with a model file, as checked JSON."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)

from fakesweep.errors import ModelError

VERSION_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
ARTEFACT_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}\.keras$"
SERVING_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}\.tflite$"
LONGEST_RECEIVED = 80

Probability = Annotated[float, Field(ge=0.0, le=1.0)]


class _Section(BaseModel):
    """Unknown and missing fields are refused, and nothing changes after reading."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Artefact(_Section):
    """The model file beside the card and what it must hash to."""

    file: str = Field(pattern=ARTEFACT_PATTERN)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    size_bytes: int = Field(gt=0)
    keras_version: str


class Serving(_Section):
    """The same network as a `.tflite` file, for engines other than TensorFlow."""

    file: str = Field(pattern=SERVING_PATTERN)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    size_bytes: int = Field(gt=0)
    tensorflow_version: str


class ModelInput(_Section):
    """The pixels that the model takes; normalisation is inside the model."""

    side_px: int = Field(ge=16, le=1024)
    channels: Literal["RGB"]
    range: Annotated[list[int], Field(min_length=2, max_length=2)]
    resize: Literal["area"]

    @model_validator(mode="after")
    def _check_range(self) -> Self:
        if self.range != [0, 255]:
            raise ValueError("range must be [0, 255]")
        return self


class Faces(_Section):
    """How faces are found before the model sees them, and which of them it can judge.

    The last two are facts of `card_format` 2 and left out of a card of format 1.

    Attributes:
        finder: `none`, `blaze` or `yunet`.
        smallest_px: Least longer side of a face's box; of the whole image where no faces are found.
        sharpness_floor: Least `detector.sharpness.measure_sharpness` of the face view.
        largest: At most so many faces of an image are judged, the largest ones.
    """

    finder: str
    smallest_px: int = Field(ge=1)
    sharpness_floor: float | None = Field(default=None, ge=0.0)
    largest: int | None = Field(default=None, ge=1, le=64)

    @model_serializer(mode="wrap")
    def _leave_out_absent(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in serialize(self).items() if value is not None}


class Labels(_Section):
    """The ground truth that the model was fitted to."""

    real: Literal[0]
    fake: Literal[1]


class Calibration(_Section):
    """Platt calibration on the logit of the sigmoid; see `detector.calibration`."""

    method: Literal["platt", "none"]
    slope: float = Field(default=1.0, gt=0.0)
    intercept: float = 0.0
    fitted_on: str = ""

    @model_validator(mode="after")
    def _check_none(self) -> Self:
        if self.method == "none" and (self.slope, self.intercept) != (1.0, 0.0):
            raise ValueError("method 'none' needs slope 1 and intercept 0")
        return self


class Thresholds(_Section):
    """Scores at or above `fake_threshold` are fake, below `real_threshold` real."""

    real_threshold: Probability
    fake_threshold: Probability
    chosen_on: str
    target_fpr: Probability

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if self.real_threshold > self.fake_threshold:
            raise ValueError("real_threshold must not be above fake_threshold")
        return self


class GoldenScore(_Section):
    """What the model answers on one drawn view of `detector.golden`."""

    name: str
    score: Probability


class ModelCard(_Section):
    """All facts of one model version; the shape of `card.json`.

    Format 1 judges whole images, format 2 the faces that are found in them.
    """

    card_format: Literal[1, 2]
    version: str = Field(pattern=VERSION_PATTERN)
    created_at: AwareDatetime
    architecture: str
    description: str
    artefact: Artefact
    serving: Serving | None = None
    input: ModelInput
    views: list[str] = Field(min_length=1)
    faces: Faces
    aggregate: Literal["max", "worst_face"]
    labels: Labels
    calibration: Calibration
    thresholds: Thresholds
    training: dict[str, Any]
    metrics: dict[str, dict[str, Any]]
    golden: list[GoldenScore]
    limits: list[str]
    forced: bool

    @model_serializer(mode="wrap")
    def _leave_out_serving(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        facts: dict[str, Any] = serialize(self)
        return {name: fact for name, fact in facts.items() if name != "serving" or fact is not None}

    @model_validator(mode="after")
    def _check_format(self) -> Self:
        """Hold the fields that belong to a format together."""
        faces = self.faces
        given = [
            name for name in ("sharpness_floor", "largest") if getattr(faces, name) is not None
        ]
        expected = "max" if self.card_format == 1 else "worst_face"
        if self.aggregate != expected:
            raise ValueError(f"card_format {self.card_format} needs aggregate '{expected}'")
        if self.card_format == 1 and given:
            raise ValueError(f"card_format 1 knows no faces.{given[0]}")
        if self.card_format == 2 and len(given) < 2:
            raise ValueError("card_format 2 needs faces.sharpness_floor and faces.largest")
        return self


def read_card(path: Path) -> ModelCard:
    """Read and check a model card.

    Raises:
        ModelError: The file is missing, no JSON, or a field is not as expected.
    """
    try:
        text = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}") from error
    try:
        return ModelCard.model_validate_json(text)
    except ValidationError as error:
        raise ModelError(_describe(path, error)) from error


def write_card(path: Path, card: ModelCard) -> None:
    """Write a model card as indented JSON, the same bytes for the same facts.

    Raises:
        ModelError: The file cannot be written.
    """
    try:
        path.write_text(card.model_dump_json(indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise ModelError(f"{path}: cannot be written: {error.strerror}") from error


def _describe(path: Path, error: ValidationError) -> str:
    """Put the first of a card's faults into one line."""
    fault = error.errors(include_url=False)[0]
    field = ".".join(str(part) for part in fault["loc"]) or "the whole file"
    expected = fault["msg"].removeprefix("Value error, ")
    received = " ".join(repr(fault["input"]).split())
    if len(received) > LONGEST_RECEIVED:
        received = received[:LONGEST_RECEIVED] + "..."
    more = "" if error.error_count() == 1 else f" (and {error.error_count() - 1} more faults)"
    return f"{path}: {field}: {expected}. Received: {received}{more}"
