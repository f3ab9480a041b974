"""Faces: where they are in an image, largest first."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detector.blaze import GREY, BlazeNetwork
from detector.boxes import Boxes, cut_with_border, merge, overlap, shrink, turn, turn_back
from detector.crops import Box

BLAZE = "blaze"

LARGEST_PX = 1280
"""Longer side of the pixels that are looked at; larger images are shrunk once."""

BORDERS = (0.15, 0.4)
"""Grey around the picture, tried in turn: a face that fills the picture is seen only with room
around it."""

LEAST_FOUND = 0.4
"""Confidence from which a sighting is looked at again."""

CONFIRM_ZOOM = 2.0
"""Side of the square of the second look over the side of the box."""

CONFIRMED = 0.4
"""Confidence that the second look must have."""

SAME_FACE = 0.3
"""Overlap from which two boxes are one face."""


@dataclass(frozen=True)
class Face:
    """One face.

    Attributes:
        box: (left, top, right, bottom) in image pixels, inside the image, from the brows to the chin.
        found: The finder's confidence, range [0, 1].
    """

    box: Box
    found: float


class FaceFinder:
    """Finds faces with BlazeFace; safe to use from several threads, the same answer every time."""

    def __init__(self) -> None:
        """Read the network's file."""
        self.name = BLAZE
        self._network = BlazeNetwork()

    def find(self, pixels: NDArray[np.uint8]) -> list[Face]:
        """Find the faces of an image, upright ones first and others only where there are none.

        Args:
            pixels: RGB, shape `(height, width, 3)`, dtype uint8.

        Returns:
            Largest first; the same order every time.
        """
        height, width = pixels.shape[:2]
        small = shrink(pixels, LARGEST_PX)
        for quarters in (0, 2, 1, 3):
            seen = self._find_upright(turn(small, quarters))
            if seen:
                back = [(turn_back(box, quarters, *small.shape[:2]), found) for box, found in seen]
                factors = np.array([width / small.shape[1], height / small.shape[0]] * 2)
                return sort_faces([(box * factors, found) for box, found in back], height, width)
        return []

    def _find_upright(self, pixels: NDArray[np.uint8]) -> list[tuple[Boxes, float]]:
        for border in BORDERS:
            sightings = self._network.look(pixels, border=border, least_found=LEAST_FOUND)
            seen = merge(sightings.boxes, sightings.found, SAME_FACE)
            confirmed = [
                (box, (found + again) / 2)
                for box, found in seen
                if (again := self._look_again(pixels, box)) >= CONFIRMED
            ]
            if confirmed:
                return confirmed
        return []

    def _look_again(self, pixels: NDArray[np.uint8], box: Boxes) -> float:
        """Look at the square around a sighting; 0 where no face is seen at its place."""
        side = max(1, round(CONFIRM_ZOOM * float(max(box[2] - box[0], box[3] - box[1]))))
        left, top = (round(float(value)) for value in (box[:2] + box[2:] - side) / 2)
        cut = cut_with_border(pixels, left, top, side, GREY)
        sightings = self._network.look(cut, border=0.0, least_found=CONFIRMED)
        if not len(sightings.found):
            return 0.0
        placed = sightings.boxes + np.array([left, top, left, top])
        there = overlap(box, placed) > SAME_FACE
        return float(sightings.found[there].max(initial=0.0))


def sort_faces(seen: list[tuple[Boxes, float]], height: int, width: int) -> list[Face]:
    """Clip boxes to the image and give faces, largest first, the same order every time."""
    faces = []
    for box, found in seen:
        left, top, right, bottom = (round(float(value)) for value in box)
        left, top = min(max(left, 0), width - 1), min(max(top, 0), height - 1)
        right, bottom = min(max(right, left + 1), width), min(max(bottom, top + 1), height)
        faces.append(Face(box=(left, top, right, bottom), found=round(found, 4)))
    return sorted(faces, key=lambda face: (-_area(face.box), face.box))


def _area(box: Box) -> int:
    return (box[2] - box[0]) * (box[3] - box[1])
