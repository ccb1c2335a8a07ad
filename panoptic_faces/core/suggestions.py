"""Questions worth a person's answer: groups that may be one person, and groups that may be two."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from .constraints import checked_pairs, photo_numbers
from .content import content_order
from .errors import FacesError
from .neighbors import similarity_blocks, unit_vectors
from .recognition import (
    SAMPLE,
    Bools,
    Floats,
    Impostors,
    Ints,
    Mixture,
    Unit,
    centroids,
    equal_people,
    evenly,
    same_person,
    threshold,
)

# A group is compared with so many of its nearest groups; a question is asked from this probability on.
NEAREST = 10
WORTH_ASKING = 0.05
# Two faces of one photo are seldom one person: how much more likely they make two people.
SAME_PHOTO_ODDS = 100.0
ROUNDS = 10


def suggest_merges(vectors: ArrayLike, labels: ArrayLike, *, groups: ArrayLike | None = None,
                   not_same: ArrayLike | None = None, limit: int | None = None) -> list[tuple[int, int, float]]:
    """Pairs of groups that may be one person, most likely first.

    vectors: (n, d) faces; labels: (n,) integers, the group of each face, negative = in none. groups: (n,) the photo
    of each face, integers or texts; −1, "" or None = unknown: two groups that share a photo are never suggested.
    not_same: (m, 2) labels of groups that are known to be different people. limit: at most so many pairs.

    Returns (a, b, probability) with a < b and probabilities of at least ``WORTH_ASKING``. The probability comes from
    the similarity of the two centroids, in relation to what is usual between different groups, as in
    ``people.recognize``. The order of the faces changes nothing.

    Raises FacesError: ``vectors_*``, ``labels_shape``, ``constraint_length``, ``constraint_pairs``, ``whole_number``.
    """
    unit, names, label, photo, _ = _check(vectors, labels, groups)
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int | np.integer) or limit < 0):
        raise FacesError("whole_number", name="limit", low=0, high="∞", got=repr(limit))
    forbidden = _shared_photos(label, photo, len(names)) + _answered(not_same, names)
    if len(names) < 2:
        return []
    middle = centroids(unit, label, len(names))
    impostors = _between(middle)
    a, b, standard, best = _nearest_groups(middle, impostors, forbidden)
    probability = _mixture(best, unit, label, impostors, len(names) - 1).of_one().probability(standard)
    asked = np.flatnonzero(probability >= WORTH_ASKING)
    order = asked[np.lexsort((b[asked], a[asked], -standard[asked]))][:limit]
    return [(int(names[a[one]]), int(names[b[one]]), float(probability[one])) for one in order]


def suggest_splits(vectors: ArrayLike, labels: ArrayLike, *, groups: ArrayLike | None = None
                   ) -> list[tuple[int, NDArray[np.bool_], float]]:
    """Groups that may hold two people, with the proposed split, most likely first.

    vectors, labels, groups: as for :func:`suggest_merges`. Each group is cut in two where it differs most
    (spherical 2-means from its principal direction, or from two faces of one photo); it is likely to be two people
    where the parts resemble each other like strangers, and where two of its faces are on one photo.

    Returns (label, mask, probability): mask (n,) bool marks the smaller part. Probabilities are at least
    ``WORTH_ASKING``. The order of the faces changes nothing.
    Raises FacesError: ``vectors_*``, ``labels_shape``, ``constraint_length``.
    """
    unit, names, label, photo, order = _check(vectors, labels, groups)
    g = len(names)
    if not g:
        return []
    impostors = _between(centroids(unit, label, g))
    part, together = _cut(unit, label, photo, g)
    sizes = np.bincount(2 * label + part, minlength=2 * g).reshape(g, 2)
    cut = np.flatnonzero(sizes.min(axis=1) > 0)
    if not len(cut):
        return []
    parts = centroids(unit, 2 * label + part, 2 * g)
    standard = impostors.standardise(np.einsum("ij,ij->i", parts[::2], parts[1::2])[None])[0, cut].astype(np.float64)
    same = _mixture(standard, unit, label, impostors, 1).probability(standard)
    two = (1 - same) * np.where(together[cut], SAME_PHOTO_ODDS, 1.0)
    probability = two / (two + same)
    result = []
    for one in np.lexsort((cut, standard, -probability)).tolist():
        if probability[one] >= WORTH_ASKING:
            group = int(cut[one])
            mask = np.zeros(len(np.asarray(labels)), dtype=bool)
            mask[order[(label == group) & (part == int(sizes[group, 1] <= sizes[group, 0]))]] = True
            result.append((int(names[group]), mask, float(probability[one])))
    return result


def _check(vectors: ArrayLike, labels: ArrayLike, groups: ArrayLike | None
           ) -> tuple[Unit, Ints, Ints, Ints, Ints]:
    """Unit vectors of the faces in groups in the order of their content, the groups' labels, (m,) the group and
    photo of each of those faces, and which given face it is."""
    unit = unit_vectors(vectors)
    given = np.asarray(labels)
    if given.shape != (len(unit),) or (given.dtype.kind not in "iu" and len(unit)):
        raise FacesError("labels_shape", expected=str((len(unit),)), got=f"{given.shape} {given.dtype}")
    photo = photo_numbers(groups, len(unit))
    order = content_order(unit)[0]
    order = order[np.lexsort((photo[order], given[order]))]
    order = order[given[order] >= 0]
    names, label = np.unique(given[order].astype(np.int64), return_inverse=True)
    return np.ascontiguousarray(unit[order]), names, label.reshape(-1).astype(np.int64), photo[order], order


def _shared_photos(label: Ints, photo: Ints, g: int) -> sp.csr_matrix:
    """(g, g) the number of photos that two groups share."""
    kept = photo >= 0
    n = int(photo.max(initial=-1)) + 1
    on = sp.csr_matrix((np.ones(int(kept.sum()), dtype=np.int32), (label[kept], photo[kept])), shape=(g, n))
    return (on @ on.T).tocsr()


def _answered(not_same: ArrayLike | None, names: Ints) -> sp.csr_matrix:
    """(g, g) the pairs of groups answered "not the same"; labels that no group has any more are passed over."""
    given = np.asarray([] if not_same is None else not_same)
    pairs = checked_pairs("not_same", given, int(max(names.max(initial=-1), given.max(initial=-1))) + 1)
    pairs = pairs[np.isin(pairs, names).all(axis=1)]
    a, b = np.searchsorted(names, pairs.T) if len(pairs) else np.zeros((2, 0), dtype=np.int64)
    both = np.concatenate([a, b]), np.concatenate([b, a])
    return sp.csr_matrix((np.ones(2 * len(a), dtype=np.int32), both), shape=(len(names), len(names)))


def _between(middle: Unit) -> Impostors:
    """The likeness of different groups, leaving out those which seem to be one person."""
    prior = found = Impostors.prior(len(middle))
    sample = evenly(len(middle), SAMPLE)
    likeness = middle[sample] @ middle.T
    bound = threshold(0.01, len(middle) - 1)
    for _ in range(3):
        strangers: Bools = found.standardise(likeness) < bound
        strangers[np.arange(len(sample)), sample] = False
        found = prior.learn(likeness, strangers)
    return found


def _nearest_groups(middle: Unit, impostors: Impostors, forbidden: sp.csr_matrix) -> tuple[Ints, Ints, Floats, Floats]:
    """Pairs a < b of near groups that may be one, their likeness, and (g,) the best likeness of each group.

    A likeness is standardised for both groups, and the mean taken: symmetric score normalisation.
    """
    g = len(middle)
    best = np.full(g, -np.inf)
    first, second, value = [], [], []
    for start, block in similarity_blocks(middle):
        rows = np.arange(start, start + len(block))
        own = impostors.of(rows)
        standard = (impostors.standardise(block) + own.standardise(block.T).T) / 2
        standard[np.arange(len(rows)), rows] = -np.inf
        out = forbidden[rows].tocoo()
        standard[out.row, out.col] = -np.inf
        k = min(NEAREST, g - 1)
        near = np.argpartition(-standard, k - 1, axis=1)[:, :k]
        found = np.take_along_axis(standard, near, axis=1)
        best[rows] = found.max(axis=1)
        kept = np.isfinite(found)
        first.append(np.broadcast_to(rows[:, None], near.shape)[kept])
        second.append(near[kept])
        value.append(found[kept])
    a, b = np.concatenate(first), np.concatenate(second)
    _, once = np.unique(np.minimum(a, b) * g + np.maximum(a, b), return_index=True)
    a, b = np.minimum(a, b)[once], np.maximum(a, b)[once]
    return a, b, np.concatenate(value)[once].astype(np.float64), best[np.isfinite(best)]


def _mixture(best: Floats, unit: Unit, label: Ints, impostors: Impostors, comparisons: int) -> Mixture:
    mean, spread, faces = same_person(equal_people(unit, label))
    return Mixture.fit(best, comparisons, (mean - impostors.location) / impostors.width, spread / impostors.width,
                       faces)


def _cut(unit: Unit, label: Ints, photo: Ints, g: int) -> tuple[Ints, Bools]:
    """(m,) 0 or 1, the part of each face within its group, and (g,) whether two of its faces share a photo."""
    part = _two_means(unit, label, _along_principal_direction(unit, label, g), g)
    order = np.lexsort((np.arange(len(label)), photo, label))
    a, b = order[:-1], order[1:]
    twice = (label[a] == label[b]) & (photo[a] == photo[b]) & (photo[a] >= 0)
    a, b = a[twice], b[twice]
    together = np.zeros(g, dtype=bool)
    together[label[a]] = True
    # A cut that leaves two faces of one photo together starts again from these two.
    whole = part[a] == part[b]
    direction = np.zeros((g, unit.shape[1]), dtype=np.float32)
    direction[label[a[whole]]] = unit[b[whole]] - unit[a[whole]]
    again = np.flatnonzero(direction[label].any(axis=1))
    nearer = np.einsum("ij,ij->i", unit[again], direction[label[again]]) > 0
    part[again] = _two_means(unit[again], label[again], nearer.astype(np.int64), g)
    return part, together


def _along_principal_direction(unit: Unit, label: Ints, g: int) -> Ints:
    """(m,) on which side of its group's mean each face lies, along the direction in which the group varies most."""
    m = len(label)
    total = sp.csr_matrix((np.ones(m), (label, np.arange(m))), shape=(g, m))
    mean = np.asarray(total @ unit.astype(np.float64)) / np.bincount(label)[:, None]
    apart = unit - mean[label]
    # The face farthest from the mean starts the search; ties: the first by content.
    far = np.lexsort((-np.einsum("ij,ij->i", apart, apart), label))
    direction = apart[far[np.unique(label[far], return_index=True)[1]]]
    for _ in range(ROUNDS):
        along = np.einsum("ij,ij->i", apart, direction[label])
        direction = np.asarray(total @ (apart * along[:, None]))
        direction /= np.maximum(np.linalg.norm(direction, axis=1, keepdims=True), 1e-12)
    return np.asarray(np.einsum("ij,ij->i", apart, direction[label]) > 0, dtype=np.int64)


def _two_means(unit: Unit, label: Ints, part: Ints, g: int) -> Ints:
    """(m,) each face with the nearer centroid of its group's two parts; a part is never emptied."""
    part = part.copy()
    for _ in range(ROUNDS):
        middle = centroids(unit, 2 * label + part, 2 * g)
        nearer = np.einsum("ij,ij->i", unit, middle[2 * label + 1] - middle[2 * label]) > 0
        emptied = np.bincount(2 * label + nearer, minlength=2 * g).reshape(g, 2).min(axis=1) == 0
        part[~emptied[label]] = nearer[~emptied[label]]
    return part
