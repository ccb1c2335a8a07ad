"""How similar two different people look to this model, in this corpus: read from the faces, without labels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc, betaln

from .neighbors import similarity_blocks

Floats = NDArray[np.float64]
Similarities = NDArray[np.float32]

# Each face is compared with at most so many others to learn what is usual.
REFERENCES = 1_000
BINS = 400
MIDDLE = (np.arange(BINS, dtype=np.float64) + 0.5) * (2 / BINS) - 1
STEPS = 200
# How much of a face's own deviation from the corpus is believed, and its weight against the corpus's mean.
SHRINKAGE = 0.5
PRIOR_SHARE = 0.125
# The first guess of impostors: directions that differ at random in a third of the model's dimensions.
PRIOR_WEIGHT = 8.0


@dataclass(frozen=True, eq=False)
class Impostors:
    """Similarities of different people: mean, spread, and (n,) each face's share ``offset`` of the mean.

    s − offset_i − offset_j is then a similarity of mean 0 for different people. ``tail`` turns a cosine of
    such centred similarities into a probability.
    """

    mean: float
    spread: float
    offset: Floats

    def __post_init__(self) -> None:
        half = (max(3.0, self.spread**-2) - 1) / 2
        cosine = np.linspace(-1, 1, 8193)[1:-1]
        below, above = (1 - cosine) / 2, (1 + cosine) / 2
        exact = betainc(half, half, below)
        far = half * np.log(below) + (half - 1) * np.log(above) - np.log(half) - betaln(half, half)
        with np.errstate(divide="ignore"):
            logarithm = np.where(exact > 1e-250, np.log(np.maximum(exact, 1e-300)), far)
        object.__setattr__(self, "_cosine", cosine)
        object.__setattr__(self, "_log_tail", np.minimum.accumulate(logarithm))

    _cosine: Floats = None  # type: ignore[assignment]
    _log_tail: Floats = None  # type: ignore[assignment]

    def log_tail(self, cosine: Floats) -> Floats:
        """log P that two different people look at least this similar.

        Directions drawn at random in 1 / spread² dimensions: (cosine + 1) / 2 ~ Beta((d−1)/2, (d−1)/2).
        """
        return np.interp(cosine, self._cosine, self._log_tail)


def estimate(unit: Similarities, photo: NDArray[np.int64], good: NDArray[np.bool_]) -> Impostors:
    """Learn the impostors of a corpus.

    unit: (n, d) float32 unit vectors in the order of their content; photo: (n,) −1 = unknown.
    good: (n,) the faces to learn from, at least one.

    The similarities of all faces to evenly chosen references are a mixture of different people (normal, near
    0) and of equal people (normal, higher), fitted by expectation maximisation with a prior on the former, so
    that few faces, or one person alone, do not pass for impostors. Pairs on one photo are different people
    for certain. A face's own mean similarity to its impostors, shrunk towards the corpus's, is the adaptive
    normalisation of speaker verification (Matějka et al. 2017) reduced to its mean.
    """
    able = np.flatnonzero(good)
    chosen = able[evenly(len(able))]
    references = unit[chosen]
    counts, certain = tally(unit[able], photo[able], references, np.searchsorted(able, chosen))
    background = learn(counts, certain, len(able), unit.shape[1])
    return Impostors(background.mean, background.spread, offsets(unit, references, chosen, background))


@dataclass(frozen=True, eq=False)
class Background:
    """Mean and spread of the similarities of different people; (bins,) P(different people | similarity)."""

    mean: float
    spread: float
    posterior: Floats


def evenly(n: int) -> NDArray[np.int64]:
    """Which of n faces are references."""
    return np.linspace(0, n - 1, min(n, REFERENCES)).astype(np.int64)


def tally(unit: Similarities, photo: NDArray[np.int64], references: Similarities, place: NDArray[np.int64]
          ) -> tuple[Floats, Floats]:
    """(bins,) counts of the similarities of faces to references, and of those on one photo; sums over shares of a
    corpus are those of the corpus. place: (r,) row of each reference among these faces, −1 = elsewhere."""
    counts: Floats = np.zeros(BINS)
    for _, block in _others(unit, references, place):
        counts += np.bincount(_bins(block[block > -1.5]), minlength=BINS)
    return counts, np.bincount(_bins(_same_photo(unit, photo)), minlength=BINS).astype(np.float64)


def learn(counts: Floats, certain: Floats, n: int, d: int) -> Background:
    """What different people look like, from the tally of n faces of d dimensions."""
    mean, spread, posterior = _fit(MIDDLE, counts, certain, n, float(np.sqrt(3 / d)))
    posterior[mean + 3 * spread < MIDDLE] = 0.0
    return Background(mean, spread, posterior)


def offsets(unit: Similarities, references: Similarities, place: NDArray[np.int64], background: Background) -> Floats:
    """(n,) each face's share of the mean, see :class:`Impostors`; place: as for ``tally``."""
    offset = np.empty(len(unit))
    mean, posterior = background.mean, background.posterior.astype(np.float32)
    for start, block in _others(unit, references, place):
        weight = np.where(block > -1.5, posterior[_bins(block)], np.float32(0))
        prior = PRIOR_SHARE * len(references)
        own = ((weight * block).sum(axis=1) + prior * mean) / (weight.sum(axis=1) + prior)
        offset[start : start + len(block)] = mean / 2 + SHRINKAGE * (own - mean)
    return offset


def _bins(similarities: Similarities) -> NDArray[np.int32]:
    return np.clip(((similarities + 1) * np.float32(BINS / 2)).astype(np.int32), 0, BINS - 1)


def _others(unit: Similarities, references: Similarities, place: NDArray[np.int64]
            ) -> Iterator[tuple[int, Similarities]]:
    """Blocks of similarities to the references; −2 where a face meets itself."""
    for start in range(0, len(unit), 4096):
        for _, block in similarity_blocks(unit[start : start + 4096], references):
            inside = np.flatnonzero((place >= start) & (place < start + len(block)))
            block[place[inside] - start, inside] = -2
            yield start, block


def _same_photo(unit: Similarities, photo: NDArray[np.int64]) -> Similarities:
    """Similarities of neighbours in a list of the faces by photo, where they are on one photo."""
    order = np.argsort(photo, kind="stable")
    a, b = order[:-1], order[1:]
    together = (photo[a] == photo[b]) & (photo[a] >= 0)
    found: Similarities = np.einsum("ij,ij->i", unit[a[together]], unit[b[together]])
    return found


def _fit(x: Floats, counts: Floats, certain: Floats, n: int, prior: float) -> tuple[float, float, Floats]:
    """Mean and spread of the impostors, and P(impostor | similarity) for each bin.

    The evidence counts as n pairs, since the n² pairs of n faces are far from independent.
    """
    weight = counts / max(counts.sum(), 1.0)
    mean, spread, share = prior / 2, prior, 0.5
    same_mean, same_spread = 0.6, 0.15
    posterior = np.ones_like(x)
    for _ in range(STEPS):
        different = share * _normal(x, mean, spread)
        same = (1 - share) * _normal(x, same_mean, same_spread)
        posterior = different / (different + same + 1e-300)
        impostor, genuine = weight * posterior, weight * (1 - posterior)
        share = float(impostor.sum())
        evidence = n * impostor + certain
        total = float(evidence.sum())
        mean = float((evidence @ x + 2 * prior) / (total + 4))
        spread = float(np.sqrt((evidence @ (x - mean) ** 2 + PRIOR_WEIGHT * prior**2) / (total + PRIOR_WEIGHT)))
        if genuine.sum() > 1e-6:
            same_mean = max(float(genuine @ x / genuine.sum()), mean + 3 * spread)
            around = float(genuine @ (x - same_mean) ** 2)
            same_spread = float(np.sqrt((around + 0.01 * 0.15**2) / (genuine.sum() + 0.01)))
    return mean, spread, posterior


def _normal(x: Floats, mean: float, spread: float) -> Floats:
    return np.asarray(np.exp(-0.5 * ((x - mean) / spread) ** 2) / spread)
