"""Coarse cuts of whole images: k-means, a number of groups found by itself, and nested levels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .choice import choose
from .content import content_order, unit_rows
from .errors import FacesError
from .kmeans import kmeans, means
from .types import Clustering

CHOOSE = -1
# Halving a million images each time, no more levels are of use.
MAX_LEVELS = 20
CRITERION = "mean silhouette (cosine) of the cuts of an average-linkage tree"


def cluster_images(vectors: ArrayLike, n_clusters: int = 10, *, seed: int = 0) -> Clustering:
    """Partition images into groups of like vectors, every image in one.

    vectors: (n, d) numbers of any model. n_clusters: 1 … n, k-means on unit vectors; −1 chooses the number,
    see :func:`choose`. Equal vectors share a group, so there can be fewer groups than asked.

    ``scores`` are 100 × the mean cosine distance of the members to their normalised centroid: 0 = identical,
    best group first; ``similarities`` the cosine similarity of each image to that centroid. ``notes`` tells
    ``n_clusters`` (groups found) and, where the number was chosen, ``criterion``, ``value`` (−1 … 1, more is
    better), ``runner_up`` (next best number, 0 if none) with ``runner_up_value``, and ``values`` of every
    number tried. The same vectors give the same groups in any order.

    Raises FacesError: ``n_clusters``, ``n_clusters_too_many``, and those of ``unit_vectors``.
    """
    k = _number(n_clusters)
    unit = unit_rows(vectors)
    if k > len(unit) > 0:
        raise FacesError("n_clusters_too_many", got=k, images=len(unit))
    labels, notes = _partition(unit, k, seed)
    return _described(unit, labels, {"n_clusters": k}, seed, notes)


def cluster_levels(vectors: ArrayLike, n_clusters: int = 10, levels: int = 2, *, seed: int = 0
                   ) -> tuple[Clustering, ...]:
    """A hierarchy at once: each level cuts every group of the one before with :func:`cluster_images`.

    levels: 1 … ``MAX_LEVELS``. Returns one Clustering per level, the coarsest first; ``notes["parents"]`` (clusters,)
    int64 gives the group of the level before that each group lies in. A group with fewer than two images for
    each part asked stays whole.

    Raises FacesError: ``levels``, and those of :func:`cluster_images`.
    """
    depth = _whole(levels)
    if depth is None or not 1 <= depth <= MAX_LEVELS:
        raise FacesError("levels", most=MAX_LEVELS, got=repr(levels)[:80])
    found = [cluster_images(vectors, n_clusters, seed=seed)]
    unit = unit_rows(vectors)
    k = found[0].parameters["n_clusters"]
    for _ in range(depth - 1):
        above = found[-1]
        labels = np.empty(len(unit), dtype=np.int64)
        count = 0
        for group in range(len(above)):
            members = np.flatnonzero(above.labels == group)
            whole = len(members) < 2 * max(k, 2)
            parts = np.zeros(len(members), np.int64) if whole else _partition(unit[members], k, seed)[0]
            labels[members] = count + parts
            count += int(parts.max()) + 1
        below = _described(unit, labels, {"n_clusters": k}, seed, {})
        parents = np.empty(len(below), dtype=np.int64)
        parents[below.labels] = above.labels
        found.append(_described(unit, below.labels, {"n_clusters": k}, seed, {"parents": parents}))
    return tuple(found)


def _whole(given: Any) -> int | None:
    try:
        number = int(given)
        return number if not isinstance(given, bool) and number == float(given) else None
    except (TypeError, ValueError, OverflowError):
        return None


def _number(n_clusters: Any) -> int:
    k = _whole(n_clusters)
    if k is None or (k < 1 and k != CHOOSE):
        raise FacesError("n_clusters", got=repr(n_clusters))
    return k


def _partition(unit: NDArray[np.float32], k: int, seed: int) -> tuple[NDArray[np.int64], dict[str, Any]]:
    if len(unit) == 0:
        return np.zeros(0, dtype=np.int64), {}
    if k != CHOOSE:
        return kmeans(unit, k, seed), {}
    choice = choose(unit, seed)
    return choice.labels, {
        "criterion": CRITERION,
        "value": choice.silhouette,
        "runner_up": choice.runner_up,
        "runner_up_value": choice.silhouettes.get(choice.runner_up, 0.0),
        "values": choice.silhouettes,
    }


def _described(unit: NDArray[np.float32], labels: NDArray[np.int64], parameters: dict[str, Any], seed: int,
               notes: dict[str, Any]) -> Clustering:
    """Score the groups of a partition and number them, best first; ties by content."""
    k = int(labels.max(initial=-1)) + 1
    order, _ = content_order(unit)
    centres = means(unit, order, labels, k)
    # The mean similarity of unit vectors to their normalised mean is the length of that mean.
    lengths = np.linalg.norm(centres.astype(np.float64), axis=1)
    centres /= np.maximum(lengths, 1e-12)[:, None].astype(np.float32)
    near = np.empty(len(unit), dtype=np.float32)
    for start in range(0, len(unit), 256):
        part = slice(start, start + 256)
        near[part] = np.einsum("ij,ij->i", unit[part], centres[labels[part]])
    counts = np.bincount(labels, minlength=k)
    scores = 100 * np.clip(1 - lengths, 0, 1)
    place = np.full(k, len(unit))
    np.minimum.at(place, labels[order], np.arange(len(unit)))
    ranking = np.lexsort((place, -counts, scores))
    rank = np.empty(k, dtype=np.int64)
    rank[ranking] = np.arange(k)
    return Clustering(labels=rank[labels], scores=scores[ranking],
                      similarities=np.clip(near, 0, 1), parameters=parameters, seed=seed,
                      notes={"n_clusters": k, **notes})
