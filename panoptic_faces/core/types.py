"""What the algorithms return."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

NOISE = -1


@dataclass(frozen=True, eq=False)
class Clustering:
    """A partition of n items, best cluster first.

    labels: (n,) int64; 0 … number of clusters − 1, or ``NOISE`` (−1) for an item in no cluster.
    scores: (number of clusters,) float64; what they mean is the algorithm's to say, see its docstring.
    similarities: (n,) float32; how close each item is to its own cluster, 0–1, more is closer; 0 for noise.
    parameters: the parameters used, defaults included.
    seed: the seed used.
    notes: what the algorithm found out on the way (a chosen number of clusters, say), by name.
    """

    labels: NDArray[np.int64]
    scores: NDArray[np.float64]
    similarities: NDArray[np.float32]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    notes: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.scores)

    def members(self, cluster: int) -> NDArray[np.int64]:
        """Indices of the items of a cluster, the most typical first; ties by index."""
        found = np.flatnonzero(self.labels == cluster)
        return found[np.argsort(-self.similarities[found], kind="stable")]
