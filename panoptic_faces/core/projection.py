"""Two-dimensional maps of vectors, seeded, the same in any order."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .content import content_order, unit_rows
from .errors import FacesError

METHODS = ("pca", "tsne", "umap")
# t-SNE and UMAP start from so many principal components.
COMPONENTS = 50

Points = NDArray[np.float32]


def project(vectors: ArrayLike, method: str = "pca", *, seed: int = 0) -> Points:
    """Place (n, d) vectors on a plane: near vectors near each other.

    method: ``pca`` (the two main directions), ``tsne`` (van der Maaten & Hinton 2008) or ``umap`` (McInnes et
    al. 2018; needs the package umap-learn). Returns (n, 2) float32, centred, the farthest coordinate at 1.
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
        if method == "tsne" and len(rows) > 5:
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
