"""Faces found again: which of them a project has already, whatever model or detector looked before."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .scan import IMAGE_DESCRIPTION

Box = tuple[int, int, int, int]

# Two detectors draw the box of one face differently (dlib's are square, from brows to chin); two faces of a photo
# hardly overlap.
SAME_FACE = 0.3


def match_faces(found: Sequence[Box], known: Sequence[Box]) -> list[int | None]:
    """Of each found box, the place of the known box that shows the same face; None where there is none.

    Boxes: x, y, width, height in pixels of one photo. They are paired one to one, so that the sum of their
    intersections over unions is largest; below ``SAME_FACE`` two boxes are two faces.
    """
    from scipy.optimize import linear_sum_assignment

    overlap = overlaps(found, known)
    overlap[overlap < SAME_FACE] = 0
    partner: list[int | None] = [None] * len(found)
    for row, column in zip(*linear_sum_assignment(overlap, maximize=True), strict=True):
        if overlap[row, column] > 0:
            partner[row] = int(column)
    return partner


def provenance_of(crop: Path) -> tuple[str, Box] | None:
    """What the file of a crop tells, see ``cut_out``: its photo's SHA-1, its box; None where it tells nothing."""
    from PIL import Image

    try:
        with Image.open(crop) as image:
            return as_provenance(str(image.getexif().get(IMAGE_DESCRIPTION, "")))
    except (OSError, ValueError):
        return None


def as_provenance(told: str) -> tuple[str, Box] | None:
    """The SHA-1 of a photo and a box, as the description of a crop writes them; None where it tells nothing."""
    try:
        known = json.loads(told)
        x, y, width, height = known["box"]
        return str(known["sha1"]), (int(x), int(y), int(width), int(height))
    except (ValueError, KeyError, TypeError):
        return None


def overlaps(ones: Sequence[Box], others: Sequence[Box]) -> NDArray[np.float64]:
    """(n,) and (m,) boxes → (n, m) intersections over unions, 0–1."""
    first = np.array(ones, dtype=np.float64).reshape(-1, 1, 4)
    second = np.array(others, dtype=np.float64).reshape(1, -1, 4)
    start = np.maximum(first[..., :2], second[..., :2])
    end = np.minimum(first[..., :2] + first[..., 2:], second[..., :2] + second[..., 2:])
    common = np.clip(end - start, 0, None).prod(axis=-1)
    union = first[..., 2:].prod(axis=-1) + second[..., 2:].prod(axis=-1) - common
    return np.asarray(common / np.maximum(union, 1e-12), dtype=np.float64)
