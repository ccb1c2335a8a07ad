"""What is certain about who is who, checked once and honoured exactly by every method."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray
from scipy.sparse.csgraph import connected_components

from .errors import FacesError
from .types import NOISE

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Faces:
    """Faces in an order that only their content decides, and what is certain about them.

    unit: (n, d) float32 unit vectors. atom: (n,) the atom of each face, 0 … m − 1: faces of one atom are one
    person for certain (must-link, same known person, same pixels). photo: (n,) the photo, −1 = unknown.
    poor: (n,) faces that may join but never link. person: (m,) the known person of each atom, −1 = unknown.
    apart: per atom, the atoms that cannot be the same person by a cannot-link. linked: (m,) atoms that a
    must-link makes. seed: for methods that draw numbers.
    """

    unit: NDArray[np.float32]
    atom: Ints
    photo: Ints
    poor: Bools
    person: Ints
    apart: dict[int, set[int]]
    linked: Bools
    seed: int = 0

    @property
    def n_atoms(self) -> int:
        return len(self.person)

    def atom_poor(self) -> Bools:
        """(m,) atoms made of poor faces only, of nobody known."""
        good = np.zeros(self.n_atoms, dtype=bool)
        good[self.atom[~self.poor]] = True
        return ~good & (self.person < 0)

    def photos_of_atoms(self) -> list[frozenset[int]]:
        found: list[set[int]] = [set() for _ in range(self.n_atoms)]
        for atom, photo in zip(self.atom.tolist(), self.photo.tolist(), strict=True):
            if photo >= 0:
                found[atom].add(photo)
        return [frozenset(photos) for photos in found]


class Exclusion:
    """Which clusters of atoms may not join; kept up to date while they merge."""

    def __init__(self, faces: Faces) -> None:
        self.photos = [set(photos) for photos in faces.photos_of_atoms()]
        self.apart = {atom: set(others) for atom, others in faces.apart.items()}
        self.person: list[int] = faces.person.tolist()

    def forbids(self, a: int, b: int) -> bool:
        if self.person[a] >= 0 and self.person[b] >= 0:
            return True
        return b in self.apart.get(a, ()) or not self.photos[a].isdisjoint(self.photos[b])

    def merge(self, a: int, b: int) -> None:
        """Let b become part of a."""
        self.photos[a] |= self.photos[b]
        self.person[a] = max(self.person[a], self.person[b])
        for other in self.apart.pop(b, ()):
            self.apart[other].discard(b)
            self.apart[other].add(a)
            self.apart.setdefault(a, set()).add(other)


def prepare(unit: NDArray[np.float32], groups: ArrayLike | None, must_link: ArrayLike | None,
            cannot_link: ArrayLike | None, poor: ArrayLike | None, known: ArrayLike | None, seed: int
            ) -> tuple[Faces, Ints]:
    """Check the constraints and put the faces in the order of their content.

    Returns the faces and (n,) ``order``: face i of the result is row ``order[i]`` of the input.
    """
    n = len(unit)
    photo = photo_numbers(groups, n)
    person = _integers("known", known, n)
    is_poor = _flags(poor, n)
    must, cannot = checked_pairs("must_link", must_link, n), checked_pairs("cannot_link", cannot_link, n)
    rank = content_rank(unit)
    order = np.lexsort((is_poor, person, photo, rank))
    place = np.empty(n, dtype=np.int64)
    place[order] = np.arange(n)
    must, cannot = np.sort(place[must], axis=1), np.sort(place[cannot], axis=1)
    photo, person, is_poor, rank = photo[order], person[order], is_poor[order], rank[order]
    hard = _certain(must, cannot, photo, person, order)
    atom = _with_duplicates(hard, rank, cannot, photo, person)
    m = int(atom.max()) + 1 if n else 0
    atom_person = np.full(m, NOISE, dtype=np.int64)
    np.maximum.at(atom_person, atom, person)
    apart: dict[int, set[int]] = {}
    for a, b in atom[cannot].tolist():
        apart.setdefault(a, set()).add(b)
        apart.setdefault(b, set()).add(a)
    linked = np.zeros(m, dtype=bool)
    linked[atom[must.ravel()]] = True
    faces = Faces(np.ascontiguousarray(unit[order]), atom, photo, is_poor, atom_person, apart, linked, seed)
    return faces, order


def content_rank(unit: NDArray[np.float32]) -> Ints:
    """(n,) rank of each row among the distinct rows: equal rows have equal ranks."""
    if not len(unit):
        return np.zeros(0, dtype=np.int64)
    rows = np.ascontiguousarray(unit + 0.0)  # -0.0 becomes 0.0
    _, rank = np.unique(rows.view(f"V{rows.shape[1] * rows.itemsize}").ravel(), return_inverse=True)
    return rank.reshape(-1).astype(np.int64)


def enforce(labels: Ints, faces: Faces) -> Ints:
    """Make a partition obey: atoms whole, nobody with whom they cannot be, known people and links kept.

    labels: (n,) any integers, −1 = noise. A cluster in conflict is split: known people first, then the atoms
    nearest to its centroid, each into the part it resembles most among those that may take it.
    """
    atom_labels = _majority(labels, faces)
    keep = (faces.person >= 0) | faces.linked
    alone = np.flatnonzero((atom_labels == NOISE) & keep)
    atom_labels[alone] = atom_labels.max(initial=-1) + 1 + np.arange(len(alone))
    if not faces.apart and (faces.photo < 0).all() and np.count_nonzero(faces.person >= 0) < 2:
        return atom_labels[faces.atom]
    sums, sizes = atom_sums(faces)
    photos, exclusion = faces.photos_of_atoms(), Exclusion(faces)
    result = atom_labels.copy()
    fresh = int(atom_labels.max(initial=-1)) + 1
    order = np.argsort(atom_labels, kind="stable")
    bounds = np.flatnonzero(np.diff(atom_labels[order])) + 1
    for members in np.split(order, bounds):
        if len(members) < 2 or atom_labels[members[0]] == NOISE or not _conflict(members, faces, photos):
            continue
        parts = _split(members, faces, sums, sizes, exclusion)
        for part in parts[1:]:
            result[part] = fresh
            fresh += 1
    return result[faces.atom]


def atom_sums(faces: Faces) -> tuple[NDArray[np.float64], Ints]:
    """(m, d) sum of the vectors of each atom, and (m,) its number of faces."""
    n = len(faces.atom)
    select = sp.csr_matrix((np.ones(n), (faces.atom, np.arange(n))), shape=(faces.n_atoms, n))
    total = np.asarray(select @ faces.unit.astype(np.float64))
    return total, np.bincount(faces.atom, minlength=faces.n_atoms)


def _majority(labels: Ints, faces: Faces) -> Ints:
    """(m,) the label that most faces of each atom have; noise only where all are noise; ties: the lowest."""
    result = np.full(faces.n_atoms, NOISE, dtype=np.int64)
    kept = labels != NOISE
    if not kept.any():
        return result
    pairs, counts = np.unique(np.stack([faces.atom[kept], labels[kept]], axis=1), axis=0, return_counts=True)
    best = np.lexsort((pairs[:, 1], -counts, pairs[:, 0]))
    first = np.unique(pairs[best, 0], return_index=True)[1]
    chosen = pairs[best][first]
    result[chosen[:, 0]] = chosen[:, 1]
    return result


def _conflict(members: Ints, faces: Faces, photos: list[frozenset[int]]) -> bool:
    if np.count_nonzero(faces.person[members] >= 0) > 1:
        return True
    seen: set[int] = set()
    inside = set(members.tolist())
    for member in inside:
        if not seen.isdisjoint(photos[member]) or not inside.isdisjoint(faces.apart.get(member, ())):
            return True
        seen |= photos[member]
    return False


def _split(members: Ints, faces: Faces, sums: NDArray[np.float64], sizes: Ints, exclusion: Exclusion
           ) -> list[list[int]]:
    centre = sums[members].sum(axis=0)
    typical = sums[members] @ centre / sizes[members]
    order = members[np.lexsort((members, -typical, -sizes[members], faces.person[members] < 0))]
    parts: list[list[int]] = []
    totals: list[NDArray[np.float64]] = []
    for member in order.tolist():
        open_parts = [i for i, part in enumerate(parts) if not exclusion.forbids(part[0], member)]
        if not open_parts:
            parts.append([member])
            totals.append(sums[member].copy())
            continue
        likeness = [float(totals[i] @ sums[member] / (np.linalg.norm(totals[i]) + 1e-12)) for i in open_parts]
        chosen = open_parts[int(np.argmax(likeness))]
        exclusion.merge(parts[chosen][0], member)
        parts[chosen].append(member)
        totals[chosen] += sums[member]
    return parts


def _certain(must: Ints, cannot: Ints, photo: Ints, person: Ints, order: Ints) -> Ints:
    """(n,) components of must-links and known people; raises where they contradict each other."""
    n = len(photo)
    joined = _components(n, must[:, 0], must[:, 1])
    shared = (photo[must[:, 0]] == photo[must[:, 1]]) & (photo[must[:, 0]] >= 0) & (must[:, 0] != must[:, 1])
    if shared.any():
        _contradiction("constraints_photo", order[must[shared]])
    chain = np.argsort(person, kind="stable")
    chain = chain[person[chain] >= 0]
    same = person[chain[1:]] == person[chain[:-1]]
    hard = _components(n, np.concatenate([must[:, 0], chain[:-1][same]]),
                       np.concatenate([must[:, 1], chain[1:][same]]))
    clash = hard[cannot[:, 0]] == hard[cannot[:, 1]]
    if clash.any():
        _contradiction("constraints_cannot", order[cannot[clash]])
    # Two faces of one photo tied by a chain of must-links; a known person may be twice on a photo (mirrors).
    key = np.lexsort((person, photo, joined))
    a, b = key[:-1], key[1:]
    twice = (joined[a] == joined[b]) & (photo[a] == photo[b]) & (photo[a] >= 0)
    twice &= (person[a] != person[b]) | (person[a] < 0)
    if twice.any():
        _contradiction("constraints_photo", order[np.stack([a[twice], b[twice]], axis=1)])
    key = np.lexsort((person, hard))
    key = key[person[key] >= 0]
    a, b = key[:-1], key[1:]
    two = (hard[a] == hard[b]) & (person[a] != person[b])
    if two.any():
        _contradiction("constraints_known", order[np.stack([a[two], b[two]], axis=1)])
    return hard


def _with_duplicates(hard: Ints, rank: Ints, cannot: Ints, photo: Ints, person: Ints) -> Ints:
    """(n,) atoms: the certain components, joined where faces are equal and nothing forbids it."""
    twin = np.flatnonzero(rank[1:] == rank[:-1])
    if not len(twin):
        return _renumber(hard)
    hard = _renumber(hard)
    m = int(hard.max()) + 1
    atom_person = np.full(m, NOISE, dtype=np.int64)
    np.maximum.at(atom_person, hard, person)
    apart: dict[int, set[int]] = {}
    for a, b in hard[cannot].tolist():
        apart.setdefault(a, set()).add(b)
        apart.setdefault(b, set()).add(a)
    empty = np.zeros((len(hard), 1), dtype=np.float32)
    flags = np.zeros(len(hard), dtype=bool)
    exclusion = Exclusion(Faces(empty, hard, photo, flags, atom_person, apart, flags[:m]))
    parent = np.arange(m)
    by_rank = np.split(np.arange(len(rank)), np.flatnonzero(np.diff(rank)) + 1)
    for copies in by_rank:
        if len(copies) < 2:
            continue
        roots: list[int] = []
        for copy in copies.tolist():
            root = _root(parent, int(hard[copy]))
            if root in roots:
                continue
            target = next((other for other in roots if not exclusion.forbids(other, root)), None)
            if target is None:
                roots.append(root)
            else:
                exclusion.merge(target, root)
                parent[root] = target
    return _renumber(np.array([_root(parent, int(h)) for h in hard], dtype=np.int64))


def _root(parent: Ints, node: int) -> int:
    while parent[node] != node:
        parent[node] = parent[parent[node]]
        node = int(parent[node])
    return node


def _renumber(labels: Ints) -> Ints:
    """The same partition, numbered by first appearance."""
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[inverse.reshape(-1)]


def _components(n: int, a: Ints, b: Ints) -> Ints:
    graph = sp.csr_matrix((np.ones(len(a), dtype=bool), (a, b)), shape=(n, n))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)


def _contradiction(code: str, pairs: Ints) -> None:
    pairs = np.sort(pairs, axis=1)
    first = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))][0]
    raise FacesError(code, first=int(first[0]), second=int(first[1]))


def photo_numbers(groups: ArrayLike | None, n: int) -> Ints:
    """(n,) photos as integers; −1 where the photo is unknown: None, an empty text or a negative number."""
    if groups is None:
        return np.full(n, NOISE, dtype=np.int64)
    given = np.asarray(groups)
    if given.shape != (n,):
        raise FacesError("constraint_length", name="groups", expected=n, got=str(given.shape))
    if given.dtype.kind in "iu":
        unknown = given < 0
    elif given.dtype.kind == "f":
        unknown = ~(given >= 0)
    else:
        unknown = np.array([value is None or value == "" for value in given.tolist()], dtype=bool)
        given = np.array([str(value) for value in given.tolist()])
    photo = np.unique(given, return_inverse=True)[1].reshape(-1).astype(np.int64)
    photo[unknown] = NOISE
    return photo


def _integers(name: str, values: ArrayLike | None, n: int) -> Ints:
    if values is None:
        return np.full(n, NOISE, dtype=np.int64)
    given = np.asarray(values)
    if given.shape != (n,) or (given.dtype.kind not in "iu" and n):
        raise FacesError("constraint_length", name=name, expected=n, got=f"{given.shape} {given.dtype}")
    return np.maximum(given.astype(np.int64), NOISE)


def _flags(values: ArrayLike | None, n: int) -> Bools:
    if values is None:
        return np.zeros(n, dtype=bool)
    given = np.asarray(values)
    if given.shape != (n,) or (given.dtype.kind not in "b" and n):
        raise FacesError("constraint_length", name="poor", expected=n, got=f"{given.shape} {given.dtype}")
    return given.astype(bool)


def checked_pairs(name: str, values: Any, n: int) -> Ints:
    given = np.asarray([] if values is None else values)
    if given.size == 0:
        return np.zeros((0, 2), dtype=np.int64)
    if given.ndim != 2 or given.shape[1] != 2 or given.dtype.kind not in "iu":
        raise FacesError("constraint_pairs", name=name, count=n, got=f"{given.shape} {given.dtype}")
    if given.min() < 0 or given.max() >= n:
        outside = given[(given < 0) | (given >= n)]
        raise FacesError("constraint_pairs", name=name, count=n, got=int(outside[0]))
    return given.astype(np.int64)
