"""How many groups there are: the cut of an average-linkage tree with the best silhouette."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from .content import content_order
from .kmeans import ROWS, assign, kmeans, means

Floats = NDArray[np.float32]
Labels = NDArray[np.int64]

# Up to so many vectors are leaves of the tree; above, small k-means clusters are.
EXACT = 6000
LEAVES = 2048
# Cuts tried first lie so far apart, then every one between the neighbours of the best.
STEP = 1.1
REFINEMENTS = 5


@dataclass(frozen=True)
class Choice:
    """labels (n,): the partition; silhouettes by number of groups, of all cuts tried; runner_up: the next
    best number whose silhouette is a local maximum, 0 if none; silhouette: of the partition."""

    labels: Labels
    silhouettes: dict[int, float]
    runner_up: int
    silhouette: float


def choose(unit: Floats, seed: int) -> Choice:
    """Partition (n, d) unit vectors, n ≥ 1, into the number of groups that their own shape suggests.

    Average linkage (Sokal & Michener 1958) on cosine similarity; of its cuts into 2 … n/2 groups the one of
    the highest mean silhouette (Rousseeuw 1987); a few k-means steps from there, kept if the silhouette
    rises. One group where nothing can be compared: fewer than four different vectors.
    """
    order, first = content_order(unit)
    if first.sum() < 4:
        return Choice(np.zeros(len(unit), dtype=np.int64), {}, 0, 0.0)
    leaf_of, centres, weights = _leaves(unit, order, first, seed)
    similarity = centres @ centres.T
    merges = _average_linkage(similarity.copy(), weights)
    found = _best_cut(similarity, weights, merges)
    best = max(found, key=lambda k: (found[k], -k))
    cut = _cuts(merges, len(weights), [best])[best]
    labels, silhouette = cut[leaf_of], found[best]
    refined = _refined(unit, order, labels)
    after = _leaf_silhouette(unit, order, leaf_of, refined, similarity, weights)
    if after > silhouette:
        labels, silhouette = refined, after
    return Choice(labels, found, _runner_up(found, best), silhouette)


def _leaves(unit: Floats, order: Labels, first: NDArray[np.bool_], seed: int
            ) -> tuple[Labels, Floats, NDArray[np.float64]]:
    """Leaf of each vector, means of the leaves (not of length 1), and how many vectors each holds."""
    leaf_of = np.empty(len(unit), dtype=np.int64)
    if first.sum() <= EXACT:
        leaf_of[order] = np.cumsum(first) - 1
        centres = unit[order[first]]
    else:
        coarse = kmeans(unit, int(np.sqrt(LEAVES)), seed)
        count = 0
        for group in range(coarse.max() + 1):
            members = np.flatnonzero(coarse == group)
            share = max(1, round(LEAVES * len(members) / len(unit)))
            leaf_of[members] = count + kmeans(unit[members], share, seed)
            count = int(leaf_of[members].max()) + 1
        centres = means(unit, order, leaf_of, count)
    return leaf_of, centres, np.bincount(leaf_of).astype(np.float64)


def _average_linkage(similarity: Floats, weights: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Merges (kept leaf, lost leaf) from the most similar on, by nearest-neighbour chains; uses up its input."""
    size = weights.copy()
    np.fill_diagonal(similarity, -2)
    gone = np.float32(-2)
    merges: list[tuple[float, int, int]] = []
    alive = np.ones(len(size), dtype=bool)
    chain: list[int] = []
    while len(merges) < len(size) - 1:
        if not chain:
            chain.append(0)  # of two leaves the lower one is kept, so this one always is
        row = similarity[chain[-1]]
        best = int(np.argmax(row))
        if len(chain) < 2 or row[chain[-2]] < row[best]:
            chain.append(best)
            continue
        level = float(row[chain[-2]])
        kept, lost = sorted((chain.pop(), chain.pop()))
        share = np.float32(size[kept] / (size[kept] + size[lost]))
        merged = share * similarity[kept] + (1 - share) * similarity[lost]
        merged[~alive] = gone
        merged[[kept, lost]] = gone
        similarity[kept] = similarity[:, kept] = merged
        similarity[:, lost] = gone
        alive[lost] = False
        size[kept] += size[lost]
        merges.append((level, kept, lost))
    merges.sort(key=lambda merge: -merge[0])
    return [merge[1:] for merge in merges]


def _cuts(merges: list[tuple[int, int]], leaves: int, wanted: list[int]) -> dict[int, Labels]:
    """Labels 0 … k − 1 of the leaves for each k wanted; cuts of one tree are nested."""
    parent = np.arange(leaves)
    found = {}
    for left, (kept, lost) in enumerate([(0, 0), *merges]):
        if kept != lost:
            parent[_root(parent, lost)] = _root(parent, kept)
        if leaves - left in wanted:
            roots = parent.copy()
            while not np.array_equal(roots, roots[roots]):
                roots = roots[roots]
            parent = roots
            found[leaves - left] = np.unique(roots, return_inverse=True)[1].astype(np.int64)
    return found


def _root(parent: Labels, leaf: int) -> int:
    while parent[leaf] != leaf:
        leaf = int(parent[leaf])
    return leaf


def _best_cut(similarity: Floats, weights: NDArray[np.float64], merges: list[tuple[int, int]]
              ) -> dict[int, float]:
    """Silhouette by number of groups: spaced cuts first, then all around the best."""
    most = max(2, min(len(weights) - 1, int(weights.sum()) // 2))
    spaced = sorted({2, *(int(round(k)) for k in np.geomspace(2, most, _steps(most)))})
    found = _silhouettes(similarity, weights, _cuts(merges, len(weights), spaced))
    best = max(found, key=lambda k: (found[k], -k))
    at = spaced.index(best)
    between = range(spaced[max(0, at - 1)], spaced[min(len(spaced) - 1, at + 1)] + 1)
    closer = sorted({int(round(k)) for k in np.linspace(between[0], between[-1], 40)} - set(spaced))
    found.update(_silhouettes(similarity, weights, _cuts(merges, len(weights), closer)))
    return found


def _steps(most: int) -> int:
    return 2 + int(np.log(most / 2) / np.log(STEP))


def _silhouettes(similarity: Floats, weights: NDArray[np.float64], cuts: dict[int, Labels]
                 ) -> dict[int, float]:
    """Mean silhouette of each of several nested cuts, from the finest to the coarsest."""
    sums = similarity * weights.astype(np.float32)[:, None]
    finer = np.arange(len(weights))
    found = {}
    for k in sorted(cuts, reverse=True):
        labels = cuts[k]
        # Nested cuts: the sums over a group are sums over the finer groups that it is made of.
        parent = np.empty(finer.max() + 1, dtype=np.int64)
        parent[finer] = labels
        sums, finer = _sum_rows(sums, parent, k), labels
        found[k] = _silhouette(sums, labels, weights)
    return found


def _sum_rows(rows: Floats, group: Labels, k: int) -> Floats:
    ones = np.ones(len(group), dtype=np.float32)
    summed: Floats = sp.csr_matrix((ones, (group, np.arange(len(group)))), shape=(k, len(group))) @ rows
    return summed


def _silhouette(sums: Floats, labels: Labels, weights: NDArray[np.float64]) -> float:
    """Mean silhouette, by cosine distance, of leaves from (k, leaves) sums of similarities to groups."""
    size = np.bincount(labels, weights, minlength=len(sums))
    line = np.arange(len(labels))
    own = sums[labels, line].astype(np.float64)
    averages = sums / size[:, None].astype(np.float32)
    averages[labels, line] = -2
    away = 1 - averages.max(axis=0).astype(np.float64)
    many = size[labels] > 1
    inside = 1 - (own - 1) / np.where(many, size[labels] - 1, 1)
    width = np.where(many, (away - inside) / np.maximum(np.maximum(away, inside), 1e-9), 0)
    return float(np.average(width, weights=weights))


def _refined(unit: Floats, order: Labels, labels: Labels) -> Labels:
    for _ in range(REFINEMENTS):
        centres = means(unit, order, labels, int(labels.max()) + 1)
        moved, _ = assign(unit, order, centres)
        if np.array_equal(moved, labels):
            break
        labels = moved
    return labels


def _leaf_silhouette(unit: Floats, order: Labels, leaf_of: Labels, labels: Labels, similarity: Floats,
                     weights: NDArray[np.float64]) -> float:
    """Silhouette of a partition of the vectors whose groups may cut through leaves."""
    k = int(labels.max()) + 1
    if len(weights) == len(labels):
        by_leaf = np.empty(k and len(labels), dtype=np.int64)
        by_leaf[leaf_of] = labels
        return _silhouette(_sum_rows(similarity, by_leaf, k), by_leaf, weights)
    centres = means(unit, order, labels, k)
    size = np.bincount(labels, minlength=k).astype(np.float64)
    widths = np.empty(len(labels))
    for start in range(0, len(labels), ROWS):
        part, own = unit[start : start + ROWS], labels[start : start + ROWS]
        averages = part @ centres.T
        line = np.arange(len(part))
        mine = averages[line, own].astype(np.float64)
        averages[line, own] = -2
        away = 1 - averages.max(axis=1).astype(np.float64)
        inside = 1 - (mine * size[own] - 1) / np.maximum(size[own] - 1, 1)
        width = (away - inside) / np.maximum(np.maximum(away, inside), 1e-9)
        widths[start : start + ROWS] = np.where(size[own] > 1, width, 0)
    return float(widths[order].mean())


def _runner_up(found: dict[int, float], best: int) -> int:
    tried = sorted(found)
    peaks = [k for before, k, after in zip([0, *tried], tried, [*tried[1:], 0], strict=False)
             if k != best and found[k] >= max(found.get(before, -2.0), found.get(after, -2.0))]
    return max(peaks, key=lambda k: (found[k], -k), default=0)
