"""Faces found again by another model or detector."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from panoptic_faces.services.rescan import Box, as_provenance, match_faces, overlaps, provenance_of
from panoptic_faces.services.scan import Photo, cut_out

sides = st.integers(0, 60)
boxes = st.lists(st.tuples(sides, sides, st.integers(1, 40), st.integers(1, 40)), max_size=8)


def test_overlaps_of_known_boxes() -> None:
    found = overlaps([(0, 0, 10, 10)], [(0, 0, 10, 10), (5, 0, 10, 10), (10, 0, 10, 10), (0, 0, 5, 5)])
    np.testing.assert_allclose(found, [[1, 50 / 150, 0, 0.25]])


def test_each_face_is_paired_once_and_the_whole_counts() -> None:
    # The first would take what only the second can have.
    known = [(0, 0, 100, 100), (40, 0, 100, 100)]
    assert match_faces([(20, 0, 100, 100), (0, 0, 90, 100)], known) == [1, 0]
    assert match_faces([(0, 0, 100, 100), (1, 0, 100, 100)], known[:1]) == [0, None]


def test_a_square_box_from_brows_to_chin_is_the_face_of_a_tall_one() -> None:
    assert match_faces([(105, 140, 90, 90)], [(100, 100, 100, 135)]) == [0]
    assert match_faces([(300, 140, 90, 90)], [(100, 100, 100, 135)]) == [None]


def test_nothing_matches_nothing() -> None:
    assert match_faces([], [(0, 0, 5, 5)]) == []
    assert match_faces([(0, 0, 5, 5)], []) == [None]


def test_a_crop_tells_its_photo_and_its_box(tmp_path: Path) -> None:
    picture = np.zeros((80, 80, 3), dtype=np.uint8)
    file = tmp_path / "crop.jpg"
    file.write_bytes(cut_out(picture, (10, 20, 30, 40), Photo("abc", "été.jpg", b"")))
    assert provenance_of(file) == ("abc", (10, 20, 30, 40))
    file.write_bytes(b"no picture")
    assert provenance_of(file) is None and provenance_of(tmp_path / "gone.jpg") is None
    for told in ("", "[]", "{}", '{"sha1": "a", "box": [1, 2]}', '{"sha1": "a", "box": "abcd"}', "null"):
        assert as_provenance(told) is None


@given(boxes, boxes)
def test_partners_are_distinct_and_overlap(found: list[Box], known: list[Box]) -> None:
    partners = match_faces(found, known)
    taken = [place for place in partners if place is not None]
    assert len(partners) == len(found) and len(set(taken)) == len(taken)
    for box, place in zip(found, partners, strict=True):
        assert place is None or overlaps([box], [known[place]])[0, 0] >= 0.3


@given(boxes)
def test_the_same_boxes_are_the_same_faces(known: list[Box]) -> None:
    for box, place in zip(known, match_faces(known, known), strict=True):
        assert place is not None and known[place] == box
