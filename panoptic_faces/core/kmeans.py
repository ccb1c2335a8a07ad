"""k-means on unit vectors: seeded, the same whatever the order of the rows, no cluster empty."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from .content import content_order

Floats = NDArray[np.float32]
Labels = NDArray[np.int64]

# Centroids are first found on a sample of so many rows a cluster, then moved on all rows.
SAMPLE = 128
LEAST_SAMPLE = 4096
SAMPLE_STEPS = 10
STEPS = 1
STARTS = 2
# Float32 products may be this far off: closer calls between two centroids are made in float64.
ROUNDING = 1e-5
ROWS = 8192


def kmeans(unit: Floats, k: int, seed: int) -> Labels:
    """Labels 0 … k − 1 of (n, d) unit vectors, by Lloyd's iterations from k-means++ seeds.

    The sum of squared distances to the means of the clusters is what the iterations lower (Lloyd 1982;
    Arthur & Vassilvitskii 2007). Equal vectors share a cluster, so k is at most their number of kinds.
    """
    order, first = content_order(unit)
    k = min(k, int(first.sum()))
    if k <= 1:
        return np.zeros(len(unit), dtype=np.int64)
    random = np.random.default_rng(seed)
    sample = unit[_drawn(order, first, k, random)]
    best, least = None, np.inf
    for _ in range(STARTS if k <= 32 else 1):
        centres = _spread(sample, k, random)
        centres, inertia = _iterate(sample, np.arange(len(sample)), centres, SAMPLE_STEPS)
        if inertia < least:
            best, least = centres, inertia
    assert best is not None
    centres, _ = _iterate(unit, order, best, STEPS)
    return assign(unit, order, centres)[0]


def _drawn(order: Labels, first: NDArray[np.bool_], k: int, random: np.random.Generator) -> Labels:
    """The rows on which centroids are found, of at least k kinds, in their order."""
    size = max(SAMPLE * k, LEAST_SAMPLE)
    if len(order) <= size:
        return order
    drawn = random.choice(len(order), size, replace=False)
    kind = np.cumsum(first) - 1
    there = np.bincount(kind[drawn], minlength=int(kind[-1]) + 1) > 0
    rare = np.flatnonzero(first)[~there][: max(0, k - int(there.sum()))]
    return order[np.sort(np.append(drawn, rare))]


def _spread(rows: Floats, k: int, random: np.random.Generator) -> Floats:
    """k-means++ seeds, the best of a few candidates each time, among some of the rows."""
    some = rows[:: max(1, len(rows) // max(1024, 10 * k))]
    products = some @ some.T
    chosen = [int(random.integers(len(some)))]
    away = np.maximum(2 - 2 * products[chosen[0]], 0).astype(np.float64)
    tries = 2 + int(np.log(k))
    for _ in range(k - 1):
        if away.sum() <= 1e-9:
            candidates = random.integers(len(some), size=1)
        else:
            marks = random.random(tries) * away.sum()
            candidates = np.minimum(np.searchsorted(np.cumsum(away), marks), len(some) - 1)
        nearer = np.minimum(away, np.maximum(2 - 2 * products[candidates], 0))
        pick = int(np.argmin(nearer.sum(axis=1)))
        chosen.append(int(candidates[pick]))
        away = nearer[pick]
    return some[chosen].copy()


def _iterate(rows: Floats, order: Labels, centres: Floats, steps: int) -> tuple[Floats, float]:
    """Lloyd's iterations; returns the centroids and the sum of squared distances to those before the last."""
    before = None
    inertia = np.inf
    for _ in range(steps):
        labels, away = assign(rows, order, centres)
        inertia = float(away[order].sum())
        if before is not None and np.array_equal(labels, before):
            break
        before = labels
        centres = means(rows, order, labels, len(centres))
    return centres, inertia


def means(rows: Floats, order: Labels, labels: Labels, k: int) -> Floats:
    """(k, d) means of the rows of each label, added up in the order given."""
    counts = np.bincount(labels, minlength=k)
    by_label = order[np.argsort(labels[order], kind="stable")]
    pointers = np.concatenate([[0], np.cumsum(counts)])
    chosen = sp.csr_matrix((np.ones(len(rows), dtype=np.float32), by_label, pointers), shape=(k, len(rows)))
    found: Floats = np.asarray(chosen @ rows, dtype=np.float32)
    found /= np.maximum(counts, 1).astype(np.float32)[:, None]
    return found


def assign(rows: Floats, order: Labels, centres: Floats) -> tuple[Labels, NDArray[np.float64]]:
    """Nearest centroid of each row and the squared distance to it; a centroid left alone gets a row."""
    half = np.einsum("ij,ij->i", centres, centres, dtype=np.float64) / 2
    labels = np.empty(len(rows), dtype=np.int64)
    away = np.empty(len(rows))
    for start in range(0, len(rows), ROWS):
        part = rows[start : start + ROWS]
        gain = part @ centres.T - half.astype(np.float32)
        best = np.argmax(gain, axis=1)
        line = np.arange(len(part))
        top = gain[line, best].astype(np.float64)
        close = np.flatnonzero((gain >= (top - ROUNDING).astype(np.float32)[:, None]).sum(axis=1) > 1)
        for row in close:
            rivals = np.flatnonzero(gain[row] >= top[row] - ROUNDING)
            exact = np.einsum("ij,j->i", centres[rivals], part[row], dtype=np.float64) - half[rivals]
            best[row] = rivals[np.argmax(exact)]
            top[row] = exact.max()
        labels[start : start + ROWS] = best
        away[start : start + ROWS] = np.maximum(1 - 2 * top, 0)
    empty = np.flatnonzero(np.bincount(labels, minlength=len(centres)) == 0)
    if len(empty):
        _fill(rows, order, labels, away, empty)
    return labels, away


def _fill(rows: Floats, order: Labels, labels: Labels, away: NDArray[np.float64], empty: Labels) -> None:
    """Give each empty cluster the row farthest from its centroid, with its equals, and so change labels."""
    # Far rows first; distances are rounded so that float32 noise cannot change the order of ties.
    far = order[np.argsort(-np.round(away[order], 5), kind="stable")]
    counts = np.bincount(labels, minlength=int(empty[-1]) + 1)
    position = 0
    for cluster in empty:
        while True:
            row = far[position]
            position += 1
            same = np.flatnonzero((labels == labels[row]) & (rows @ rows[row] > 1 - 1e-6))
            same = same[(rows[same] == rows[row]).all(axis=1)]
            if counts[labels[row]] > len(same) and labels[row] not in empty:
                break
        counts[labels[row]] -= len(same)
        labels[same] = cluster
        away[same] = 0
