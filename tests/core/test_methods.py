"""The methods beyond the sizes at which they turn to cheaper ways."""

from __future__ import annotations

import numpy as np
import pytest

from panoptic_faces.core import cluster_faces, evaluate, methods
from panoptic_faces.core.errors import FacesError
from panoptic_faces.core.types import NOISE

from .test_faces import partition, people


def test_a_large_piece_is_agglomerated_on_its_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    # A bridge makes one piece of two people, so that the agglomeration has to part them.
    vectors, truth = people([20, 20], spread=0.4)
    vectors = np.concatenate([vectors, vectors[truth == 0][:1] + vectors[truth == 1][:1]])
    whole = cluster_faces(vectors, "agglomerative", threshold=0.5).labels
    monkeypatch.setattr(methods, "DENSE", 15)
    sparse = cluster_faces(vectors, "agglomerative", threshold=0.5).labels
    assert partition(sparse[:40]) == partition(whole[:40]) == {
        frozenset(np.flatnonzero(truth == person).tolist()) for person in (0, 1)}


def test_a_large_piece_holds_no_pair_of_groups_that_the_threshold_would_join(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(methods, "DENSE", 10)
    vectors, _ = people([1] * 25, dimension=4, seed=3)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    groups = [list(group) for group in partition(cluster_faces(vectors, "agglomerative", threshold=0.3).labels)]
    assert 1 < len(groups) < 25
    for i, one in enumerate(groups):
        for other in groups[:i]:
            assert (unit[one] @ unit[other].T).mean() < 0.3


def test_a_number_of_groups_of_too_many_faces_gets_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, _ = people([3, 3])
    assert len(cluster_faces(vectors, "agglomerative", n_clusters=2)) == 2
    monkeypatch.setattr(methods, "DENSE", 5)
    with pytest.raises(FacesError, match="5.*6") as refused:
        cluster_faces(vectors, "agglomerative", n_clusters=2)
    assert refused.value.code == "agglomerative_number"


@pytest.mark.parametrize("n_clusters", [4, -1])
def test_spectral_finds_people_among_many_faces_in_any_order(n_clusters: int) -> None:
    vectors, truth = people([200, 150, 100, 70], spread=0.4)
    labels = cluster_faces(vectors, "spectral", n_clusters=n_clusters).labels
    assert evaluate(labels, truth)["bcubed_f"] == 1
    order = np.random.default_rng(1).permutation(len(vectors))
    assert (cluster_faces(vectors[order], "spectral", n_clusters=n_clusters).labels == labels[order]).all()


def test_a_poor_face_joins_nobody_where_nothing_tells_how_near_faces_lie() -> None:
    found = cluster_faces(np.eye(3) + 0.1, "agglomerative", threshold=0.9, poor=[False, False, True])
    assert len(found) == 2 and found.labels[2] == NOISE
