"""Faces into people: one table of methods, one entrance."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from . import methods
from .auto import auto
from .constraints import Faces, Ints, enforce, prepare
from .errors import FacesError
from .neighbors import unit_vectors
from .types import NOISE, Clustering


@dataclass(frozen=True)
class Parameter:
    """A parameter of a method: its default decides its type; numbers have a range, texts have choices."""

    name: str
    default: int | float | str
    low: float = 0.0
    high: float = 0.0
    choices: tuple[str, ...] = ()

    def check(self, method: str, value: Any) -> int | float | str:
        """The value in the parameter's type; raises FacesError ``parameter_range``."""
        if self.choices:
            if value in self.choices:
                return str(value)
            raise FacesError("parameter_range", name=self.name, method=method, got=repr(value),
                             allowed=" | ".join(self.choices))
        kind = type(self.default)
        try:
            if isinstance(value, bool) or (isinstance(value, str) and not value.strip()):
                raise ValueError
            number = float(value)
            if not self.low <= number <= self.high or (kind is int and number != int(number)):
                raise ValueError
        except (TypeError, ValueError, OverflowError):
            raise FacesError("parameter_range", name=self.name, method=method, got=repr(value),
                             allowed=f"{self.low:g} … {self.high:g}") from None
        return kind(number)


@dataclass(frozen=True)
class Clusterer:
    """A row of :data:`CLUSTERERS`.

    function: takes the faces (in the order of their content) and every parameter by keyword; returns (n,)
    int64 labels, −1 = noise. constrained: the function honours constraints and poor faces by itself; others
    see only the good faces, and their result is split and merged afterwards until it obeys.
    """

    name: str
    function: Callable[..., Ints]
    parameters: tuple[Parameter, ...] = ()
    constrained: bool = False


_CLUSTERERS = (
    Clusterer("auto", auto, constrained=True),
    Clusterer("dbscan", methods.dbscan, (
        Parameter("metric", "cosine", choices=("cosine", "euclidean")),
        Parameter("eps", 0.5, 0.0, 2.0), Parameter("min_samples", 3, 1, 1000))),
    Clusterer("hdbscan", methods.hdbscan, (
        Parameter("min_cluster_size", 5, 2, 1000), Parameter("min_samples", 0, 0, 1000))),
    Clusterer("chinese_whispers", methods.chinese_whispers, (
        Parameter("threshold", 0.5, -1.0, 1.0), Parameter("iterations", 20, 1, 1000))),
    Clusterer("agglomerative", methods.agglomerative, (
        Parameter("linkage", "average", choices=("average", "complete", "single")),
        Parameter("threshold", 0.4, -1.0, 1.0), Parameter("n_clusters", 0, 0, 1_000_000))),
    Clusterer("spectral", methods.spectral, (Parameter("n_clusters", -1, -1, 1000),)),
    Clusterer("kmeans", methods.kmeans, (Parameter("n_clusters", -1, -1, 1_000_000),)),
)
CLUSTERERS: Mapping[str, Clusterer] = MappingProxyType({row.name: row for row in _CLUSTERERS})

# Between two parameters that a person writes; a comma between digits is one of decimals.
_BETWEEN = re.compile(r"[\s;]+|,(?=\s*[^\W\d]\w*\s*=)")


def cluster_faces(vectors: ArrayLike, method: str = "auto", *, groups: ArrayLike | None = None,
                  must_link: ArrayLike | None = None, cannot_link: ArrayLike | None = None, min_size: int = 1,
                  seed: int = 0, poor: ArrayLike | None = None, known: ArrayLike | None = None, **params: Any
                  ) -> Clustering:
    """Group the faces of the same person.

    vectors: (n, d) finite numbers, no row of zeros; their length does not matter.
    method: a name of :data:`CLUSTERERS`; params: that method's parameters, see its row.
    groups: (n,) the photo of each face, integers or texts; −1, "" or None = unknown. Faces of one photo never
    join, unless they are known to be the same person (mirrors, collages).
    must_link, cannot_link: (m, 2) pairs of indices. poor: (n,) bool; a poor face (small, blurred) may join a
    cluster but never links two and never founds one: unjoined, it is noise.
    known: (n,) int, −1 = unknown; faces already given to people: the same number stays together, different
    numbers stay apart, other faces join them or form new clusters.
    min_size: smaller clusters become noise, those of known people excepted.

    Returns a Clustering: ``scores`` are 100 × the mean cosine distance of the members to their centroid
    (0 = identical); clusters of two or more come first, best score first (ties: the larger, then by content),
    then clusters of one. ``similarities`` are cosine similarities to the own centroid, clipped to 0–1.
    The result depends on the values of the rows, never on their order; equal rows share a cluster unless a
    constraint forbids it.

    Raises FacesError: ``vectors_*`` (see unit_vectors), ``method_unknown``, ``parameter_unknown``,
    ``parameter_range``, ``constraint_length``, ``constraint_pairs``, and, naming two faces in contradiction,
    ``constraints_cannot``, ``constraints_photo``, ``constraints_known``.
    """
    row = _row(method)
    used = _parameters(row, params)
    size = int(Parameter("min_size", 1, 1, 1e9).check(method, min_size))
    faces, order = prepare(unit_vectors(vectors), groups, must_link, cannot_link, poor, known, seed)
    if len(order) == 0:
        labels = np.zeros(0, dtype=np.int64)
    elif row.constrained:
        labels = enforce(row.function(faces, **used), faces)
    else:
        labels = _constrain(row.function(_good(faces), **used), faces)
    labels, scores, similarities = _finish(_without_small(labels, faces, size), faces.unit)
    back = np.empty(len(order), dtype=np.int64)
    back[order] = np.arange(len(order))
    chosen = {"method": method, "min_size": size, **used}
    return Clustering(labels[back], scores, similarities[back], chosen, seed)


def method_parameters(method: str, settings: str) -> dict[str, Any]:
    """What a person writes as the parameters of a method, ``eps=0.5 min_samples=3``, checked.

    Separated by spaces, semicolons or commas; decimal commas are understood. Raises FacesError: ``assignments``,
    ``method_unknown``, ``parameter_unknown``, ``parameter_range``.
    """
    given: dict[str, str] = {}
    for part in filter(None, _BETWEEN.split(settings)):
        name, _, value = (piece.strip() for piece in part.partition("="))
        if not name or not value:
            raise FacesError("assignments", got=repr(part)[:80])
        given[name] = value.replace(",", ".")
    checked = _parameters(_row(method), given)
    return {name: checked[name] for name in given}


def _row(method: str) -> Clusterer:
    if method not in CLUSTERERS:
        raise FacesError("method_unknown", got=method, allowed=", ".join(CLUSTERERS))
    return CLUSTERERS[method]


def _parameters(row: Clusterer, given: Mapping[str, Any]) -> dict[str, int | float | str]:
    rows = {parameter.name: parameter for parameter in row.parameters}
    for name in given:
        if name not in rows:
            raise FacesError("parameter_unknown", name=name, method=row.name, allowed=", ".join(rows) or "–")
    return {name: parameter.check(row.name, given[name]) if name in given else parameter.default
            for name, parameter in rows.items()}


def _good(faces: Faces) -> Faces:
    """The faces that are not poor, for methods which know nothing of constraints."""
    good = ~faces.poor
    n = int(good.sum())
    none, nobody = np.zeros(n, dtype=bool), np.full(n, NOISE)
    return Faces(faces.unit[good], np.arange(n), nobody, none, nobody, {}, none, faces.seed)


def _constrain(found: Ints, faces: Faces) -> Ints:
    """A plain method's labels of the good faces → labels of all faces that obey."""
    labels = np.full(len(faces.atom), NOISE, dtype=np.int64)
    labels[~faces.poor] = found
    labels = enforce(labels, faces)
    return enforce(_join_poor(labels, faces), faces) if faces.poor.any() else labels


def _join_poor(labels: Ints, faces: Faces) -> Ints:
    """Give poor faces in no cluster to the nearest one, where they lie as near as its members do.

    A cluster's reach is the similarity to the centroid that all but a twentieth of the clustered faces have.
    """
    loose = np.flatnonzero(faces.poor & (labels == NOISE))
    clusters, inverse = np.unique(labels[labels != NOISE], return_inverse=True)
    if not len(loose) or not len(clusters):
        return labels
    centroids, own = _centroids(faces.unit[labels != NOISE], inverse.reshape(-1), len(clusters))
    several = np.bincount(inverse.reshape(-1))[inverse.reshape(-1)] > 1
    if not several.any():
        return labels
    reach = np.quantile(own[several], 0.05)
    likeness = faces.unit[loose] @ centroids.T.astype(np.float32)
    nearest = likeness.argmax(axis=1)
    close = likeness[np.arange(len(loose)), nearest] >= reach
    result = labels.copy()
    result[loose[close]] = clusters[nearest[close]]
    return result


def _without_small(labels: Ints, faces: Faces, min_size: int) -> Ints:
    """Clusters below the minimum size, or of nobody but poor faces, become noise."""
    kept = labels != NOISE
    if not kept.any():
        return labels
    n = int(labels.max()) + 1
    known = np.zeros(n, dtype=bool)
    known[labels[kept & (faces.person[faces.atom] >= 0)]] = True
    good = np.bincount(labels[kept & ~faces.poor], minlength=n) > 0
    stays = known | (good & (np.bincount(labels[kept], minlength=n) >= min_size))
    return np.where(kept & stays[labels], labels, NOISE)


def _centroids(unit: NDArray[np.float32], labels: Ints, k: int
               ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(k, d) unit centroids and (n,) the similarity of each row to its own."""
    n, wide = len(labels), unit.astype(np.float64)
    total = np.asarray(sp.csr_matrix((np.ones(n), (labels, np.arange(n))), shape=(k, n)) @ wide)
    norms = np.linalg.norm(total, axis=1, keepdims=True)
    centroids = np.divide(total, norms, out=np.zeros_like(total), where=norms > 1e-9)
    return centroids, np.einsum("ij,ij->i", wide, centroids[labels])


def _finish(labels: Ints, unit: NDArray[np.float32]
            ) -> tuple[Ints, NDArray[np.float64], NDArray[np.float32]]:
    """Number the clusters best first, and measure them."""
    kept = np.flatnonzero(labels != NOISE)
    similarities = np.zeros(len(labels), dtype=np.float32)
    if not len(kept):
        return labels, np.zeros(0), similarities
    _, first, inverse = np.unique(labels[kept], return_index=True, return_inverse=True)
    inverse = inverse.reshape(-1)
    sizes = np.bincount(inverse)
    _, own = _centroids(unit[kept], inverse, len(sizes))
    own = np.where(sizes[inverse] == 1, 1.0, own)
    scores = np.clip(100 * (1 - np.bincount(inverse, weights=own) / sizes), 0.0, 100.0)
    scores[sizes == 1] = 0.0
    order = np.lexsort((first, -sizes, scores, sizes == 1))
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    result = np.full(len(labels), NOISE, dtype=np.int64)
    result[kept] = rank[inverse]
    similarities[kept] = np.clip(own, 0.0, 1.0)
    return result, scores[order], similarities
