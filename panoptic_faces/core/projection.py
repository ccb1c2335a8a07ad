"""Two-dimensional maps of vectors, seeded, the same in any order."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .content import content_order, unit_rows
from .errors import FacesError
from .neighbors import nearest

METHODS = ("graph", "pca", "tsne", "umap")
# t-SNE and UMAP start from so many principal components.
COMPONENTS = 50

# The graph: neighbours of each vector, rounds in which all move, others that repel each in a round.
NEIGHBOURS, ROUNDS, OTHERS = 8, 200, 5
# The curve 1 / (1 + a·d^2b) of UMAP at its defaults (spread 1, min_dist 0.1), and the farthest that a force moves.
CURVE_A, CURVE_B, LONGEST_MOVE = 1.577, 0.895, 4

Points = NDArray[np.float32]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def project(vectors: ArrayLike, method: str = "graph", *, seed: int = 0) -> Points:
    """Place (n, d) vectors on a plane: near vectors near each other.

    method: ``graph`` (the graph of nearest neighbours by UMAP's objective, all edges at once in a fixed number of
    rounds), ``pca`` (the two main directions), ``tsne`` (van der Maaten & Hinton 2008) or ``umap`` (McInnes et al.
    2018; needs the package umap-learn). Returns (n, 2) float32, centred, the farthest coordinate at 1.
    Equal vectors share a point. With fewer than six different vectors every method is ``pca``.

    Raises FacesError: ``map_method``, ``umap_missing``, and those of ``unit_vectors``.
    """
    if method not in METHODS:
        raise FacesError("map_method", allowed=", ".join(METHODS), got=repr(method))
    unit = unit_rows(vectors)
    order, first = content_order(unit)
    rows = unit[order[first]]
    placed = np.zeros((len(rows), 2))
    if len(rows) > 1:
        main = _principal(rows)
        placed[:, : min(2, main.shape[1])] = main[:, :2]
        if method == "graph" and len(rows) > 5:
            placed = _graph(rows, main, seed)
        elif method == "tsne" and len(rows) > 5:
            placed = _tsne(main, seed)
        elif method == "umap" and len(rows) > 5:
            placed = _umap(main, seed)
        placed = placed - (placed.min(axis=0) + placed.max(axis=0)) / 2
        placed /= max(float(np.abs(placed).max()), 1e-12)
    points = np.empty((len(unit), 2), dtype=np.float32)
    points[order] = placed[np.cumsum(first) - 1]
    return points


def _principal(rows: Points) -> NDArray[np.float64]:
    """Main components, the largest first, signs fixed by the largest loading of each."""
    centred = rows - rows.mean(axis=0, dtype=np.float64).astype(np.float32)
    directions = np.linalg.eigh((centred.T @ centred).astype(np.float64))[1][:, ::-1][:, :COMPONENTS]
    loading = directions[np.abs(directions).argmax(axis=0), np.arange(directions.shape[1])]
    main: NDArray[np.float64] = centred.astype(np.float64) @ (directions * np.where(loading < 0, -1, 1))
    return main


def _start(main: NDArray[np.float64]) -> Points:
    """The two main components, from which the other methods set out, at a standard deviation of 1."""
    two = main[:, :2] if main.shape[1] > 1 else np.pad(main, ((0, 0), (0, 1)))
    return (two / max(float(two[:, 0].std()), 1e-12)).astype(np.float32)


def _graph(rows: Points, main: Floats, seed: int) -> Floats:
    n, random = len(rows), np.random.default_rng(seed)
    points = _start(main).astype(np.float64)
    points = 10 * points / max(float(np.abs(points).max()), 1e-12) + random.normal(0, 1e-3, (n, 2))
    left, right, weight = _edges(rows)
    for step in np.linspace(1.0, 0.02, ROUNDS):
        away = points[left] - points[right]
        square = (away**2).sum(axis=1)
        pull = 2 * CURVE_A * CURVE_B * np.maximum(square, 1e-9) ** (CURVE_B - 1) / (1 + CURVE_A * square**CURVE_B)
        force = np.clip(-pull[:, None] * away, -LONGEST_MOVE, LONGEST_MOVE) * weight[:, None]
        move = _added(force, left, n) - _added(force, right, n)
        for _ in range(OTHERS):
            away = points - points[random.integers(0, n, n)]
            square = (away**2).sum(axis=1)
            push = 2 * CURVE_B / ((0.001 + square) * (1 + CURVE_A * square**CURVE_B))
            move += np.clip(push[:, None] * away, -LONGEST_MOVE, LONGEST_MOVE)
        points = points + step * move / NEIGHBOURS * 2
    return points


def _edges(rows: Points) -> tuple[Ints, Ints, Floats]:
    """Pairs of near neighbours, each row's nearest with weight 1 and the others with less."""
    a, b, similarity = nearest(rows, NEIGHBOURS)
    left, right, likeness = np.append(a, b), np.append(b, a), np.append(similarity, similarity).astype(np.float64)
    order = np.lexsort((right, -likeness, left))
    left, right, likeness = left[order], right[order], likeness[order]
    # A pair is there where one of the two is among the nearest of the other: those of each row are its first.
    counts = np.bincount(left, minlength=len(rows))
    own = np.arange(len(left)) - np.repeat(np.cumsum(counts) - counts, counts) < NEIGHBOURS
    left, right, likeness = left[own], right[own], likeness[own]
    counts = np.maximum(np.bincount(left, minlength=len(rows)), 1)
    best = np.full(len(rows), -2.0)
    np.maximum.at(best, left, likeness)
    gap = best[left] - likeness
    return left, right, np.exp(-gap / ((np.bincount(left, gap, len(rows)) / counts)[left] + 1e-9))


def _added(force: Floats, to: Ints, n: int) -> Floats:
    return np.stack([np.bincount(to, weights=force[:, axis], minlength=n) for axis in (0, 1)], axis=1)


def _tsne(main: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    from sklearn.manifold import TSNE

    perplexity = min(30.0, (len(main) - 1) / 3)
    placed: NDArray[np.float64] = TSNE(2, perplexity=perplexity, init=1e-4 * _start(main),
                                       random_state=seed).fit_transform(main.astype(np.float32))
    return placed


def _umap(main: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    try:
        with warnings.catch_warnings():
            # It tells whoever imports it that a part of it that is not used here needs TensorFlow.
            warnings.simplefilter("ignore", ImportWarning)
            from umap import UMAP
    except ImportError as error:
        raise FacesError("umap_missing") from error
    placed: NDArray[np.float64] = UMAP(n_neighbors=min(15, len(main) - 1), init=_start(main), random_state=seed,
                                       n_jobs=1).fit_transform(main.astype(np.float32))
    return placed
