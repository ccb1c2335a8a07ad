"""The methods that people know, each a function of the faces; constraints are honoured afterwards."""

from __future__ import annotations

import numpy as np
from scipy.cluster.hierarchy import fcluster
from scipy.cluster.hierarchy import linkage as scipy_linkage
from scipy.sparse.csgraph import connected_components

from .constraints import Faces, Ints
from .neighbors import range_graph
from .types import NOISE


def dbscan(faces: Faces, *, metric: str, eps: float, min_samples: int) -> Ints:
    """DBSCAN (Ester et al. 1996): chains of dense faces; a border face joins its most similar dense face."""
    n = len(faces.unit)
    labels = np.full(n, NOISE, dtype=np.int64)
    graph = range_graph(faces.unit, 1 - eps if metric == "cosine" else 1 - eps * eps / 2)
    core = np.diff(graph.indptr) + 1 >= min_samples
    if not core.any():
        return labels
    dense = np.flatnonzero(core)
    labels[dense] = connected_components(graph[dense][:, dense], directed=False)[1]
    coo = graph.tocoo()
    border = ~core[coo.row] & core[coo.col]
    rows, columns = coo.row[border], coo.col[border]
    best = np.lexsort((columns, -coo.data[border], rows))
    first = np.unique(rows[best], return_index=True)[1]
    labels[rows[best][first]] = labels[columns[best][first]]
    return labels


def hdbscan(faces: Faces, *, min_cluster_size: int, min_samples: int) -> Ints:
    from sklearn.cluster import HDBSCAN

    if len(faces.unit) < max(min_cluster_size, min_samples, 2):
        return np.full(len(faces.unit), NOISE, dtype=np.int64)
    model = HDBSCAN(min_cluster_size=min_cluster_size, min_samples=min_samples or None, copy=True)
    return np.asarray(model.fit_predict(faces.unit.astype(np.float64)), dtype=np.int64)


def chinese_whispers(faces: Faces, *, threshold: float, iterations: int) -> Ints:
    """Chinese Whispers (Biemann 2006): every face takes the label with the most weight around it."""
    n = len(faces.unit)
    graph = range_graph(faces.unit, threshold)
    labels = np.arange(n)
    random = np.random.default_rng(faces.seed)
    pointers, columns, weights = graph.indptr, graph.indices, graph.data
    for _ in range(iterations):
        changed = False
        for face in random.permutation(n).tolist():
            near = slice(pointers[face], pointers[face + 1])
            if near.start == near.stop:
                continue
            candidates, inverse = np.unique(labels[columns[near]], return_inverse=True)
            best = candidates[np.bincount(inverse.reshape(-1), weights=weights[near]).argmax()]
            changed |= bool(best != labels[face])
            labels[face] = best
        if not changed:
            break
    return labels.astype(np.int64)


def agglomerative(faces: Faces, *, linkage: str, threshold: float, n_clusters: int) -> Ints:
    """Agglomerative clustering down to a similarity, or to a number of clusters where one is given."""
    n = len(faces.unit)
    if n < 2:
        return np.zeros(n, dtype=np.int64)
    upper = np.triu_indices(n, 1)
    distance = np.clip(1 - (faces.unit @ faces.unit.T)[upper], 0, 2).astype(np.float64)
    tree = scipy_linkage(distance, linkage)
    if n_clusters:
        return np.asarray(fcluster(tree, n_clusters, "maxclust"), dtype=np.int64) - 1
    return np.asarray(fcluster(tree, 1 - threshold, "distance"), dtype=np.int64) - 1


def spectral(faces: Faces, *, n_clusters: int) -> Ints:
    return kmeans(faces, n_clusters=n_clusters)


def kmeans(faces: Faces, *, n_clusters: int) -> Ints:
    from sklearn.cluster import KMeans

    n = len(faces.unit)
    k = min(n, n_clusters if n_clusters > 0 else max(1, round(n / 10)))
    model = KMeans(k, n_init=1, random_state=faces.seed)
    return np.asarray(model.fit_predict(faces.unit), dtype=np.int64)


