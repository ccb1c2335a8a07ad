"""The graph of an archive cut into partitions that one worker can group, along its weakest edges."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components

Ints = NDArray[np.int64]

# Edges are taken in so many steps, the strongest first.
STEPS = 64


def cut(n: int, a: Ints, b: Ints, strength: NDArray[np.float64], shard: Ints, most: int) -> Ints:
    """(n,) the partition of each of n nodes, at most ``most`` nodes in each.

    a, b, strength: (e,) edges. shard: (n,) where each node lies, so that near components share a partition.
    The components of the edges, the strongest first; a step that would make a component too large joins only those
    of its components that it does not.
    """
    label: Ints = np.arange(n)
    order = np.argsort(-strength, kind="stable")
    for chosen in np.array_split(order, STEPS):
        label = _joined(label, a[chosen], b[chosen], most)
    sizes = np.bincount(label)
    first = np.unique(label, return_index=True)[1]
    order = np.lexsort((first, shard[first]))
    partition = np.zeros(len(sizes), dtype=np.int64)
    number, filled = 0, 0
    for component in order.tolist():
        if filled and filled + sizes[component] > most:
            number, filled = number + 1, 0
        partition[component] = number
        filled += int(sizes[component])
    return partition[label]


def _joined(label: Ints, a: Ints, b: Ints, most: int) -> Ints:
    """The components of what is joined so far and these edges, those that grow too large left as they were."""
    m = int(label.max(initial=-1)) + 1
    graph = sp.csr_matrix((np.ones(len(a), dtype=bool), (label[a], label[b])), shape=(m, m))
    component = connected_components(graph, directed=False)[1].astype(np.int64)
    sizes = np.bincount(label, minlength=m)
    too_large = np.bincount(component, weights=sizes)[component] > most
    component[too_large] = component.max(initial=-1) + 1 + np.flatnonzero(too_large)
    return np.asarray(np.unique(component, return_inverse=True)[1].reshape(-1)[label], dtype=np.int64)
