"""Maps: near stays near, seeded, the same in any order."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from panoptic_faces.core.errors import FacesError
from panoptic_faces.core.projection import project

UMAP = pytest.param("umap", marks=pytest.mark.skipif(importlib.util.find_spec("umap") is None,
                                                     reason="needs the extra umap"))
EVERY = ["graph", "pca", "tsne", UMAP]


def islands(n: int = 90, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    kinds = np.repeat(np.arange(3), n // 3)
    return (np.eye(3, 20)[kinds] + 0.05 * random.standard_normal((len(kinds), 20))).astype(np.float32), kinds


@pytest.mark.parametrize("method", EVERY)
def test_islands_stay_apart(method: str) -> None:
    rows, kinds = islands()
    points = project(rows, method)
    assert points.shape == (90, 2) and points.dtype == np.float32
    assert np.abs(points).max() == pytest.approx(1)
    apart = np.linalg.norm(points[:, None] - points, axis=2)
    np.fill_diagonal(apart, np.inf)
    assert (kinds[apart.argmin(axis=1)] == kinds).all()


@pytest.mark.parametrize("method", EVERY)
def test_the_order_of_the_images_changes_nothing(method: str) -> None:
    rows, _ = islands()
    rows[5] = rows[40]
    shuffle = np.random.default_rng(1).permutation(len(rows))
    straight, mixed = project(rows, method, seed=4), project(rows[shuffle], method, seed=4)
    np.testing.assert_array_equal(mixed, straight[shuffle])
    np.testing.assert_array_equal(straight[5], straight[40])


@pytest.mark.parametrize("method", EVERY)
@pytest.mark.parametrize("rows", [np.zeros((0, 3)), np.ones((1, 3)), np.ones((9, 3)), np.eye(2), np.eye(7),
                                  np.array([[1.0], [-1.0]])])
def test_small_sets(method: str, rows: np.ndarray) -> None:
    points = project(rows, method)
    assert points.shape == (len(rows), 2) and np.isfinite(points).all()


def of_one_person(points: np.ndarray, people: np.ndarray) -> float:
    """Of the five nearest on the map, how many are of the same person; of people with at least six faces."""
    names, counts = np.unique(people, return_counts=True)
    asked = np.isin(people, names[counts > 5])
    near = NearestNeighbors(n_neighbors=6).fit(points).kneighbors(points[asked], return_distance=False)[:, 1:]
    return float((people[near] == people[asked][:, None]).mean())


@pytest.mark.parametrize(("name", "least"), [("lfw_a", 0.88), ("orl_att", 0.98), ("five_celebs", 0.97)])
def test_faces_of_one_person_lie_together(shared: Path, name: str, least: float) -> None:
    with np.load(shared / f"data/emb/{name}.sface.npz") as arrays:
        vectors, people = arrays["emb"], arrays["label"]
    figures = {method: of_one_person(project(vectors, method), people) for method in ("graph", "pca")}
    print(name, figures)
    assert figures["graph"] > max(least, figures["pca"])


def test_pca_shows_the_two_main_directions() -> None:
    rows, _ = islands()
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    centred = unit - unit.mean(axis=0)
    main = centred @ np.linalg.svd(centred, full_matrices=False)[2][:2].T
    points = project(rows, "pca")
    for axis in range(2):
        assert abs(np.corrcoef(points[:, axis], main[:, axis])[0, 1]) > 0.999


def test_an_unknown_method_gets_a_sentence() -> None:
    with pytest.raises(FacesError, match="graph, pca, tsne, umap"):
        project(np.eye(3), "mds")


def test_umap_without_its_package_gets_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(FacesError, match="pip install umap-learn"):
        project(islands()[0], "umap")
