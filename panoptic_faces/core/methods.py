"""The methods that people know, each a function of the faces; constraints are honoured afterwards."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster
from scipy.cluster.hierarchy import linkage as tree_of
from scipy.sparse.csgraph import connected_components

from .choice import choose
from .constraints import Faces, Ints
from .errors import FacesError
from .kmeans import kmeans as k_means
from .linkage import Clusters, agglomerate
from .neighbors import nearest, range_graph
from .types import NOISE

Floats = NDArray[np.float64]

# Neighbours of a face in the graphs of hdbscan, spectral and of agglomeration beyond DENSE.
NEIGHBOURS = 32
# All pairs of so many faces may be held at once: 10,000 take 400 MB.
DENSE = 10_000
# Spectral looks for the largest gap among so many eigenvalues, and k-means cannot run on more dimensions.
EIGENVALUES = 100


def dbscan(faces: Faces, *, metric: str, eps: float, min_samples: int) -> Ints:
    """DBSCAN (Ester et al. 1996): chains of dense faces; a border face joins its most similar dense face."""
    labels = np.full(len(faces.unit), NOISE, dtype=np.int64)
    graph = range_graph(faces.unit, 1 - eps if metric == "cosine" else 1 - eps * eps / 2)
    core = np.diff(graph.indptr) + 1 >= min_samples
    if not core.any():
        return labels
    dense = np.flatnonzero(core)
    labels[dense] = connected_components(graph[dense][:, dense], directed=False)[1]
    pairs = graph.tocoo()
    border = ~core[pairs.row] & core[pairs.col]
    rows, columns = pairs.row[border], pairs.col[border]
    best = np.lexsort((columns, -pairs.data[border], rows))
    first = np.unique(rows[best], return_index=True)[1]
    labels[rows[best][first]] = labels[columns[best][first]]
    return labels


def hdbscan(faces: Faces, *, min_cluster_size: int, min_samples: int) -> Ints:
    """HDBSCAN (Campello et al. 2013) of Euclidean distances on the graph of nearest neighbours.

    min_samples: 0 = as min_cluster_size. Pieces of the graph are tied at the largest distance there is, so
    they part first.
    """
    from sklearn.cluster import HDBSCAN

    n = len(faces.unit)
    samples = min_samples or min_cluster_size
    if n <= max(min_cluster_size, samples, 2):
        return np.full(n, NOISE, dtype=np.int64)
    a, b, similar = nearest(faces.unit, max(NEIGHBOURS, 2 * samples), faces.seed)
    if similar.min() > 1 - 1e-6:
        return np.zeros(n, dtype=np.int64)  # one face, many times: no density differs
    # A distance of 0 would be no edge to SciPy.
    distance = np.sqrt(np.maximum(2 - 2 * similar.astype(np.float64), 1e-12))
    graph = sp.csr_matrix((distance, (a, b)), shape=(n, n))
    piece = connected_components(graph, directed=False)[1]
    ends = np.unique(piece, return_index=True)[1]
    a, b = np.concatenate([a, ends[:-1]]), np.concatenate([b, ends[1:]])
    distance = np.concatenate([distance, np.full(len(ends) - 1, 2.0)])
    graph = sp.csr_matrix((distance, (a, b)), shape=(n, n))
    # A face counts among its own neighbours, but not in a sparse graph.
    samples = max(1, samples - 1)
    model = HDBSCAN(min_cluster_size=min_cluster_size, min_samples=samples, metric="precomputed", copy=True)
    return np.asarray(model.fit_predict(graph + graph.T), dtype=np.int64)


def chinese_whispers(faces: Faces, *, threshold: float, iterations: int) -> Ints:
    """Chinese Whispers (Biemann 2006): every face takes the label with the most weight around it."""
    n = len(faces.unit)
    graph = range_graph(faces.unit, threshold)
    # Below a threshold of 0 an unlike neighbour must not count against its label.
    pointers, columns, weights = graph.indptr.tolist(), graph.indices, np.maximum(graph.data, 0)
    labels = np.arange(n)
    random = np.random.default_rng(faces.seed)
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
    """Agglomeration down to a similarity, or to a number of clusters where one is given (0 = none).

    Groups never span two pieces of the graph of all pairs at the threshold, so each piece has a tree of its
    own, and single linkage is the pieces themselves. A piece of more than ``DENSE`` faces is agglomerated on
    its graph of nearest neighbours, by average linkage. Raises FacesError ``agglomerative_number`` for a
    number of clusters of more faces than that.
    """
    n = len(faces.unit)
    if n_clusters:
        if n > DENSE:
            raise FacesError("agglomerative_number", allowed=DENSE, got=n)
        return _cut(faces.unit, linkage, n_clusters, "maxclust")
    # Rounding must not part a pair that lies on the threshold.
    graph = range_graph(faces.unit, threshold - 1e-6)
    piece: Ints = np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)
    if linkage == "single":
        return piece
    labels = np.empty(n, dtype=np.int64)
    order = np.argsort(piece, kind="stable")
    count = 0
    for members in np.split(order, np.flatnonzero(np.diff(piece[order])) + 1):
        found = (_cut(faces.unit[members], linkage, 1 - threshold, "distance") if len(members) <= DENSE
                 else _sparse_average(faces.unit[members], threshold, faces.seed))
        labels[members] = count + found
        count += int(found.max(initial=0)) + 1
    return labels


def spectral(faces: Faces, *, n_clusters: int) -> Ints:
    """Spectral clustering (Ng et al. 2001) of the graph of nearest neighbours.

    n_clusters: −1 = where the eigenvalues of the normalised graph show the largest gap (von Luxburg 2007),
    up to ``EIGENVALUES``.
    """
    n = len(faces.unit)
    if n < 3 or n_clusters in (0, 1):
        return np.zeros(n, dtype=np.int64)
    a, b, similar = nearest(faces.unit, 10, faces.seed)
    weights = np.maximum(similar.astype(np.float64), 1e-3)
    graph = sp.csr_matrix((weights, (a, b)), shape=(n, n))
    graph = graph + graph.T
    scale = sp.diags(1 / np.sqrt(np.asarray(graph.sum(axis=1)).ravel()))
    # The diagonal makes all eigenvalues ≥ 0, so that the largest are those of the clusters.
    walk = (scale @ graph @ scale + sp.eye(n)) / 2
    wanted = min(n - 1, EIGENVALUES if n_clusters < 0 else n_clusters)
    values, vectors = _largest(walk, wanted, faces.seed)
    k = n_clusters if n_clusters > 0 else int(np.argmax(values[:-1] - values[1:])) + 1
    rows = vectors[:, : min(k, wanted)].astype(np.float32)
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.float32(1e-9))
    return k_means(np.ascontiguousarray(rows), min(k, n), faces.seed)


def kmeans(faces: Faces, *, n_clusters: int) -> Ints:
    """k-means on unit vectors; −1 or 0 chooses the number by silhouette, see :func:`choose`."""
    n = len(faces.unit)
    if n == 0 or n_clusters < 1:
        return np.asarray(choose(faces.unit, faces.seed).labels if n else np.zeros(0), dtype=np.int64)
    return k_means(faces.unit, min(n, n_clusters), faces.seed)


def _cut(unit: NDArray[np.float32], linkage: str, at: float, criterion: str) -> Ints:
    if len(unit) < 2:
        return np.zeros(len(unit), dtype=np.int64)
    distance = np.empty(len(unit) * (len(unit) - 1) // 2)
    start = 0
    for row in range(len(unit) - 1):
        end = start + len(unit) - row - 1
        distance[start:end] = 1 - unit[row + 1 :] @ unit[row]
        start = end
    tree = tree_of(np.clip(distance, 0, 2), linkage)
    return np.asarray(fcluster(tree, at, criterion), dtype=np.int64) - 1


def _sparse_average(unit: NDArray[np.float32], threshold: float, seed: int) -> Ints:
    n = len(unit)
    nobody = np.full(n, NOISE, dtype=np.int64)
    none = np.zeros(n, dtype=bool)
    clusters = Clusters(Faces(unit, np.arange(n), nobody, none, nobody, {}, none), np.zeros(n))

    def score(clusters: Clusters, a: Ints, b: Ints, product: Floats) -> Floats:
        return np.asarray(product / (clusters.size[a] * clusters.size[b]) - threshold)

    a, b, _ = nearest(unit, NEIGHBOURS, seed)
    agglomerate(clusters, a, b, score)
    return np.unique(clusters.root, return_inverse=True)[1].reshape(-1).astype(np.int64)


def _largest(walk: sp.csr_matrix, wanted: int, seed: int) -> tuple[Floats, Floats]:
    """The largest eigenvalues, descending, and their vectors as columns."""
    n = walk.shape[0]
    if n <= 4 * wanted or n <= 500:
        values, vectors = np.linalg.eigh(walk.toarray())
    else:
        start = np.random.default_rng(seed).uniform(0.5, 1.5, n)
        values, vectors = sp.linalg.eigsh(walk, k=wanted, v0=start, which="LA")
    order = np.argsort(-values, kind="stable")[:wanted]
    return values[order], vectors[:, order]
