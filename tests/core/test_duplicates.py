"""Groups of near-duplicates: exact, disjoint, the same in any order."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.sparse.csgraph import connected_components

from panoptic_faces.core import duplicates
from panoptic_faces.core.duplicates import best_copies_first, group_duplicates
from panoptic_faces.core.errors import FacesError
from panoptic_faces.core.types import NOISE, Clustering


def planted(n: int, d: int, seed: int = 0) -> np.ndarray:
    """Random unit vectors of which a third are copies with more or less noise, some of them exact."""
    random = np.random.default_rng(seed)
    rows = random.standard_normal((n, d))
    taken = random.permutation(n)[: n // 3]
    noise = random.choice([0.0, 0.1, 0.3, 0.6], size=len(taken))[:, None]
    rows[taken] = rows[random.integers(0, n, len(taken))] + noise * random.standard_normal((len(taken), d))
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)


def groups(found: Clustering) -> set[frozenset[int]]:
    return {frozenset(found.members(i).tolist()) for i in range(len(found))}


def cosines(rows: np.ndarray) -> np.ndarray:
    wide = rows.astype(np.float64)
    wide /= np.linalg.norm(wide, axis=1, keepdims=True)
    return np.asarray(wide @ wide.T)


@pytest.mark.parametrize("threshold", [0.3, 0.8, 0.95])
def test_every_pair_of_a_group_reaches_the_threshold_and_no_two_groups_could_be_one(threshold: float) -> None:
    rows = planted(300, 24)
    found = group_duplicates(rows, threshold)
    near = cosines(rows)
    sets = [found.members(i) for i in range(len(found))] + [np.array([i]) for i in
                                                            np.flatnonzero(found.labels == NOISE)]
    for i, one in enumerate(sets):
        assert near[np.ix_(one, one)].min() >= threshold - 1e-6
        for other in sets[:i]:
            assert near[np.ix_(one, other)].min() < threshold + 1e-6


@pytest.mark.parametrize("n, d", [(300, 24), (2600, 64)])
def test_components_are_those_of_all_pairs(n: int, d: int) -> None:
    rows = planted(n, d)
    near = cosines(rows)
    assert np.abs(near - 0.9).min() > 1e-6
    names = connected_components(near >= 0.9, directed=False)[1]
    expected = {frozenset(np.flatnonzero(names == name).tolist()) for name in np.unique(names)}
    found = group_duplicates(rows, 0.9, linkage="components")
    assert groups(found) == {group for group in expected if len(group) > 1}


def test_the_bound_hides_no_pair() -> None:
    # Enough rows for the upper bound to be used, at a threshold that it can hardly tell from chance.
    rows = planted(4200, 64)
    near = np.triu(cosines(rows), 1)
    assert duplicates._sketch(rows, np.arange(len(rows))) is not None
    pairs: set[tuple[int, int]] = set()
    for i, j in duplicates._similar_pairs(rows, np.arange(len(rows)), 0.5):
        pairs.update(zip(i.tolist(), j.tolist(), strict=True))
    certain = set(zip(*(axis.tolist() for axis in np.nonzero(near >= 0.5 + 1e-6)), strict=True))
    possible = set(zip(*(axis.tolist() for axis in np.nonzero(near >= 0.5 - 1e-6)), strict=True))
    assert certain <= pairs <= possible


@pytest.mark.parametrize("alike", [0, 70])
def test_components_are_those_of_all_pairs_whatever_the_tiles(monkeypatch: pytest.MonkeyPatch, alike: int) -> None:
    """Tiles without a hopeful pair are passed over, and so are pairs that are one already."""
    monkeypatch.setattr(duplicates, "TILE", (32, 32))
    rows = planted(150, 64)
    rows[:alike] = rows[0] + 0.01 * rows[:alike]
    names = connected_components(cosines(rows) >= 0.95, directed=False)[1]
    expected = {frozenset(np.flatnonzero(names == name).tolist()) for name in np.unique(names)}
    found = group_duplicates(rows, 0.95, linkage="components")
    assert groups(found) == {group for group in expected if len(group) > 1}


def test_the_order_of_the_rows_changes_nothing() -> None:
    rows = planted(400, 32)
    shuffle = np.random.default_rng(1).permutation(len(rows))
    straight, mixed = group_duplicates(rows, 0.9), group_duplicates(rows[shuffle], 0.9)
    np.testing.assert_array_equal(mixed.labels, straight.labels[shuffle])
    np.testing.assert_array_equal(mixed.scores, straight.scores)


def test_a_chain_is_cut_by_complete_linkage_and_followed_by_components() -> None:
    angles = np.deg2rad([0, 15, 30])
    rows = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    threshold = float(np.cos(np.deg2rad(16)))
    assert len(group_duplicates(rows, threshold).members(0)) == 2
    chained = group_duplicates(rows, threshold, linkage="components")
    assert len(chained.members(0)) == 3
    assert chained.scores[0] == pytest.approx(np.cos(np.deg2rad(30)))


@pytest.mark.parametrize("similarity, grouped", [(0.9452, False), (0.9502, True)])
def test_similarities_are_compared_unrounded(similarity: float, grouped: bool) -> None:
    rows = np.array([[1, 0], [similarity, np.sqrt(1 - similarity**2)]])
    assert (len(group_duplicates(rows, 0.95)) == 1) is grouped


def test_a_table_in_memory_and_one_computed_when_asked_agree() -> None:
    rows = planted(200, 8)
    near = np.arange(len(rows))
    whole = duplicates._complete_linkage(rows, near, 0.7)

    class Small(np.ndarray):
        size = 0

    lean = duplicates._complete_linkage(rows.view(Small), near, 0.7)
    np.testing.assert_array_equal(lean, whole)


def test_exact_copies_come_first_and_are_marked() -> None:
    rows = np.array([[1, 0, 0], [0.999, 0.03, 0], [0, 1, 0], [0, 2, 0], [0, 0, 1]])
    found = group_duplicates(rows, 0.95)
    assert found.members(0).tolist() == [2, 3] and found.members(1).tolist() == [0, 1]
    assert found.notes["exact"].tolist() == [True, False]
    assert found.notes["copies"].tolist() == [-1, -1, 0, 0, -1]
    assert found.scores[0] == 1.0
    assert found.labels[4] == NOISE


def test_a_threshold_of_one_finds_the_same_direction_only() -> None:
    random = np.random.default_rng(0)
    row = random.standard_normal((1, 512)).astype(np.float32)
    rows = np.concatenate([row, row * 3, row + 0.01 * random.standard_normal((1, 512))])
    assert groups(group_duplicates(rows, 1)) == {frozenset({0, 1})}


def test_many_near_identical_images_are_one_group() -> None:
    random = np.random.default_rng(0)
    rows = random.standard_normal(64) + 0.01 * random.standard_normal((400, 64))
    found = group_duplicates(rows)
    assert len(found) == 1 and len(found.members(0)) == 400


def test_the_best_copy_has_most_pixels_then_is_sharpest() -> None:
    rows = np.ones((4, 3))
    found = group_duplicates(rows)
    assert best_copies_first(found, [10, 40, 40, 20], [9, 1, 5, 9])[0].tolist() == [2, 1, 3, 0]
    assert best_copies_first(found, [1, 1, 2, 1])[0].tolist() == [2, 0, 1, 3]


@pytest.mark.parametrize("n", [0, 1])
def test_too_few_images_have_no_duplicates(n: int) -> None:
    found = group_duplicates(np.ones((n, 3)))
    assert len(found) == 0 and found.labels.tolist() == [NOISE] * n


@pytest.mark.parametrize("threshold", [0, -0.5, 1.01, 95, "", "much", None, float("nan")])
def test_a_wrong_threshold_gets_a_sentence(threshold: Any) -> None:
    with pytest.raises(FacesError) as error:
        group_duplicates(np.eye(3), threshold)
    assert error.value.code == "min_similarity" and str(error.value)


def test_a_wrong_linkage_gets_a_sentence() -> None:
    with pytest.raises(FacesError, match="complete, components"):
        group_duplicates(np.eye(3), linkage="ward")


def test_a_row_at_fault_is_named_by_its_own_number() -> None:
    rows = np.ones((5000, 3), dtype=np.float32)
    rows[4321, 1] = np.nan
    with pytest.raises(FacesError, match="4321"):
        group_duplicates(rows)
