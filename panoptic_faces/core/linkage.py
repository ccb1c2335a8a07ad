"""Agglomeration on a sparse graph, in rounds: every pair that is best for both sides joins."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from .constraints import Faces, Ints, atom_sums

Floats = NDArray[np.float64]
CHUNK = 65_536
# A round joins the pairs whose score comes near the best one's; the last rounds join all that is positive.
NEAR, LAST = 0.7, 0.5


class Clusters:
    """Clusters of atoms by their sums, so that a mean similarity of all pairs of two of them is one product.

    Similarities are centred: s_ij − offset_i − offset_j. A cluster is known by its lowest atom; the others
    have size 0. sums (m, d), offset (m,), size (m,); within (m,) centred similarities of all ordered pairs of
    members, a face with itself included; own (m,) of the faces with themselves.
    """

    def __init__(self, faces: Faces, offset: Floats, sums: Floats | None = None) -> None:
        """offset: (n,) of the faces. sums: (m, d) of the atoms, where they are known: the vectors are not needed."""
        self.faces = faces
        self.sums = atom_sums(faces)[0] if sums is None else sums
        sizes = np.bincount(faces.atom, minlength=faces.n_atoms)
        self.size = sizes.astype(np.float64)
        self.offset = np.bincount(faces.atom, weights=offset, minlength=len(sizes))
        self.own = self.size - 2 * self.offset
        self.within = np.empty(len(sizes))
        self._measure_within(np.arange(len(sizes)))
        self.root: Ints = np.arange(len(sizes))
        self.person = faces.person.copy()
        self.apart = np.array([(a, b) for a in sorted(faces.apart) for b in sorted(faces.apart[a])],
                              dtype=np.int64).reshape(-1, 2)
        self.on_photo = np.flatnonzero(faces.photo >= 0)
        if len(self.on_photo):
            several = np.bincount(faces.photo[self.on_photo])[faces.photo[self.on_photo]] > 1
            self.on_photo = self.on_photo[several]

    def _measure_within(self, a: Ints) -> None:
        sums = self.sums[a]
        # Centring may leave a face nothing of its own: the floor keeps it from being like everybody.
        self.within[a] = np.maximum(
            np.einsum("ij,ij->i", sums, sums) - 2 * self.size[a] * self.offset[a], 1e-6 * self.size[a] ** 2)

    def product(self, a: Ints, b: Ints) -> Floats:
        """(e,) sums of the centred similarities of all pairs of two clusters."""
        found = np.empty(len(a))
        for start in range(0, len(a), CHUNK):
            part = slice(start, start + CHUNK)
            found[part] = np.einsum("ij,ij->i", self.sums[a[part]], self.sums[b[part]])
        return found - self.offset[a] * self.size[b] - self.size[a] * self.offset[b]

    def mean_within(self) -> Floats:
        """(m,) mean centred similarity of two different members; 0 for a single face."""
        return np.asarray((self.within - self.own) / np.maximum(self.size * (self.size - 1), 1))

    def photos(self) -> sp.csr_matrix:
        """(m, photos) faces of each cluster on each photo, of photos with several faces."""
        rows, columns = self.root[self.faces.atom[self.on_photo]], self.faces.photo[self.on_photo]
        width = int(self.faces.photo.max(initial=-1)) + 1
        return sp.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(len(self.size), max(width, 1)))

    def forbidden(self, a: Ints, b: Ints) -> NDArray[np.bool_]:
        """(e,) pairs of clusters that cannot be one person."""
        found = (self.person[a] >= 0) & (self.person[b] >= 0)
        if len(self.apart):
            m = len(self.size)
            barred = self.root[self.apart]
            found |= np.isin(a * m + b, barred[:, 0] * m + barred[:, 1])
        if len(self.on_photo) and len(a):
            photos = self.photos()
            for start in range(0, len(a), CHUNK):
                part = slice(start, start + CHUNK)
                found[part] |= np.asarray(photos[a[part]].multiply(photos[b[part]]).sum(axis=1)).ravel() > 0
        return found

    def forbidden_between(self, a: Ints, b: Ints) -> NDArray[np.bool_]:
        """(len(a), len(b)): :meth:`forbidden` for all pairs."""
        found = (self.person[a][:, None] >= 0) & (self.person[b] >= 0)
        if len(self.apart):
            row = np.full(len(self.size), -1)
            column = row.copy()
            row[a], column[b] = np.arange(len(a)), np.arange(len(b))
            barred = self.root[self.apart]
            i, j = row[barred[:, 0]], column[barred[:, 1]]
            found[i[(i >= 0) & (j >= 0)], j[(i >= 0) & (j >= 0)]] = True
        if len(self.on_photo):
            photos = self.photos()
            found[(photos[a] @ photos[b].T).nonzero()] = True
        return found

    def may_follow(self, a: Ints, b: Ints, into: Ints, what: Ints) -> NDArray[np.bool_]:
        """(e,) clusters ``what`` that may join ``into`` beside the pairs (a, b) and the others before them.

        Cautious: who is known or has a cannot-link waits for a round of his own, and so does who shares a
        photo with anybody before him.
        """
        free = self.person[what] < 0
        if len(self.apart):
            free &= ~np.isin(what, self.root[self.apart])
        if len(self.on_photo) and len(what):
            who = np.concatenate([a, b, what])
            table = self.photos()[who].tocoo()
            head = np.concatenate([a, a, into])[table.row]
            order = np.lexsort((table.row, table.col, head))
            head, photo = head[order], table.col[order]
            again = np.zeros(len(order), dtype=bool)
            again[1:] = (head[1:] == head[:-1]) & (photo[1:] == photo[:-1])
            late = table.row[order][again] - 2 * len(a)
            free[late[late >= 0]] = False
        return free

    def merge(self, a: Ints, b: Ints) -> Ints:
        """Let clusters b become part of clusters a, none of them in b. Returns (m,) what each one is now."""
        for values in (self.own, self.sums, self.offset, self.size):
            np.add.at(values, a, values[b])
        np.maximum.at(self.person, a, self.person[b])
        self.size[b] = 0
        self._measure_within(np.unique(a))
        now: Ints = np.arange(len(self.size))
        now[b] = a
        self.root = now[self.root]
        return now


# (clusters, a, b, product) → (e,) scores: pairs of a positive score may join, the highest first; −∞ = never.
Score = Callable[[Clusters, Ints, Ints, Floats], Floats]


def agglomerate(clusters: Clusters, a: Ints, b: Ints, score: Score) -> tuple[Ints, Ints]:
    """Join clusters along the edges (a, b), the best first, until no score is positive; gives the edges left over.

    In a round, among the pairs whose score comes near the best one's, those join that are best for both
    sides, and with them the clusters that find their own best in one side and may join the other: else a
    person of 500 faces, to whom one face joins after the other, would take 500 rounds. Ties are broken by the
    numbers of the clusters.
    """
    m = len(clusters.size)
    a, b, scores = _measure(clusters, a, b, score)
    while len(scores) and scores.max() > 0:
        level = max(0.0, NEAR * float(scores.max()) - LAST)
        near = np.flatnonzero(scores > level)
        barred = clusters.forbidden(a[near], b[near])
        scores[near[barred]] = -np.inf
        near = near[~barred]
        into, what = _joins(clusters, a[near], b[near], scores[near], score)
        now = clusters.merge(into, what)
        touched = np.zeros(m, dtype=bool)
        touched[into] = touched[what] = True
        stale = touched[a] | touched[b]
        fresh = _measure(clusters, now[a[stale]], now[b[stale]], score)
        kept = ~stale & (scores > -np.inf)
        a, b, scores = (np.concatenate([old[kept], new])
                        for old, new in zip((a, b, scores), fresh, strict=True))
    return a, b


def _joins(clusters: Clusters, a: Ints, b: Ints, scores: Floats, score: Score) -> tuple[Ints, Ints]:
    """Which clusters take which others in this round; none both takes and is taken."""
    m = len(clusters.size)
    order = np.lexsort((b, a, -scores))
    a, b = a[order], b[order]
    rank = np.arange(len(a))
    first = np.full(m, len(a))
    np.minimum.at(first, a, rank)
    np.minimum.at(first, b, rank)
    for_a, for_b = first[a] == rank, first[b] == rank
    both = for_a & for_b
    head, other = np.full(m, -1), np.full(m, -1)
    head[a[both]] = head[b[both]] = a[both]
    other[a[both]], other[b[both]] = b[both], a[both]
    # Followers: their best partner joins another in this round, with which they have to agree too.
    what = np.concatenate([a[for_a & ~for_b], b[for_b & ~for_a]])
    partner = np.concatenate([b[for_a & ~for_b], a[for_b & ~for_a]])
    at = np.concatenate([rank[for_a & ~for_b], rank[for_b & ~for_a]])
    into = head[partner]
    follows = (into >= 0) & (head[what] < 0)
    turn = np.flatnonzero(follows)[np.argsort(at[follows])]
    what, into, beside = what[turn], into[turn], other[partner[turn]]
    free = clusters.may_follow(a[both], b[both], into, what)
    free &= score(clusters, what, beside, clusters.product(what, beside)) > 0
    return np.concatenate([a[both], into[free]]), np.concatenate([b[both], what[free]])


def _measure(clusters: Clusters, a: Ints, b: Ints, score: Score) -> tuple[Ints, Ints, Floats]:
    """The distinct edges among these, lower number first, with their scores."""
    m = len(clusters.size)
    key = np.sort((np.minimum(a, b) * m + np.maximum(a, b))[a != b])
    key = key[np.append(True, key[1:] != key[:-1])] if len(key) else key
    a, b = key // m, key % m
    scores = score(clusters, a, b, clusters.product(a, b))
    kept = scores > -np.inf
    return a[kept], b[kept], scores[kept]
