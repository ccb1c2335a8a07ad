"""Near-duplicates among pictures that may be mirrored or turned."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .duplicates import group_duplicates
from .errors import FacesError
from .types import NOISE, Clustering


def group_turned_duplicates(poses: ArrayLike, min_similarity: float = 0.95, *, linkage: str = "complete",
                            seed: int = 0) -> Clustering:
    """:func:`group_duplicates` where each picture may take the pose that suits its group.

    poses: (p, n, d) vectors of the same n pictures in p poses, the given pose first; the poses must be
    closed, as the eight of a square are, or links are missed. Every pair of a group reaches
    ``min_similarity`` in the poses chosen. ``notes["turned"]`` (n,) bool tells the pictures whose pose
    differs from that of the most typical picture of their group. Costs p² times the comparisons, p times the
    memory.

    Raises FacesError: those of :func:`group_duplicates`.
    """
    given = np.asarray(poses)
    if given.ndim != 3:
        raise FacesError("vectors_shape", got=str(given.shape))
    count, n, d = given.shape
    found = group_duplicates(given.reshape(count * n, d), min_similarity, linkage=linkage, seed=seed)
    labels = np.full(n, NOISE, dtype=np.int64)
    similarities = np.zeros(n, dtype=np.float32)
    turned = np.zeros(n, dtype=bool)
    scores: list[float] = []
    exact: list[bool] = []
    # Every group is found once in each pose: the first stays, and what overlaps with it goes.
    for group in range(len(found)):
        members = found.members(group)
        pose, picture = np.divmod(members, n)
        picture, at = np.unique(picture, return_index=True)
        if len(picture) < 2 or (labels[picture] != NOISE).any():
            continue
        labels[picture] = len(scores)
        similarities[picture] = found.similarities[members[at]]
        turned[picture] = pose[at] != pose[at[np.argmax(similarities[picture])]]
        scores.append(float(found.scores[group]))
        exact.append(bool(found.notes["exact"][group]))
    return Clustering(labels=labels, scores=np.array(scores, dtype=np.float64), similarities=similarities,
                      parameters=found.parameters, seed=seed,
                      notes={"exact": np.array(exact, dtype=bool), "turned": turned})
