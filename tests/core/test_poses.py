"""Near-duplicates that are mirrored or turned."""

from __future__ import annotations

import numpy as np
import pytest

from panoptic_faces.core.errors import FacesError
from panoptic_faces.core.poses import group_turned_duplicates
from panoptic_faces.core.types import NOISE


def turned(rows: np.ndarray) -> np.ndarray:
    """Four poses: quarter turns of the axes, two by two."""
    quarter = np.kron(np.eye(rows.shape[1] // 2), [[0.0, -1.0], [1.0, 0.0]])
    poses = [rows]
    for _ in range(3):
        poses.append(poses[-1] @ quarter)
    return np.stack(poses)


def test_pictures_that_are_alike_after_a_turn_are_one_group() -> None:
    random = np.random.default_rng(0)
    rows = random.standard_normal((20, 32))
    rows[5] = turned(rows)[1, 3]
    rows[7] = turned(rows)[2, 3] + 0.05 * random.standard_normal(32)
    found = group_turned_duplicates(turned(rows))
    assert sorted(found.members(0).tolist()) == [3, 5, 7] and len(found) == 1
    assert (found.labels == NOISE).sum() == 17
    assert found.notes["turned"].sum() == 2
    assert 0.95 <= found.scores[0] < 1 and not found.notes["exact"][0]


def test_groups_stay_disjoint_in_any_order() -> None:
    random = np.random.default_rng(1)
    rows = random.standard_normal((60, 16))
    rows[20:] = rows[random.integers(0, 20, 40)] + 0.3 * random.standard_normal((40, 16))
    shuffle = random.permutation(60)
    straight, mixed = (group_turned_duplicates(turned(each), 0.9) for each in (rows, rows[shuffle]))
    assert len(straight) > 5
    np.testing.assert_array_equal(np.sort(straight.scores), np.sort(mixed.scores))
    together = straight.labels[shuffle][:, None] == straight.labels[shuffle]
    np.testing.assert_array_equal(together, mixed.labels[:, None] == mixed.labels)


def test_a_set_without_poses_gets_a_sentence() -> None:
    with pytest.raises(FacesError):
        group_turned_duplicates(np.eye(3))
