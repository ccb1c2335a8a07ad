"""Faces found again by another model or detector."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from panoptic_faces.services.rescan import Box, match_faces, overlaps

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
