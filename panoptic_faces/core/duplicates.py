"""Near-duplicates: an exact graph of similar pairs, cut into disjoint groups."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray
from scipy.sparse.csgraph import connected_components

from .content import content_order, unit_rows
from .errors import FacesError
from .types import NOISE, Clustering

LINKAGES = ("complete", "components")

# Rows and columns of one tile of similarities.
TILE = (1024, 1024)
# A float32 dot product of unit vectors may be this far from the exact one; closer calls are made in float64.
ROUNDING = 1e-5
# Two float32 unit vectors of one direction reach this, so a threshold of 1 asks for no more.
SAME_DIRECTION = 1 - 1e-6
GONE = np.float32(-2)

Rows = NDArray[np.int64]
Floats = NDArray[np.float32]


def group_duplicates(vectors: ArrayLike, min_similarity: float = 0.95, *, linkage: str = "complete",
                     seed: int = 0) -> Clustering:
    """Groups of items that are all similar to each other.

    vectors: (n, d) numbers. min_similarity: cosine similarity, above 0 and at most 1, compared unrounded.
    linkage: ``complete``: every pair of a group reaches ``min_similarity`` (complete linkage inside every
    connected component); ``components``: chains are followed, so only neighbours need to reach it.

    Returns groups of two items or more; items without a duplicate are ``NOISE``. ``scores`` are the smallest
    similarity of any pair in the group, so *more* is better here; groups of exact copies come first, then by
    score. ``notes["exact"]`` (number of groups,) bool tells the groups whose vectors are all equal, and
    ``notes["copies"]`` (n,) int64 numbers the sets of equal vectors, −1 where there is one only. Nothing is
    random: ``seed`` is kept for the record.

    Exact: all pairs are compared, those that cannot reach the threshold by an upper bound (Cauchy–Schwarz on
    the part of the vectors outside their main directions). Memory: less than twice the vectors beside them,
    however many items are alike.

    Raises FacesError: ``min_similarity``, ``linkage``, and those of ``unit_vectors``.
    """
    threshold = _checked(min_similarity, linkage)
    unit = unit_rows(vectors)
    order, first = content_order(unit)
    distinct = order[first]
    names = _components(unit, distinct, threshold)
    if linkage == "complete":
        names = _split(unit, distinct, names, threshold)
    copy_of = np.empty(len(unit), dtype=np.int64)
    copy_of[order] = np.cumsum(first) - 1
    parameters = {"min_similarity": float(min_similarity), "linkage": linkage}
    return _result(unit, distinct, names, copy_of, parameters, seed)


def best_copies_first(found: Clustering, pixels: ArrayLike, sharpness: ArrayLike | None = None
                      ) -> list[NDArray[np.int64]]:
    """Members of every group with the copy worth keeping first: most pixels, then sharpest.

    pixels, sharpness: (n,) numbers, in the order of the vectors that were grouped. Further ties go to the
    most typical item, then to the first.
    """
    most = np.asarray(pixels, dtype=np.float64)
    sharp = np.zeros(len(most)) if sharpness is None else np.asarray(sharpness, dtype=np.float64)
    ordered = []
    for group in range(len(found)):
        members = found.members(group)
        ordered.append(members[np.lexsort((-sharp[members], -most[members]))])
    return ordered


def _checked(min_similarity: float, linkage: str) -> float:
    if linkage not in LINKAGES:
        raise FacesError("linkage", allowed=", ".join(LINKAGES), got=repr(linkage))
    try:
        wanted = float(min_similarity)
    except (TypeError, ValueError) as error:
        raise FacesError("min_similarity", got=repr(min_similarity)) from error
    if not 0 < wanted <= 1:
        raise FacesError("min_similarity", got=repr(min_similarity))
    return min(wanted, SAME_DIRECTION)


# --- similar pairs ------------------------------------------------------------------------------------------


def _sketch(unit: Floats, rows: Rows) -> Floats | None:
    """Short vectors whose products are upper bounds of the similarities.

    A vector is cut into its part in the main directions of the set and the rest; by Cauchy–Schwarz the rests
    contribute at most the product of their lengths, which one more coordinate holds.
    """
    width = max(16, unit.shape[1] // 8)
    if unit.shape[1] < 2 * width or len(rows) < 2 * TILE[1]:
        return None
    sample = unit[rows[:: max(1, len(rows) // 4096)]]
    basis = np.linalg.eigh(sample.T @ sample)[1][:, -width:]
    short = np.empty((len(rows), width + 1), dtype=np.float32)
    for start in range(0, len(rows), TILE[1]):
        part = unit[rows[start : start + TILE[1]]] @ basis
        rest = 1 - np.einsum("ij,ij->i", part, part)
        short[start : start + TILE[1], :-1] = part
        short[start : start + TILE[1], -1] = np.sqrt(np.maximum(rest, 0) + 1e-6)
    return short


def _similar_pairs(unit: Floats, rows: Rows, threshold: float) -> Iterator[tuple[Rows, Rows]]:
    """Positions (i, j), i < j, in ``rows`` of all pairs that reach the threshold, a tile at a time."""
    short = _sketch(unit, rows)
    high, wide = TILE
    for top in range(0, len(rows), high):
        for left in range(top // wide * wide, len(rows), wide):
            right, bottom = min(left + wide, len(rows)), min(top + high, len(rows))
            hopeful: Rows | None = None
            if short is not None:
                bound = short[top:bottom] @ short[left:right].T
                hopeful = np.flatnonzero(bound >= threshold - ROUNDING)
                if len(hopeful) == 0:
                    continue
            if hopeful is None or len(hopeful) > (bottom - top) * (right - left) // 64:
                block = _similarities(unit, rows[top:bottom], rows[left:right], threshold)
                i, j = np.nonzero(block >= threshold)
                keep = i + top < j + left
                i, j = i[keep] + top, j[keep] + left
            else:
                i, j = np.divmod(hopeful, right - left)
                keep = i + top < j + left
                i, j = i[keep] + top, j[keep] + left
                reached = _products(unit, rows[i], rows[j]) >= threshold
                i, j = i[reached], j[reached]
            if len(i):
                yield i, j


def _products(unit: Floats, left: Rows, right: Rows) -> NDArray[np.float64]:
    """Similarity of each pair in float64, the same whatever else is computed beside it."""
    found = np.empty(len(left))
    for start in range(0, len(left), 4096):
        part = slice(start, start + 4096)
        found[part] = np.einsum("ij,ij->i", unit[left[part]], unit[right[part]], dtype=np.float64)
    return found


def _similarities(unit: Floats, above: Rows, beside: Rows, threshold: float) -> Floats:
    """Similarities of two sets of rows; on which side of the threshold each lies is exact."""
    block = unit[above] @ unit[beside].T
    i, j = np.nonzero(np.abs(block - np.float32(threshold)) < ROUNDING)
    if len(i):
        limit = np.float32(threshold)
        reached = _products(unit, above[i], beside[j]) >= threshold
        block[i, j] = np.where(reached, np.maximum(block[i, j], limit),
                               np.minimum(block[i, j], np.nextafter(limit, GONE)))
    return block


def _components(unit: Floats, rows: Rows, threshold: float) -> Rows:
    """Connected components of the similar pairs, without ever holding all pairs."""
    names = np.arange(len(rows))
    waiting: list[tuple[Rows, Rows]] = []
    count = 0
    for i, j in _similar_pairs(unit, rows, threshold):
        apart = names[i] != names[j]
        if apart.any():
            waiting.append((i[apart], j[apart]))
            count += len(waiting[-1][0])
        if count > len(rows):
            names, waiting, count = _joined(names, waiting), [], 0
    return _joined(names, waiting)


def _joined(names: Rows, pairs: Sequence[tuple[Rows, Rows]]) -> Rows:
    if not pairs:
        return names
    i = names[np.concatenate([pair[0] for pair in pairs])]
    j = names[np.concatenate([pair[1] for pair in pairs])]
    graph = sp.coo_matrix((np.ones(len(i), dtype=np.int8), (i, j)), shape=(len(names), len(names)))
    joined: Rows = connected_components(graph, directed=False)[1].astype(np.int64)[names]
    return joined


# --- complete linkage inside a component --------------------------------------------------------------------


def _members(names: Rows, least: int = 2) -> Iterator[Rows]:
    """Positions of every name that occurs ``least`` times or more, ascending."""
    order = np.argsort(names, kind="stable")
    starts = np.flatnonzero(np.diff(names[order], prepend=-1))
    counts = np.diff(starts, append=len(order))
    for start, count in zip(starts[counts >= least], counts[counts >= least], strict=True):
        yield order[start : start + count]


def _split(unit: Floats, rows: Rows, names: Rows, threshold: float) -> Rows:
    split = names.copy()
    fresh = len(rows)
    for members in _members(names, 3):
        if _smallest(unit, rows[members]) >= threshold:
            continue
        parts = _complete_linkage(unit, rows[members], threshold)
        split[members] = fresh + parts
        fresh += len(members)
    return split


class _Table:
    """Smallest similarity between the clusters of a component, half a matrix of them in memory."""

    slack = 0.0

    def __init__(self, unit: Floats, rows: Rows, threshold: float) -> None:
        self.m = len(rows)
        # The pair (i, j), i < j, is at ends[i] + j: row after row of the upper triangle.
        lengths = np.arange(self.m - 1, -1, -1)
        self.ends = np.cumsum(lengths) - self.m
        self.cells = np.empty(int(lengths.sum()), dtype=np.float32)
        step = max(1, TILE[0] * TILE[1] // self.m)
        for start in range(0, self.m, step):
            block = _similarities(unit, rows[start : start + step], rows[start:], threshold)
            for i, line in enumerate(block):
                self.cells[self.ends[start + i] + start + i + 1 : self.ends[start + i] + self.m] = line[i + 1 :]

    def nearest(self, cluster: int) -> Floats:
        row = np.empty(self.m, dtype=np.float32)
        row[:cluster] = self.cells[self.ends[:cluster] + cluster]
        row[cluster] = GONE
        row[cluster + 1 :] = self.cells[self.ends[cluster] + cluster + 1 : self.ends[cluster] + self.m]
        return row

    def join(self, kept: int, lost: int) -> None:
        self._write(kept, np.minimum(self.nearest(kept), self.nearest(lost)))
        self.close(lost)

    def close(self, cluster: int) -> None:
        self._write(cluster, np.full(self.m, GONE))

    def _write(self, cluster: int, row: Floats) -> None:
        self.cells[self.ends[:cluster] + cluster] = row[:cluster]
        self.cells[self.ends[cluster] + cluster + 1 : self.ends[cluster] + self.m] = row[cluster + 1 :]


class _Lean:
    """The same, computed when asked: for components whose table would outgrow the vectors."""

    # A product computed twice may differ by this much; without slack a chain could run in circles.
    slack = 1e-6

    def __init__(self, unit: Floats, rows: Rows, threshold: float) -> None:
        self.unit, self.rows, self.threshold = unit, rows, threshold
        self.owner = np.arange(len(rows))
        self.open = np.ones(len(rows), dtype=bool)

    def nearest(self, cluster: int) -> Floats:
        smallest = np.full(len(self.rows), np.float32(2))
        members = self.rows[self.owner == cluster]
        for start in range(0, len(members), 256):
            block = _similarities(self.unit, members[start : start + 256], self.rows, self.threshold)
            np.minimum(smallest, block.min(axis=0), out=smallest)
        row = np.full(len(self.rows), np.float32(2))
        np.minimum.at(row, self.owner, smallest)
        row[~self.open] = GONE
        row[cluster] = GONE
        return row

    def join(self, kept: int, lost: int) -> None:
        self.owner[self.owner == lost] = kept
        self.open[lost] = False

    def close(self, cluster: int) -> None:
        self.open[cluster] = False


def _complete_linkage(unit: Floats, rows: Rows, threshold: float) -> Rows:
    """Complete-linkage clusters at the threshold, by nearest-neighbour chains (Murtagh 1983).

    rows: (m,). Returns (m,) names in 0 … m − 1. Equal similarities go to the lower position.
    """
    m = len(rows)
    kind = _Table if m * m // 2 <= unit.size * 3 // 4 else _Lean
    links: _Table | _Lean = kind(unit, rows, threshold)
    owner = np.arange(m)
    waiting = np.ones(m, dtype=bool)
    chain: list[int] = []
    cursor = 0
    while True:
        if not chain:
            while cursor < m and not waiting[cursor]:
                cursor += 1
            if cursor == m:
                return owner
            chain.append(cursor)
        tip = chain[-1]
        row = links.nearest(tip)
        best = int(np.argmax(row))
        if row[best] < threshold:
            waiting[tip] = False
            links.close(tip)
            chain.pop()
        elif len(chain) > 1 and row[chain[-2]] >= row[best] - links.slack:
            kept, lost = sorted((chain.pop(), chain.pop()))
            links.join(kept, lost)
            owner[owner == lost] = kept
            waiting[lost] = False
        else:
            chain.append(best)


# --- result -------------------------------------------------------------------------------------------------


def _smallest(unit: Floats, rows: Rows) -> float:
    """Smallest similarity of any two rows, in float64."""
    least = 1.0
    for top in range(0, len(rows), TILE[0]):
        for left in range(top // TILE[1] * TILE[1], len(rows), TILE[1]):
            above, beside = rows[top : top + TILE[0]], rows[left : left + TILE[1]]
            block = unit[above] @ unit[beside].T
            # Float32 only tells which pairs can be the least similar ones.
            i, j = np.nonzero(block <= min(float(block.min()), least) + ROUNDING / 10)
            i, j = i[:4096], j[:4096]
            other = above[i] != beside[j]
            if other.any():
                least = min(least, float(_products(unit, above[i][other], beside[j][other]).min()))
    return max(least, -1.0)


def _result(unit: Floats, distinct: Rows, names: Rows, copy_of: Rows, parameters: dict[str, Any], seed: int
            ) -> Clustering:
    n = len(unit)
    groups = []
    for members in _members(names[copy_of] if n else names):
        kinds = np.unique(copy_of[members])
        score = _smallest(unit, distinct[kinds])
        groups.append((len(kinds) > 1, -score, -len(members), int(kinds[0]), members))
    groups.sort(key=lambda group: group[:4])
    labels = np.full(n, NOISE, dtype=np.int64)
    similarities = np.zeros(n, dtype=np.float32)
    for label, (*_, members) in enumerate(groups):
        labels[members] = label
        kinds, count = np.unique(copy_of[members], return_counts=True)
        total = count @ unit[distinct[kinds]].astype(np.float64)
        near = np.einsum("ij,j->i", unit[distinct[kinds]], total / np.linalg.norm(total))
        similarities[members] = np.clip(near, 0, 1)[np.searchsorted(kinds, copy_of[members])]
    copies = np.bincount(copy_of, minlength=1)
    number = np.cumsum(copies > 1) - 1
    return Clustering(
        labels=labels,
        scores=np.array([-group[1] for group in groups], dtype=np.float64),
        similarities=similarities,
        parameters=parameters,
        seed=seed,
        notes={
            "exact": np.array([not group[0] for group in groups], dtype=bool),
            "copies": np.where(copies[copy_of] > 1, number[copy_of], NOISE),
        },
    )
