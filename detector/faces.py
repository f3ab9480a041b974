"""Faces: where they are in an image, largest first."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detector.blaze import FULL_RANGE, GREY, SHORT_RANGE, BlazeNetwork
from detector.boxes import (
    Boxes,
    cut_tiles,
    cut_with_border,
    drop_contained,
    merge,
    overlap,
    shrink,
    turn,
)
from detector.crops import Box

BLAZE = "blaze"

SMALLEST_PX = 16
"""In an image whose shorter side is below this nothing is looked for."""

LARGEST_PX = 1280
"""Longer side of the pixels that are looked at; larger images are shrunk once."""

BORDERS = (0.15, 0.4)
"""Grey around the image as a share of its longer side, the second only where the first shows no face:
a face that fills the image is seen only with room around it."""

TILE_SHARES = (0.5, 0.25)
SMALLEST_TILE_PX = 300
TILE_STEP = 0.75
"""Large images are looked at again in overlapping squares, whose side is this share of the longer
side, down to those that show faces of 32 pixels: smaller ones are judged by no model."""

PORTRAIT_SHARE = 1 / 3
"""Beside a face of this share of the longer side nobody looks for bystanders in tiles."""

LEAST_FOUND = 0.4
"""Confidence from which a sighting is looked at again."""

MOST_SIGHTINGS = 24
"""At most so many sightings of one look are looked at again, the most confident ones."""

SAME_FACE = 0.3
"""Overlap from which two boxes are one face."""

SECOND_ZOOM, THIRD_ZOOM = 2.0, 2.7
"""Side of the square of the second and the third look over the side of the box."""

CERTAIN = 0.9
"""A look at the whole image that is so confident needs no second one: of 3,080 looks at parts and turns of the
pictures without a face none came to 0.84, and 20 % to 100 % of the faces of each source do."""

STRONG = 0.75
"""Two looks of this confidence need no third. No picture without a face has them, and 43 % to 100 % of
the faces of each source do."""

CONFIRMED = 0.46
"""Least mean confidence of three looks: the first and second by the short-range network, the third by
the full-range one, turned by quarters until it sees an upright face. The value leaves 2 false alarms
on the 35 pictures without a face, dogs, and every face of all sources but one in 60 of the hardest."""

LEAST_FOUND_IN_TILE = 0.5
CONFIRMED_IN_TILE = 0.55
"""The same for a sighting in a tile, whose third look is upright only. Tiles multiply the looks, and
with them the false alarms and the time."""

THIRD_MOST = 0.8
"""Confidence that the third look hardly ever exceeds where the first two are in doubt: a sighting that
would need more is dropped without it, since it costs more than both."""

QUARTERS = (0, 2, 1, 3)
HALF_TURN = 2
"""The short-range network sees turned faces nearly as well as upright ones. An image in which it sees
none is turned upside down: of 12 such hard faces 10 are then found, and no false alarm comes with
them; turning by 90 degrees, too, would bring one."""


@dataclass(frozen=True)
class Face:
    """One face.

    Attributes:
        box: (left, top, right, bottom) in image pixels, inside the image, from the brows to the chin.
        found: The finder's confidence, range [0, 1].
    """

    box: Box
    found: float


@dataclass(frozen=True)
class Doubt:
    """How much of it a sighting has to dispel.

    Attributes:
        certain: Confidence of the first look that needs no second one.
        confirmed: Least mean confidence of the looks.
        quarters: Turns by which the third look is tried, until one is enough.
    """

    certain: float
    confirmed: float
    quarters: tuple[int, ...]


WHOLE = Doubt(CERTAIN, CONFIRMED, QUARTERS)
UPSIDE_DOWN = Doubt(CERTAIN, CONFIRMED, QUARTERS[:1])
IN_TILE = Doubt(2.0, CONFIRMED_IN_TILE, QUARTERS[:1])  # every one is looked at again

Seen = tuple[Boxes, float]


class FaceFinder:
    """Finds faces with BlazeFace; safe to use from several threads, the same answer every time."""

    name = BLAZE

    def __init__(self) -> None:
        """Read the networks' files."""
        self._short = BlazeNetwork(SHORT_RANGE)
        self._full = BlazeNetwork(FULL_RANGE)

    def find(self, pixels: NDArray[np.uint8]) -> list[Face]:
        """Find the faces of an image, whichever way they are turned.

        Args:
            pixels: RGB, shape `(height, width, 3)`, dtype uint8.

        Returns:
            Largest first; the same order every time.
        """
        height, width = pixels.shape[:2]
        if min(height, width) < SMALLEST_PX:
            return []
        small = shrink(pixels, LARGEST_PX)
        seen = self._find_large(small, WHOLE) or _turn_around(
            self._find_large(turn(small, HALF_TURN), UPSIDE_DOWN), small.shape
        )
        longer = max(small.shape[:2])
        if not any(_measure_side(box) >= PORTRAIT_SHARE * longer for box, _ in seen):
            seen += self._find_small(small, seen)
        factors = np.array([width / small.shape[1], height / small.shape[0]] * 2)
        faces = drop_contained(seen, SAME_FACE)
        return sort_faces([(box * factors, found) for box, found in faces], height, width)

    def _find_large(self, pixels: NDArray[np.uint8], doubt: Doubt) -> list[Seen]:
        """Find faces in looks at the whole image."""
        for border in BORDERS:
            sightings = self._short.look(pixels, border=border, least_found=LEAST_FOUND)
            merged = merge(sightings.boxes, sightings.found, SAME_FACE)[:MOST_SIGHTINGS]
            if seen := self._confirm_all(pixels, merged, doubt):
                return seen
        return []

    def _find_small(self, pixels: NDArray[np.uint8], known: list[Seen]) -> list[Seen]:
        """Find the faces that only looks at parts of a large image show."""
        longer = max(pixels.shape[:2])
        sightings = []
        for share in TILE_SHARES:
            if share * longer < SMALLEST_TILE_PX:
                break
            for corner, tile in cut_tiles(pixels, round(share * longer), TILE_STEP):
                look = self._short.look(tile, border=0.0, least_found=LEAST_FOUND_IN_TILE)
                boxes = look.boxes + np.array(corner * 2)
                sightings += merge(boxes, look.found, SAME_FACE)[:MOST_SIGHTINGS]
        taken = np.array([box for box, _ in known]).reshape(-1, 4)
        new = [
            (box, found)
            for box, found in drop_contained(sightings, SAME_FACE)
            if not (overlap(box, taken) > SAME_FACE).any()
        ]
        return self._confirm_all(pixels, new, IN_TILE)

    def _confirm_all(
        self, pixels: NDArray[np.uint8], sightings: list[Seen], doubt: Doubt
    ) -> list[Seen]:
        judged = [(box, self._confirm(pixels, box, found, doubt)) for box, found in sightings]
        return [(box, found) for box, found in judged if found > 0.0]

    def _confirm(self, pixels: NDArray[np.uint8], box: Boxes, first: float, doubt: Doubt) -> float:
        """Look at a sighting again, and once more where that leaves doubt.

        Returns:
            The mean confidence; 0 where it is no face.
        """
        if first >= doubt.certain:
            return first
        second = self._look_again(pixels, box)
        if min(first, second) >= STRONG:
            return (first + second) / 2
        if first + second + THIRD_MOST < 3 * doubt.confirmed:
            return 0.0
        left, top, side = _place_square(box, THIRD_ZOOM)
        cut = cut_with_border(pixels, left, top, side, GREY)
        half = _measure_side(box) / 2
        middle = np.array([side / 2 - half, side / 2 - half, side / 2 + half, side / 2 + half])
        for quarter in doubt.quarters:
            sightings = self._full.look(turn(cut, quarter), border=0.0, least_found=0.05)
            there = overlap(middle, sightings.boxes) > SAME_FACE
            third = float(sightings.found[there].max(initial=0.0))
            if (mean := (first + second + third) / 3) >= doubt.confirmed:
                return mean
        return 0.0

    def _look_again(self, pixels: NDArray[np.uint8], box: Boxes) -> float:
        """Look at the square around a sighting; 0 where no face is seen at its place."""
        left, top, side = _place_square(box, SECOND_ZOOM)
        cut = cut_with_border(pixels, left, top, side, GREY)
        sightings = self._short.look(cut, border=0.0, least_found=0.05)
        there = overlap(box, sightings.boxes + np.array([left, top] * 2)) > SAME_FACE
        return float(sightings.found[there].max(initial=0.0))


def sort_faces(seen: list[Seen], height: int, width: int) -> list[Face]:
    """Clip boxes to the image and give faces, largest first, the same order every time."""
    faces = []
    for box, found in seen:
        left, top, right, bottom = (round(float(value)) for value in box)
        left, top = min(max(left, 0), width - 1), min(max(top, 0), height - 1)
        right, bottom = min(max(right, left + 1), width), min(max(bottom, top + 1), height)
        faces.append(Face(box=(left, top, right, bottom), found=round(found, 4)))
    return sorted(faces, key=lambda face: (-_measure_area(face.box), face.box))


def _turn_around(seen: list[Seen], shape: tuple[int, ...]) -> list[Seen]:
    """Give boxes of the picture that is upside down in the upright one."""
    corner = np.array([shape[1], shape[0]] * 2)
    return [((corner - box)[[2, 3, 0, 1]], found) for box, found in seen]


def _place_square(box: Boxes, zoom: float) -> tuple[int, int, int]:
    """Place a square around a box: left, top, side."""
    side = max(1, round(zoom * _measure_side(box)))
    left, top = (round(float(value)) for value in (box[:2] + box[2:] - side) / 2)
    return left, top, side


def _measure_side(box: Boxes) -> float:
    return float(max(box[2] - box[0], box[3] - box[1]))


def _measure_area(box: Box) -> int:
    return (box[2] - box[0]) * (box[3] - box[1])
