"""What recognition stands on: likeness to each person, and what likeness means among strangers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.special import log_ndtr, ndtri

from .content import content_order
from .neighbors import BLOCK_CELLS

Floats = NDArray[np.float64]
Unit = NDArray[np.float32]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Arrays = dict[str, NDArray[Any]]

# Faces from which the usual likeness of strangers is learned.
SAMPLE = 1_000
# The likeness of strangers and of equal people before anything is known, and how many comparisons it counts for.
PRIOR_LOCATION, PRIOR_WIDTH, PRIOR_COMPARISONS = 0.05, 0.12, 50.0
PRIOR_SAME, PRIOR_SAME_SPREAD, PRIOR_FACES = 0.65, 0.13, 20.0
# What was learned before counts for at most so many comparisons, so that the album at hand decides.
MEMORY, MEMORY_OF_ONE, MEMORY_FACES = 5_000.0, 50.0, 50.0
# How much of a person's own deviation from the corpus is believed at most, and how many comparisons earn half of it.
SHRINKAGE, HALF_WAY = 0.5, 20.0
# Faces in one step of the network's training.
BATCH = 200


@dataclass(frozen=True, eq=False)
class Impostors:
    """The likeness of strangers to each of p people, learned from a corpus.

    location, width: pooled median and left half-width (the distance from the median to the 16th percentile, which
    the faces of the person himself, all on the right, do not touch), after ``comparisons``.
    own_location, own_width: (p,) each person's deviation from the median and relation to the width, after ``own``
    (p,) comparisons; both are shrunk towards the corpus.
    """

    location: float
    width: float
    comparisons: float
    own_location: Floats
    own_width: Floats
    own: Floats

    @classmethod
    def prior(cls, p: int) -> Impostors:
        return cls(PRIOR_LOCATION, PRIOR_WIDTH, PRIOR_COMPARISONS, np.zeros(p), np.ones(p), np.zeros(p))

    def of(self, people: Ints) -> Impostors:
        """The same for some of the people only."""
        return Impostors(self.location, self.width, self.comparisons, self.own_location[people],
                         self.own_width[people], self.own[people])

    def standardise(self, likeness: Unit) -> Unit:
        """(rows, p) likeness → (rows, p) float32 that strangers make a standard normal, for each person."""
        belief = SHRINKAGE * self.own / (self.own + HALF_WAY)
        location = self.location + belief * self.own_location
        width = self.width * (1 + belief * (self.own_width - 1))
        standard = likeness - location.astype(np.float32)
        standard *= (1 / width).astype(np.float32)
        return standard

    def learn(self, likeness: Unit, strangers: Bools) -> Impostors:
        """Learn from (m, p) likeness where ``strangers`` (m, p) says that the face is not the person."""
        counts = np.count_nonzero(strangers, axis=0).astype(np.float64)
        if not counts.any():
            return self
        pooled = np.sort(likeness[strangers])
        middle, left = _median_and_width(pooled[None], np.array([len(pooled)]))
        columns = np.sort(np.where(strangers, likeness, np.inf).T, axis=1)
        medians, lefts = _median_and_width(columns, counts.astype(np.int64))
        # The right tail may be heavier than the left: the width is that which puts 1 % where 1 % is.
        heavy = (pooled[int(0.99 * (len(pooled) - 1))] - middle[0]) / -ndtri(0.01)
        width = left[0] + (max(heavy, left[0]) - left[0]) * counts.sum() / (counts.sum() + 500)
        known, new = min(self.comparisons, MEMORY), counts.sum()
        known_own = np.minimum(self.own, MEMORY_OF_ONE)
        share = np.divide(counts, counts + known_own, out=np.zeros_like(counts), where=counts > 0)
        wide = np.where(counts > 1, lefts / max(left[0], 1e-6), 1.0)
        return Impostors(
            float((known * self.location + new * middle[0]) / (known + new)),
            max(float((known * self.width + new * width) / (known + new)), 1e-3), known + new,
            self.own_location + share * (np.where(counts > 0, medians, middle[0]) - middle[0] - self.own_location),
            self.own_width + share * (np.clip(wide, 0.5, 2.0) - self.own_width), known_own + counts)


def _median_and_width(rows: NDArray[Any], counts: Ints) -> tuple[Floats, Floats]:
    """Median and left half-width of the first ``counts`` values of each sorted row."""
    each = np.arange(len(rows))
    last = np.maximum(counts - 1, 0)
    middle = (rows[each, last // 2].astype(np.float64) + rows[each, (last + 1) // 2]) / 2
    with np.errstate(invalid="ignore"):
        return middle, middle - rows[each, np.rint(0.1587 * last).astype(np.int64)]


def threshold(max_false_accepts: float, comparisons: int) -> float:
    """The standardised likeness that the best of so many comparisons with strangers exceeds that often."""
    return float(-ndtri(-np.expm1(np.log1p(-max_false_accepts) / max(comparisons, 1))))


@dataclass(frozen=True)
class Mixture:
    """Best likenesses as a mixture of strangers (the best of ``comparisons`` standard normals) and equal people
    (normal: ``same``, ``spread``), of whom there are ``share``."""

    comparisons: int
    same: float
    spread: float
    share: float

    @classmethod
    def fit(cls, best: Floats, comparisons: int, same: float, spread: float, faces: float) -> Mixture:
        """Fit to (n,) standardised best likenesses by expectation maximisation.

        same, spread: what is known before of equal people, after so many ``faces``.
        """
        floor = threshold(0.01, comparisons)
        found = cls(comparisons, max(same, floor), spread, 0.5)
        before = found
        for _ in range(30):
            equal = found.probability(best)
            n = float(equal.sum())
            mean = (float(equal @ best) + faces * before.same) / (n + faces)
            around = float(equal @ (best - mean) ** 2) + faces * (spread**2 + (before.same - mean) ** 2)
            found = cls(comparisons, max(mean, floor), max(float(np.sqrt(around / (n + faces))), 0.5),
                        (n + 1) / (len(best) + 2))
        return found

    def of_one(self) -> Mixture:
        """The same for one comparison taken by itself, where each best was the best of ``comparisons``."""
        return Mixture(1, self.same, self.spread, self.share / (self.share + self.comparisons))

    def probability(self, best: Floats) -> Floats:
        """(n,) probability of equal people, which never falls where likeness rises."""
        low = min(float(best.min(initial=0.0)), 0.0)
        grid = np.linspace(low, max(self.same, low + 1), 1_001)
        odds = (np.log(self.share) - np.log1p(-self.share) - np.log(self.spread) - np.log(self.comparisons)
                - 0.5 * ((grid - self.same) / self.spread) ** 2 + 0.5 * grid**2
                - (self.comparisons - 1) * log_ndtr(grid))
        rising = np.minimum.accumulate(odds[::-1])[::-1]
        return np.asarray(1 / (1 + np.exp(-np.clip(np.interp(best, grid, rising), -700, 700))))


def centroids(unit: Unit, person: Ints, p: int) -> Unit:
    """(p, d) float32 unit vectors: each person's mean; a vanishing mean: his first face; nobody's: zeros."""
    n = len(unit)
    total = np.asarray(sp.csr_matrix((np.ones(n), (person, np.arange(n))), shape=(p, n)) @ unit.astype(np.float64))
    norms = np.linalg.norm(total, axis=1, keepdims=True)
    someone, first = np.unique(person, return_index=True)
    vanishing = norms[someone, 0] < 1e-6
    total[someone[vanishing]], norms[someone[vanishing]] = unit[first[vanishing]], 1.0
    return np.asarray(np.divide(total, norms, out=np.zeros_like(total), where=norms > 0), dtype=np.float32)


def equal_people(unit: Unit, person: Ints) -> Floats:
    """Similarity of each face to the centroid of his other faces, of people who have several."""
    sizes = np.bincount(person)
    several = sizes[person] > 1
    n = len(unit)
    wide = unit.astype(np.float64)
    total = np.asarray(sp.csr_matrix((np.ones(n), (person, np.arange(n))), shape=(len(sizes), n)) @ wide)
    others = total[person[several]] - wide[several]
    return np.asarray(np.einsum("ij,ij->i", others, wide[several]) / np.maximum(np.linalg.norm(others, axis=1), 1e-6))


def same_person(alike: Floats) -> tuple[float, float, float]:
    """Mean and spread of the similarities of :func:`equal_people`, and how many faces they count for."""
    n = len(alike) + PRIOR_FACES
    mean = (float(alike.sum()) + PRIOR_FACES * PRIOR_SAME) / n
    around = float(((alike - mean) ** 2).sum()) + PRIOR_FACES * (PRIOR_SAME_SPREAD**2 + (PRIOR_SAME - mean) ** 2)
    return mean, float(np.sqrt(around / n)), min(n, MEMORY_FACES)


def train_centroid(unit: Unit, person: Ints, seed: int) -> Arrays:
    return {"centroids": centroids(unit, person, int(person.max()) + 1)}


def score_centroid(arrays: Mapping[str, NDArray[Any]], unit: Unit) -> tuple[Unit, Unit | None]:
    return unit @ arrays["centroids"].T, None


def train_neighbors(unit: Unit, person: Ints, seed: int, k: int) -> Arrays:
    return {"examples": unit, "owners": person}


def score_neighbors(arrays: Mapping[str, NDArray[Any]], unit: Unit, k: int) -> tuple[Unit, Unit | None]:
    """Mean similarity to the k most similar examples of each person; to all where a person has fewer."""
    examples, owners = arrays["examples"], arrays["owners"]
    sizes = np.bincount(owners)
    n, p = len(owners), len(sizes)
    mean = sp.csr_matrix((1 / sizes[owners], (owners, np.arange(n))), shape=(p, n)) @ examples.astype(np.float64)
    result = unit @ np.asarray(mean, dtype=np.float32).T  # the mean similarity to all examples
    starts = np.cumsum(sizes) - sizes
    for size in np.unique(sizes[sizes > k]):
        who = np.flatnonzero(sizes == size)
        own = examples[starts[who][:, None] + np.arange(size)]
        step = max(1, BLOCK_CELLS // (len(who) * int(size)))
        for row in range(0, len(unit), step):
            similar = (unit[row : row + step] @ own.reshape(-1, own.shape[2]).T).reshape(-1, len(who), size)
            result[row : row + step, who] = np.partition(similar, size - k, axis=2)[:, :, size - k :].mean(axis=2)
    return result, None


def train_network(unit: Unit, person: Ints, seed: int, hidden: int, alpha: float, steps: int) -> Arrays:
    """One hidden layer (rectified linear, Adam) on standardised unit vectors, by scikit-learn."""
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    p, d = int(person.max()) + 1, unit.shape[1]
    mean = unit.mean(axis=0, dtype=np.float64)
    # Half way to the spread of random directions: of a few faces, one coordinate's own spread means little.
    scale = 2 / (unit.std(axis=0, dtype=np.float64) + np.sqrt(1 / d))
    arrays: Arrays = {"centroids": centroids(unit, person, p), "mean": mean, "scale": scale}
    if p == 1:  # nothing to tell apart
        return arrays | {"weights_1": np.zeros((d, 1)), "bias_1": np.zeros(1), "weights_2": np.zeros((1, 1)),
                         "bias_2": np.zeros(1)}
    batches = -(-len(unit) // BATCH)
    network = MLPClassifier((hidden,), alpha=alpha, batch_size=min(BATCH, len(unit)), max_iter=-(-steps // batches),
                            random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        network.fit(((unit - mean) * scale).astype(np.float32), person)
    (first, second), (bias_1, bias_2) = network.coefs_, network.intercepts_
    if p == 2:  # one output tells two people apart
        second, bias_2 = np.hstack([np.zeros_like(second), second]), np.append(0.0, bias_2)
    return arrays | {"weights_1": first, "bias_1": bias_1, "weights_2": second, "bias_2": bias_2}


def score_network(arrays: Mapping[str, NDArray[Any]], unit: Unit) -> tuple[Unit, Unit | None]:
    """The network says who; the similarity to his centroid says whether it is a stranger."""
    inside = np.maximum(((unit - arrays["mean"]) * arrays["scale"]) @ arrays["weights_1"] + arrays["bias_1"], 0)
    outputs = inside @ arrays["weights_2"] + arrays["bias_2"]
    return unit @ arrays["centroids"].T, outputs.astype(np.float32)


def distinct_rows(unit: Unit) -> tuple[Unit, Ints]:
    """The distinct rows in the order of their content, and for each given row which of them it is."""
    order, first = content_order(unit)
    which = np.empty(len(unit), dtype=np.int64)
    which[order] = np.cumsum(first) - 1
    return np.ascontiguousarray(unit[order[first]]), which


def evenly(n: int, most: int) -> Ints:
    return np.unique(np.linspace(0, n - 1, min(n, most)).astype(np.int64))
