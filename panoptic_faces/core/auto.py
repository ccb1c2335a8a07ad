"""The default: people without a parameter.

No threshold is carried from model to model: the corpus says how similar different people look
(``impostors``), and three rules decide from that. The constants below are shares and counts, none of them a
similarity of some model.

1. Two groups join when different people would hardly ever look so similar. What is compared is the cosine of
   their centroids, whose chance distribution does not depend on their sizes, whereas that of one person's
   groups tends to 1 as they grow: so the mean similarity asked for falls with size. The level is set by the
   number of comparisons: n faces hold at most n/a groups of a faces, so an error of p a comparison misplaces
   about p·n²/(a+b) faces; ``ERROR`` is the share of misplaced faces allowed.
2. Groups large enough to know their own width must share most of their identity: the correlation of their
   centroids, corrected for the attenuation by noise (Spearman 1904), must reach ``IDENTITY``. It keeps
   look-alikes apart whom chance alone would not explain.
3. Faces left over are tested against the established groups, in comparison with how they look to all the
   other groups, and join at a false discovery rate (Benjamini & Hochberg 1995), lower where those left over
   are many, because there strangers are likely. Poor faces enter here only.

Agglomeration with a calibrated stop and score normalisation by a cohort are the standard of speaker
diarization (Matějka et al. 2017, Landini et al. 2022), from which this is taken over to faces.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from .constraints import Bools, Faces, Ints
from .impostors import Impostors, estimate
from .linkage import Clusters, Score, agglomerate
from .neighbors import nearest
from .types import NOISE

Floats = NDArray[np.float64]

NEIGHBOURS = 48
# Share of the faces that the joins by chance may misplace.
ERROR = 0.004
# Groups that pairwise show no more than this correlation of identity are two people.
IDENTITY = 0.65
# Adoption: groups of so many faces adopt; their impostors count as so many draws of the corpus's.
ESTABLISHED, COHORT_PRIOR = 3, 8
# False discovery rate, where the adopting groups hold at least so many times the faces left over.
DISCOVERY, ODDS = 0.2, 40.0
# Pairs that chance explains this well never matter.
HOPELESS = np.log(0.05)
BLOCK = 4_000_000

# (clusters, impostors, left, adults) → the adult nearest to each and the probability of being so near.
Resemblance = Callable[[Clusters, Impostors, Ints, Ints], tuple[Ints, Floats]]


def auto(faces: Faces) -> Ints:
    """(n,) labels of the faces; constraints hold, poor faces that nobody adopts are noise.

    Takes memory for the neighbour graph (48 n edges) and n × d sums, never n × n.
    """
    good_atom = ~faces.atom_poor()
    good = good_atom[faces.atom] & ~faces.poor
    if not good.any():
        return np.full(len(faces.atom), NOISE, dtype=np.int64)
    impostors = estimate(faces.unit, faces.photo, good)
    clusters = Clusters(faces, impostors.offset)
    where = np.flatnonzero(good)
    a, b, _ = nearest(faces.unit[where], NEIGHBOURS, faces.seed)
    join_and_adopt(clusters, impostors, float(good.sum()), good_atom, faces.atom[where[a]], faces.atom[where[b]])
    labels = clusters.root.copy()
    alone = ~good_atom & (np.bincount(labels, weights=good_atom, minlength=len(labels))[labels] == 0)
    labels[alone] = NOISE
    return np.asarray(labels[faces.atom], dtype=np.int64)


def join_and_adopt(clusters: Clusters, impostors: Impostors, n: float, good: Bools, a: Ints, b: Ints,
                   resembles: Resemblance | None = None) -> None:
    """The three rules on clusters with the edges (a, b) of their nearest neighbours.

    n: number of faces that the corpus's chances are counted with. good: (m,) atoms that may link.
    resembles: another way to compute what :func:`resemblance` does.
    """
    for _ in range(3):
        before = clusters.root.copy()
        agglomerate(clusters, a, b, rule(impostors, n))
        if (before == clusters.root).all():
            break
        a, b = _beyond(clusters, good)
    for _ in range(3):
        if not _adopt(clusters, impostors, good, resembles or resemblance):
            break


def rule(impostors: Impostors, n: float) -> Score:
    """The first two rules as the score of a pair of clusters."""
    def score(clusters: Clusters, a: Ints, b: Ints, product: Floats) -> Floats:
        return _score(clusters, impostors, n, a, b, product)
    return score


def _score(clusters: Clusters, impostors: Impostors, n: float, a: Ints, b: Ints, product: Floats) -> Floats:
    """Evidence against chance beyond what the number of comparisons asks; −∞ where chance explains all."""
    size_a, size_b = clusters.size[a], clusters.size[b]
    smaller = np.minimum(size_a, size_b)
    log_tail = impostors.log_tail(product / np.sqrt(clusters.within[a] * clusters.within[b]))
    scores = -log_tail + np.log(ERROR / n * (size_a + size_b) / np.sqrt(smaller))
    width = np.maximum(clusters.mean_within(), 1e-3)
    shared = product / (size_a * size_b) / np.sqrt(width[a] * width[b])
    apart = (smaller > 1) & (shared < IDENTITY * (1 - 1 / smaller))
    scores = np.where(apart, -np.abs(scores), scores)
    return np.where(log_tail > HOPELESS, -np.inf, scores)


def _beyond(clusters: Clusters, good: Bools) -> tuple[Ints, Ints]:
    """Edges from groups that fill their members' neighbourhoods to the groups nearest to their centroids."""
    alive = np.flatnonzero(np.bincount(clusters.root, weights=good, minlength=len(good)) > 0)
    large = np.flatnonzero(clusters.size[alive] >= NEIGHBOURS / 2)
    centroids = clusters.sums[alive] / np.sqrt(np.maximum(clusters.within[alive], 1e-6))[:, None]
    centroids = centroids.astype(np.float32)
    k = min(NEIGHBOURS, len(alive) - 1)
    a, b = [], []
    step = max(1, BLOCK // len(alive))
    for start in range(0, len(large) if k > 0 else 0, step):
        rows = large[start : start + step]
        found = np.argpartition(-(centroids[rows] @ centroids.T), k, axis=1)[:, : k + 1]
        a.append(np.repeat(alive[rows], k + 1))
        b.append(alive[found.ravel()])
    none = np.zeros(0, dtype=np.int64)
    return np.concatenate([none, *a]), np.concatenate([none, *b])


def _adopt(clusters: Clusters, impostors: Impostors, good: Bools, resembles: Resemblance) -> bool:
    """Let established groups adopt the faces left over that resemble one of them as no stranger would."""
    groups = np.unique(clusters.root)
    poor = np.bincount(clusters.root, weights=good, minlength=len(good))[groups] == 0
    size = clusters.size[groups]
    adults = groups[(size >= ESTABLISHED) & ~poor]
    left = groups[(size < ESTABLISHED) | poor]
    if not len(adults) or not len(left):
        return False
    nearest_adult, p = resembles(clusters, impostors, left, adults)
    odds = clusters.size[adults].sum() / clusters.size[left].sum()
    rate = DISCOVERY * min(1.0, odds / ODDS)
    order = np.lexsort((left, p))
    passing = np.flatnonzero(p[order] <= rate * np.arange(1, len(p) + 1) / len(p))
    if not len(passing):
        return False
    adopted = order[: passing[-1] + 1]
    clusters.merge(adults[nearest_adult[adopted]], left[adopted])
    return True


def resemblance(clusters: Clusters, impostors: Impostors, left: Ints, adults: Ints) -> tuple[Ints, Floats]:
    """For each group left over, the established group nearest to it, and the probability of being so near.

    The similarities to all the other established groups, with some draws of the corpus's impostors, are the
    cohort that says how near a stranger would come.
    """
    best, p = np.zeros(len(left), dtype=np.int64), np.ones(len(left))
    step = max(1, BLOCK // len(adults))
    mine, theirs = _centred(clusters, left, "size"), _centred(clusters, adults, "offset")
    for start in range(0, len(left), step):
        rows = left[start : start + step]
        cosine = mine[start : start + step] @ theirs.T
        barred = clusters.forbidden_between(rows, adults)
        allowed = np.where(barred, -np.inf, cosine) if barred.any() else cosine
        nearest_adult = allowed.argmax(axis=1)
        highest = allowed[np.arange(len(rows)), nearest_adult]
        top = np.where(np.isfinite(highest), highest, 0.0)
        others = np.isfinite(highest).astype(np.int64)
        count = len(adults) - others + COHORT_PRIOR
        mean = (cosine.sum(axis=1) - top) / count
        square = (np.einsum("ij,ij->i", cosine, cosine) - top**2 + COHORT_PRIOR * impostors.spread**2) / count
        spread = np.sqrt(np.maximum(square - mean**2, 1e-12))
        tail = impostors.log_tail(np.clip((highest - mean) / spread * impostors.spread, -1, 1))
        best[start : start + step] = nearest_adult
        p[start : start + step] = -np.expm1(len(adults) * np.log1p(-np.minimum(np.exp(tail), 1 - 1e-12)))
    return best, p


def _centred(clusters: Clusters, rows: Ints, last: str) -> Floats:
    """(len(rows), d + 2): the product of a row that ends with sizes and one that ends with offsets is their cosine."""
    ends = [-clusters.offset[rows], -clusters.size[rows]]
    if last == "offset":
        ends = [clusters.size[rows], clusters.offset[rows]]
    return np.column_stack([clusters.sums[rows], *ends]) / np.sqrt(clusters.within[rows])[:, None]
