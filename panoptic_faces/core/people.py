"""Named faces into a recogniser, and other faces into the people it knows or into nobody."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import recognition
from .constraints import photo_numbers
from .errors import FacesError
from .faces import Parameter
from .neighbors import BLOCK_CELLS, unit_vectors
from .recognition import (
    SAMPLE,
    Bools,
    Floats,
    Impostors,
    Ints,
    Mixture,
    Unit,
    distinct_rows,
    evenly,
    threshold,
)
from .types import NOISE

# The standardised likeness of a face that can be none of the people.
NOBODY = -10.0


@dataclass(frozen=True)
class Method:
    """A row of :data:`RECOGNIZERS`.

    train: (m, d) unit vectors, (m,) number of the person, sorted by it, the seed and every parameter → arrays.
    score: those arrays, (rows, d) unit vectors and the parameters named in ``scoring`` → (rows, p) cosine
    similarity to each person, and (rows, p) preference or None: whom the face is, where this is not decided by
    the similarity.
    """

    name: str
    summary: str
    train: Callable[..., dict[str, NDArray[Any]]]
    score: Callable[..., tuple[Unit, Unit | None]]
    parameters: tuple[Parameter, ...] = ()
    scoring: tuple[str, ...] = ()


_METHODS = (
    Method("centroid", "the person whose mean face is nearest",
           recognition.train_centroid, recognition.score_centroid),
    Method("neighbors", "the person whose k most similar examples are nearest on average",
           recognition.train_neighbors, recognition.score_neighbors, (Parameter("k", 3, 1, 100),), ("k",)),
    Method("network", "a small neural network chooses, the chosen person's mean face confirms",
           recognition.train_network, recognition.score_network,
           (Parameter("hidden", 128, 1, 4096), Parameter("alpha", 1.0, 0.0, 1000.0),
            Parameter("steps", 600, 1, 1_000_000))),
)
RECOGNIZERS: Mapping[str, Method] = MappingProxyType({row.name: row for row in _METHODS})


@dataclass(frozen=True, eq=False)
class Recognizer:
    """Plain arrays and plain values, so that a recogniser can be stored without pickle.

    people: the names, sorted. arrays: what the method learned. impostors: the likeness of strangers at training.
    same: mean and spread of the similarity of a face to the other faces of the same person, and the number of
    faces behind it.
    """

    method: str
    people: tuple[str, ...]
    dimension: int
    arrays: Mapping[str, NDArray[Any]]
    impostors: Impostors
    same: tuple[float, float, float]
    parameters: Mapping[str, int | float | str]
    seed: int = 0

    def score(self, unit: Unit) -> tuple[Unit, Unit | None]:
        row = RECOGNIZERS[self.method]
        return row.score(self.arrays, unit, **{name: self.parameters[name] for name in row.scoring})


@dataclass(frozen=True, eq=False)
class Recognition:
    """Who is who among n faces.

    labels: (n,) int64 index into ``people``, or ``NOISE`` = nobody known. nearest: (n,) int64 the likeliest person,
    of unknown faces too. probabilities: (n,) float64 0–1 that the face is that person.
    """

    people: tuple[str, ...]
    labels: Ints
    nearest: Ints
    probabilities: Floats


def train_recognizer(vectors: ArrayLike, people: Sequence[str], *, impostors: ArrayLike | None = None,
                     method: str = "centroid", seed: int = 0, **params: Any) -> Recognizer:
    """Learn people from faces that carry a name.

    vectors: (n, d) finite numbers, n ≥ 1, no row of zeros; people: (n,) names, one face a person is enough.
    impostors: (m, d) faces of nobody among them, if there are any. method: a name of :data:`RECOGNIZERS`; params:
    its parameters. The order of the faces changes nothing; equal faces of one person count once.

    What strangers look like is learned from each person's similarities to the faces of the others (the adaptive
    normalisation of speaker verification, Matějka et al. 2017, with medians and left half-widths, shrunk towards
    the corpus and towards a prior).

    Raises FacesError: ``vectors_*``, ``people_none``, ``people_names``, ``method_unknown``,
    ``parameter_unknown``, ``parameter_range``.
    """
    row, used = _method(method, params)
    unit = unit_vectors(vectors)
    names = _names(people, len(unit))
    strangers = None if impostors is None else distinct_rows(unit_vectors(impostors, unit.shape[1]))[0]
    known, number = np.unique(np.array(names, dtype=object), return_inverse=True)
    rows, which = distinct_rows(unit)
    pairs = np.unique(np.stack([number.reshape(-1), which], axis=1), axis=0)
    person, unit = pairs[:, 0], rows[pairs[:, 1]]
    learned = row.train(unit, person, seed, **used)
    alike = recognition.equal_people(unit, person)
    recognizer = Recognizer(method, tuple(known.tolist()), unit.shape[1], learned, Impostors.prior(len(known)),
                            recognition.same_person(alike), used, seed)
    sample = evenly(len(unit), SAMPLE)
    others = person[sample][:, None] != np.arange(len(known))
    found = recognizer.impostors.learn(recognizer.score(unit[sample])[0], others)
    if strangers is not None and len(strangers):
        sample = evenly(len(strangers), SAMPLE)
        found = found.learn(recognizer.score(strangers[sample])[0], np.ones((len(sample), len(known)), dtype=bool))
    return Recognizer(method, recognizer.people, recognizer.dimension, learned, found, recognizer.same, used, seed)


def recognize(recognizer: Recognizer, vectors: ArrayLike, *, groups: ArrayLike | None = None,
              max_false_accepts: float = 0.01) -> Recognition:
    """Find the people of a recogniser among faces; whoever is none of them stays unknown.

    vectors: (n, d) faces, n ≥ 0, of the model that the recogniser learned from. groups: (n,) the photo of each
    face, integers or texts; −1, "" or None = unknown: two faces of one photo are not one person, the better keeps
    the name. max_false_accepts: share of strangers that may be taken for somebody, 0.000001 … 0.5.

    The faces themselves teach what strangers look like here; a face is accepted where the best of as many
    comparisons with strangers as there are people would be as good so seldom. Probabilities come from a mixture of
    strangers and known people fitted to the faces.

    Raises FacesError: ``vectors_*``, ``parameter_range``, ``constraint_length``.
    """
    limit = float(Parameter("max_false_accepts", 0.01, 1e-6, 0.5).check("recognize", max_false_accepts))
    unit = unit_vectors(vectors, recognizer.dimension)
    photo = photo_numbers(groups, len(unit))
    rows, which = distinct_rows(unit)
    bound = threshold(limit, len(recognizer.people))
    impostors = _adapt(recognizer, rows, bound)
    nearest, best = _best(recognizer, impostors, rows)
    nearest, best = nearest[which], best[which]
    mixture = _mixture(recognizer, impostors, best)
    nearest, best, accepted = _one_per_photo(recognizer, impostors, rows, which, photo, nearest, best, bound)
    return Recognition(recognizer.people, np.where(accepted, nearest, NOISE), nearest, mixture.probability(best))


def _method(name: str, given: Mapping[str, Any]) -> tuple[Method, dict[str, int | float | str]]:
    if name not in RECOGNIZERS:
        raise FacesError("method_unknown", got=name, allowed=", ".join(RECOGNIZERS))
    row = RECOGNIZERS[name]
    rows = {parameter.name: parameter for parameter in row.parameters}
    for one in given:
        if one not in rows:
            raise FacesError("parameter_unknown", name=one, method=name, allowed=", ".join(rows) or "–")
    return row, {one: rows[one].check(name, given.get(one, rows[one].default)) for one in rows}


def _names(people: Sequence[str], n: int) -> list[str]:
    names = list(people)
    if len(names) != n or not all(isinstance(name, str) and name.strip() for name in names):
        wrong = next((repr(name) for name in names if not (isinstance(name, str) and name.strip())), len(names))
        raise FacesError("people_names", expected=n, got=wrong)
    if not names:
        raise FacesError("people_none")
    return [str(name) for name in names]


def _adapt(recognizer: Recognizer, rows: Unit, bound: float) -> Impostors:
    """Learn from the faces at hand, leaving out those which seem to be the person."""
    found = recognizer.impostors
    if not len(rows):
        return found
    likeness, preference = recognizer.score(rows[evenly(len(rows), SAMPLE)])
    each = np.arange(len(likeness))
    for _ in range(3):
        standard = found.standardise(likeness)
        who = (standard if preference is None else preference).argmax(axis=1)
        strangers: Bools = np.ones(likeness.shape, dtype=bool)
        strangers[each, who] = standard[each, who] < bound
        found = recognizer.impostors.learn(likeness, strangers)
    return found


def _best(recognizer: Recognizer, impostors: Impostors, rows: Unit) -> tuple[Ints, Floats]:
    """The likeliest person of each row, and the standardised likeness."""
    nearest, best = np.zeros(len(rows), dtype=np.int64), np.zeros(len(rows))
    step = max(64, BLOCK_CELLS // 32 // len(recognizer.people))
    for start in range(0, len(rows), step):
        likeness, preference = recognizer.score(rows[start : start + step])
        standard = impostors.standardise(likeness)
        who = (standard if preference is None else preference).argmax(axis=1)
        nearest[start : start + step] = who
        best[start : start + step] = standard[np.arange(len(who)), who]
    return nearest, best


def _mixture(recognizer: Recognizer, impostors: Impostors, best: Floats) -> Mixture:
    mean, spread, faces = recognizer.same
    return Mixture.fit(np.sort(best), len(recognizer.people), (mean - impostors.location) / impostors.width,
                       spread / impostors.width, faces)


def _one_per_photo(recognizer: Recognizer, impostors: Impostors, rows: Unit, which: Ints, photo: Ints,
                   nearest: Ints, best: Floats, bound: float) -> tuple[Ints, Floats, Bools]:
    """Give each person of a photo to the better face; the other asks for its next choice, and so on.

    Stable marriage by deferred acceptance (Gale & Shapley 1962); between equal faces the first keeps the name.
    """
    accepted = best >= bound
    nearest, best = nearest.copy(), best.copy()
    refused: dict[int, set[int]] = {}
    while True:
        asking = np.flatnonzero(accepted & (photo >= 0))
        order = asking[np.lexsort((asking, -best[asking], nearest[asking], photo[asking]))]
        twice = (photo[order[1:]] == photo[order[:-1]]) & (nearest[order[1:]] == nearest[order[:-1]])
        losers = order[1:][twice]
        if not len(losers):
            return nearest, best, accepted
        losers = losers[np.argsort(which[losers], kind="stable")]
        likeness, preference = recognizer.score(rows[which[losers]])
        standard = impostors.standardise(likeness)
        wish = standard.copy() if preference is None else preference
        for row, face in enumerate(losers.tolist()):
            refused.setdefault(face, set()).add(int(nearest[face]))
            wish[row, list(refused[face])] = -np.inf
        following = wish.argmax(axis=1)
        each = np.arange(len(losers))
        left = np.isfinite(wish[each, following])
        nearest[losers[left]] = following[left]
        best[losers] = np.where(left, standard[each, following], NOBODY)
        accepted[losers] = best[losers] >= bound
