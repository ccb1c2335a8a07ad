"""The default, on corpora it was not told about."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage

from panoptic_faces.core import auto, cluster_faces, evaluate, neighbors
from panoptic_faces.core.auto import Floats
from panoptic_faces.core.constraints import Ints
from panoptic_faces.core.impostors import Impostors
from panoptic_faces.core.linkage import Clusters

from .test_faces import partition, people

MODELS = ("sface", "mobilefacenet192")
SETS = ("bbt_cast", "five_celebs", "orl_att", "lfw_a")
MARGIN = 0.01
LEAST_PRECISION = 0.97


def faces_of(shared: Path, name: str, model: str) -> tuple[NDArray[np.float32], NDArray[np.str_]]:
    with np.load(shared / "data" / "emb" / f"{name}.{model}.npz") as arrays:
        return arrays["emb"], arrays["label"]


def oracle(vectors: NDArray[np.float32], truth: NDArray[np.str_]) -> float:
    """BCubed F of average linkage at its best threshold, labels in hand."""
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    distance = np.clip(1 - (unit @ unit.T)[np.triu_indices(len(unit), 1)], 0, 2)
    tree = linkage(distance.astype(np.float64), "average")
    return max(evaluate(fcluster(tree, 1 - similarity, "distance"), truth)["bcubed_f"]
               for similarity in np.arange(0.1, 0.7, 0.02))


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("name", SETS)
def test_untuned_it_keeps_up_with_the_tuned_oracle(shared: Path, name: str, model: str) -> None:
    vectors, truth = faces_of(shared, name, model)
    figures = evaluate(cluster_faces(vectors).labels, truth)
    assert figures["bcubed_f"] >= oracle(vectors, truth) - MARGIN
    assert figures["bcubed_precision"] >= LEAST_PRECISION


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("seed", [11, 12, 13])
def test_small_albums(shared: Path, model: str, seed: int) -> None:
    vectors, truth = faces_of(shared, "lfw_a", model)
    random = np.random.default_rng(seed)
    names, count = np.unique(truth, return_counts=True)
    one = np.flatnonzero(truth == random.choice(names[count >= 20]))
    strangers = np.concatenate([random.choice(np.flatnonzero(truth == name), 1)
                                for name in random.choice(names, 200, replace=False)])
    few = np.concatenate([random.permutation(np.flatnonzero(truth == name))[:30]
                          for name in random.choice(names[count >= 30], 4, replace=False)])
    for album in (one, strangers, few):
        assert evaluate(cluster_faces(vectors[album]).labels, truth[album])["bcubed_f"] > 0.95


def test_poor_faces_do_not_harm_the_others(shared: Path) -> None:
    vectors, truth = faces_of(shared, "orl_att", "sface")
    random = np.random.default_rng(0)
    poor = random.random(len(vectors)) < 0.3
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    noisy = np.where(poor[:, None], vectors + length * random.normal(size=vectors.shape) / 8, vectors)
    labels = cluster_faces(noisy, poor=poor).labels
    assert evaluate(labels[~poor], truth[~poor])["bcubed_f"] > 0.97
    assert evaluate(labels[labels >= 0], truth[labels >= 0])["bcubed_precision"] > LEAST_PRECISION


def test_photos_are_evidence(shared: Path) -> None:
    vectors, truth = faces_of(shared, "five_celebs", "sface")
    photo = np.arange(len(truth))
    photo[np.flatnonzero(truth == truth[0])[:10]] = photo[np.flatnonzero(truth == truth[-1])[:10]]
    labels = cluster_faces(vectors, groups=photo).labels
    assert evaluate(labels, truth)["bcubed_f"] > 0.95


def test_the_approximate_graph_finds_the_same_people(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, _ = people([6] * 60 + [1] * 100, spread=0.5)
    exact = cluster_faces(vectors).labels
    monkeypatch.setattr(neighbors, "EXACT_UP_TO", 100)
    assert partition(cluster_faces(vectors).labels) == partition(exact)


def test_the_length_of_vectors_does_not_matter() -> None:
    vectors, _ = people([5, 5, 3, 1])
    factor = np.random.default_rng(1).choice([0.25, 1, 4], (len(vectors), 1))
    assert (cluster_faces(vectors).labels == cluster_faces(vectors * factor).labels).all()


def test_adoption_ends_after_three_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    def one_a_round(clusters: Clusters, impostors: Impostors, left: Ints, adults: Ints) -> tuple[Ints, Floats]:
        chance = np.ones(len(left))
        chance[0] = 0
        return np.zeros(len(left), dtype=np.int64), chance

    vectors, truth = people([8, 1, 1, 1, 1, 1], spread=0.1)
    assert np.bincount(cluster_faces(vectors).labels).tolist() == [8, 1, 1, 1, 1, 1]
    monkeypatch.setattr(auto, "resemblance", one_a_round)
    labels = cluster_faces(vectors).labels
    assert len(np.unique(labels[truth == 0])) == 1 and np.bincount(labels).tolist() == [11, 1, 1]
