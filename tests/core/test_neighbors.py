"""Unit vectors and graphs against their plain definitions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from panoptic_faces.core import neighbors
from panoptic_faces.core.errors import FacesError
from panoptic_faces.core.neighbors import nearest, range_graph, similarity_blocks, unit_vectors


def random_unit(n: int, d: int = 12, seed: int = 0) -> np.ndarray:
    return unit_vectors(np.random.default_rng(seed).normal(size=(n, d)))


def test_huge_and_tiny_vectors_become_unit() -> None:
    unit = unit_vectors([[1e300, 0.0], [3e-300, 4e-300], [-2.0, 0.0]])
    assert unit == pytest.approx(np.array([[1, 0], [0.6, 0.8], [-1, 0]]))


def test_numbers_in_an_array_of_objects_are_numbers() -> None:
    assert unit_vectors(np.array([[3, 4.0]], dtype=object)) == pytest.approx(np.array([[0.6, 0.8]]))


@pytest.mark.parametrize(("given", "code"), [
    ([[1, 2], [np.inf, 1]], "vectors_not_finite"), ([[1, 2], [0, 0]], "vectors_zero"), ([1, 2], "vectors_shape"),
    ([["a", "b"]], "vectors_not_numbers"), ([[1], [1, 2]], "vectors_not_numbers")])
def test_bad_vectors_are_refused(given: Any, code: str) -> None:
    with pytest.raises(FacesError) as refused:
        unit_vectors(given)
    assert refused.value.code == code


def test_blocks_make_up_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    unit = random_unit(50)
    monkeypatch.setattr(neighbors, "BLOCK_CELLS", 170)
    blocks = list(similarity_blocks(unit))
    assert len(blocks) > 10
    assert np.concatenate([block for _, block in blocks]) == pytest.approx(unit @ unit.T, abs=1e-6)
    graph = range_graph(unit, 0.2).toarray()
    expected = unit @ unit.T
    np.fill_diagonal(expected, 0)
    assert graph == pytest.approx(np.where(expected >= 0.2, expected, 0), abs=1e-6)


@pytest.mark.parametrize("k", [1, 5, 100])
def test_nearest_is_exact_and_names_each_pair_once(k: int) -> None:
    unit = random_unit(60)
    a, b, similar = nearest(unit, k)
    full = unit @ unit.T
    np.fill_diagonal(full, -2)
    expected = {(min(i, j), max(i, j)) for i in range(60) for j in np.argsort(-full[i])[: min(k, 59)].tolist()}
    assert set(zip(a.tolist(), b.tolist(), strict=True)) == expected and len(a) == len(expected)
    assert similar == pytest.approx(full[a, b], abs=1e-6)


@pytest.mark.parametrize("n", [0, 1])
def test_nobody_has_neighbours_alone(n: int) -> None:
    assert [len(part) for part in nearest(random_unit(n), 3)] == [0, 0, 0]


def test_the_inverted_file_finds_close_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    unit = unit_vectors(np.repeat(random.normal(size=(300, 32)), 4, axis=0) + 0.3 * random.normal(size=(1200, 32)))
    exact = nearest(unit, 3)
    monkeypatch.setattr(neighbors, "EXACT_UP_TO", 10)
    found = nearest(unit, 3)
    pairs, close = (set(zip(e[0].tolist(), e[1].tolist(), strict=True)) for e in (found, exact))
    assert len(pairs & close) > 0.95 * len(close)
    np.testing.assert_array_equal(np.stack(nearest(unit, 3)), np.stack(found))
