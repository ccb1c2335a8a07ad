"""How well people are recognised, and groups that are one person found.

    python benchmarks/people.py EMBEDDINGS [--rounds 3] [--methods centroid neighbors network]

EMBEDDINGS is a folder of <set>.<model>.npz files with ``emb`` (n, d) and ``label`` (n,). Recognition learns a few
faces of each person who has at least ten, and is asked about all other faces, those of everybody else being
strangers. Per method it prints, as means over rounds of randomly chosen examples:
    named at 1 %    known faces named right at the likeness that one stranger in a hundred exceeds (labels in hand)
    named           known faces named right by ``recognize`` as it is, which knows no labels
    wrong           known faces given to another person
    strangers       strangers given to anybody
    calibration     mean distance between the probability and the share of right answers, in ten bins
Suggestions split every person at random in two and look for the halves; and merge people at random to find the
seam. Speed is measured on synthetic faces.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from panoptic_faces.core.people import RECOGNIZERS, recognize, train_recognizer
from panoptic_faces.core.suggestions import suggest_merges, suggest_splits

Vectors = NDArray[np.float32]


def load(file: Path) -> tuple[Vectors, NDArray[np.str_]]:
    with np.load(file) as data:
        return data["emb"], data["label"]


def choose(names: NDArray[np.str_], examples: int, least: int, seed: int) -> tuple[NDArray[np.int64], list[str]]:
    """Rows of the examples, and the people they show: half of them where nobody else would be a stranger."""
    rng = np.random.default_rng(seed)
    people, sizes = np.unique(names, return_counts=True)
    known = people[sizes >= least]
    if len(known) > len(people) / 2:
        known = np.sort(rng.permutation(known)[: len(people) // 2])
    rows = [rng.choice(np.flatnonzero(names == person), examples, replace=False) for person in known]
    return np.concatenate(rows), known.tolist()


def recognition_round(vectors: Vectors, names: NDArray[np.str_], method: str, examples: int, seed: int
                      ) -> list[float]:
    rows, known = choose(names, examples, 10, seed)
    rest = np.setdiff1d(np.arange(len(names)), rows)
    found = recognize(train_recognizer(vectors[rows], names[rows].tolist(), method=method), vectors[rest])
    people, truth = np.array(found.people), names[rest]
    is_known = np.isin(truth, known)
    right = is_known & (people[found.nearest] == truth)
    given = found.labels >= 0
    # Probabilities rise with likeness, so they rank as likeness does.
    strangers = np.sort(found.probabilities[~is_known])[::-1]
    bound = strangers[int(0.01 * len(strangers))]
    bins = np.minimum((found.probabilities * 10).astype(int), 9)
    count = np.bincount(bins, minlength=10)
    gap = np.abs(np.bincount(bins, found.probabilities, 10) - np.bincount(bins, right, 10)).sum() / count.sum()
    above = right & (found.probabilities > bound)
    return [float(np.mean(above[is_known])), float(np.mean((right & given)[is_known])),
            float(np.mean((given & ~right)[is_known])), float(np.mean(given[~is_known])), float(gap)]


def recognition_table(folder: Path, methods: list[str], rounds: int) -> None:
    print(f"{'set and model':28s} {'examples':>8s} {'method':10s} {'named at 1 %':>12s} {'named':>7s} {'wrong':>7s} "
          f"{'strangers':>9s} {'calibration':>11s}")
    for name in ("lfw_a", "orl_att"):
        for file in sorted(folder.glob(f"{name}.*.npz"), reverse=True):
            vectors, names = load(file)
            for examples in (3, 1):
                for method in methods:
                    figures = np.mean([recognition_round(vectors, names, method, examples, seed)
                                       for seed in range(rounds)], axis=0)
                    named_at, named, wrong, strangers, gap = figures
                    print(f"{file.stem:28s} {examples:8d} {method:10s} {named_at:12.2%} {named:7.2%} {wrong:7.2%} "
                          f"{strangers:9.2%} {gap:11.4f}", flush=True)


def halves(names: NDArray[np.str_], seed: int) -> NDArray[np.int64]:
    """(n,) label: every person of two faces or more split at random in two, 2 × person and 2 × person + 1."""
    person = np.unique(names, return_inverse=True)[1].reshape(-1)
    rng = np.random.default_rng(seed)
    labels = 2 * person
    for one in np.unique(person):
        faces = rng.permutation(np.flatnonzero(person == one))
        labels[faces[: len(faces) // 2]] += 1
    return labels


def suggestion_table(folder: Path, rounds: int) -> None:
    print(f"\n{'set and model':28s} {'pairs':>6s} {'in 1.2 x as many':>16s} {'suggested':>9s} {'right':>7s} "
          f"{'seams':>6s} {'found':>7s} {'suggested':>9s} {'right':>7s}")
    for file in sorted(folder.glob("*.npz")):
        vectors, names = load(file)
        rows = []
        for seed in range(rounds):
            labels = halves(names, seed)
            pairs = int(np.unique(names, return_counts=True)[1].clip(1, 2).sum() - len(np.unique(names)))
            found = suggest_merges(vectors, labels)
            true = np.array([a // 2 == b // 2 for a, b, _ in found], dtype=bool)
            rows.append([pairs, true[: int(1.2 * pairs)].sum() / pairs, len(found), true.mean() if len(found) else 0,
                         *seams(vectors, names, seed)])
        figures = np.mean(rows, axis=0)
        print(f"{file.stem:28s} {figures[0]:6.0f} {figures[1]:16.2%} {figures[2]:9.0f} {figures[3]:7.2%} "
              f"{figures[4]:6.0f} {figures[5]:7.2%} {figures[6]:9.0f} {figures[7]:7.2%}", flush=True)


def seams(vectors: Vectors, names: NDArray[np.str_], seed: int) -> list[float]:
    """Merge one person in ten with another; how many come back as a suggestion, within how many."""
    person = np.unique(names, return_inverse=True)[1].reshape(-1)
    count = int(person.max()) + 1
    chosen = np.random.default_rng(seed).permutation(count)[: max(2, count // 5 // 2 * 2)]
    labels = person.copy()
    for a, b in chosen.reshape(-1, 2):
        labels[person == b] = a
    mixed = set(chosen[::2].tolist())
    found = suggest_splits(vectors, labels)
    true = [label in mixed for label, _, _ in found]
    return [len(mixed), sum(true) / len(mixed), len(found), sum(true) / max(len(found), 1)]


def speed(methods: list[str], people: int, faces: int, dimension: int = 128) -> None:
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((people, dimension)).astype(np.float32)
    person = rng.integers(0, people, faces)
    vectors = centres[person] + 0.7 * rng.standard_normal((faces, dimension)).astype(np.float32)
    examples = np.repeat(np.arange(people), 3)
    shown = centres[examples] + 0.7 * rng.standard_normal((len(examples), dimension)).astype(np.float32)
    print(f"\n{people:,} people, 3 examples each; {faces:,} faces of {dimension} dimensions")
    started = time.perf_counter()
    for row in range(0, faces, 1_000):
        (vectors[row : row + 1_000] @ centres.T).argmax(axis=1)
    print(f"    bare matrix product and argmax: {time.perf_counter() - started:.2f} s")
    for method in methods:
        started = time.perf_counter()
        recognizer = train_recognizer(shown, [f"Personne {number:05d}" for number in examples], method=method)
        trained = time.perf_counter()
        found = recognize(recognizer, vectors)
        done = time.perf_counter()
        print(f"    {method:10s} trained in {trained - started:6.2f} s, recognised in {done - trained:6.2f} s, "
              f"{np.mean(found.labels == person):.2%} named right", flush=True)
    started = time.perf_counter()
    pairs = suggest_merges(vectors, person)
    merged = time.perf_counter()
    split = suggest_splits(vectors, person)
    print(f"    suggestions for {people:,} groups: {merged - started:.2f} s for {len(pairs)} merges, "
          f"{time.perf_counter() - merged:.2f} s for {len(split)} splits")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("embeddings", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--methods", nargs="+", choices=list(RECOGNIZERS), default=list(RECOGNIZERS))
    parser.add_argument("--only", choices=("recognition", "suggestions", "speed"))
    parser.add_argument("--people", type=int, default=5_000)
    parser.add_argument("--faces", type=int, default=50_000)
    options = parser.parse_args()
    if options.only in (None, "recognition"):
        recognition_table(options.embeddings, options.methods, options.rounds)
    if options.only in (None, "suggestions"):
        suggestion_table(options.embeddings, options.rounds)
    if options.only in (None, "speed"):
        speed(options.methods, options.people, options.faces)


if __name__ == "__main__":
    main()
