"""Whole images, side by side with PanopticML 1.0.0: time, memory, inertia, the number of groups.

    pip install --no-deps --target PEER panopticml==1.0.0 fast_hdbscan numba llvmlite pynndescent
    python benchmarks/images.py duplicates --size 50000 --peer PEER
    python benchmarks/images.py clusters --size 50000 --peer PEER
    python benchmarks/images.py number --peer PEER --embeddings FOLDER
    python benchmarks/images.py first --peer PEER

Every figure is measured in this run. The peer's search for duplicates costs one pass over all vectors per
image: ``--peer-images`` says how many images it is asked for, and its time is scaled to all of them.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from panoptic_faces.core import cluster_images, group_duplicates
from panoptic_faces.core.kmeans import kmeans

D = 512


def timed(work: Callable[..., Any], *args: Any, **options: Any) -> tuple[float, Any]:
    start = time.perf_counter()
    result = work(*args, **options)
    return time.perf_counter() - start, result


def collection(n: int, seed: int = 0) -> np.ndarray:
    """n unit vectors in 200 loose groups, every tenth one a near copy of another."""
    random = np.random.default_rng(seed)
    rows = random.standard_normal((n, D), dtype=np.float32)
    rows += 0.7 * random.standard_normal((200, D), dtype=np.float32)[random.integers(0, 200, n)]
    copies = random.permutation(n)[: n // 10]
    rows[copies] = rows[random.integers(0, n, len(copies))]
    rows[copies] += 0.2 * random.standard_normal((len(copies), D), dtype=np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows


def alike(rows: np.ndarray, count: int) -> np.ndarray:
    """The same vectors, ``count`` of them near one picture, at similarities around 0.96."""
    random = np.random.default_rng(1)
    for start in range(0, count, 1000):
        part = rows[start : min(start + 1000, count)]
        part[:] = rows[-1] + 0.2 / np.sqrt(D) * random.standard_normal(part.shape)
    rows[:count] /= np.linalg.norm(rows[:count], axis=1, keepdims=True)
    return rows


def peer_vectors(rows: np.ndarray) -> list[Any]:
    from panoptic.core.databases.media.models import Vector

    return [Vector(type_id=1, sha1=str(i), data=row) for i, row in enumerate(rows)]


# --- duplicates ---------------------------------------------------------------------------------------------


def duplicates(args: argparse.Namespace) -> None:
    rows = collection(args.size)
    group_duplicates(rows[:500])
    own, found = timed(group_duplicates, rows)
    print(f"n = {args.size}: {own:.1f} s, {len(found)} groups")
    if args.peer:
        import faiss
        from panopticml.compute.faiss_tree import FaissTree
        from panopticml.panoptic_ml import PanopticML

        index = faiss.IndexFlatIP(D)
        index.add(rows)
        tree = FaissTree(index, [str(i) for i in range(len(rows))])
        asked = min(args.peer_images, len(rows))
        vectors = peer_vectors(rows[:asked])
        taken, _ = timed(PanopticML._compute_duplicate_groups, tree, vectors, 0.95)
        whole = taken * len(rows) / asked
        print(f"PanopticML: {taken:.1f} s for {asked} images over an index of {len(rows)}; "
              f"all of them {whole:.0f} s; ratio {whole / own:.0f}")
    if args.size <= 50_000:
        check(rows, found, group_duplicates(rows, linkage="components"))
    for name, count in (("plain", 0), ("400 alike", 400), ("a tenth alike", args.size // 10)):
        memory(name, args.size, count)


def check(rows: np.ndarray, found: Any, chained: Any) -> None:
    """Against all products: every pair of a group reaches 0.95; the components are those of all pairs."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    left, right = [], []
    for start in range(0, len(rows), 1000):
        i, j = np.nonzero(rows[start : start + 1000] @ rows.T >= 0.95)
        left.append(i + start)
        right.append(j)
    i, j = np.concatenate(left), np.concatenate(right)
    keep = i != j
    i, j = i[keep], j[keep]
    pairs = coo_matrix((np.ones(len(i)), (i, j)), shape=(len(rows), len(rows)))
    names = connected_components(pairs, directed=False)[1]
    alone = np.bincount(names)[names] == 1
    same = all(len(set(names[chained.members(g)])) == 1 for g in range(len(chained)))
    worst = min(float((rows[m].astype(float) @ rows[m].astype(float).T).min())
                for m in (found.members(g) for g in range(len(found))))
    print(f"brute force: {len(i) // 2} pairs; the same images have duplicates: "
          f"{np.array_equal(alone, chained.labels < 0)}; the same components: "
          f"{same and len(chained) == len(np.unique(names[~alone]))}; least similar pair {worst:.6f}")


def memory(name: str, size: int, count: int) -> None:
    """Peak of all arrays during the call, in a process of its own."""
    script = f"import runpy; m = runpy.run_path({__file__!r}); m['measure']({size}, {count})"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    print(f"{name}: {found.stdout.strip()}")


def measure(size: int, count: int) -> None:
    rows = alike(collection(size), count)
    vectors = rows.nbytes
    seconds, found = timed(group_duplicates, rows)
    tracemalloc.start()
    group_duplicates(rows)
    peak = tracemalloc.get_traced_memory()[1]
    print(f"{seconds:.1f} s, largest group {np.bincount(found.labels + 1)[1:].max()}, peak beside "
          f"the vectors {peak / vectors:.2f} × their size")


# --- clusters -----------------------------------------------------------------------------------------------


def inertia(rows: np.ndarray, labels: np.ndarray) -> float:
    total = 0.0
    for label in np.unique(labels):
        members = rows[labels == label]
        total += len(members) - float(np.linalg.norm(members.sum(axis=0, dtype=np.float64)) ** 2) / len(members)
    return total


def clusters(args: argparse.Namespace) -> None:
    from panopticml.compute.clustering import _make_clusters_faiss, make_clusters

    rows = collection(args.size)
    vectors = peer_vectors(rows)

    def own(k: int) -> Any:
        return cluster_images(np.array([vector.data for vector in vectors], dtype=np.float32), k)

    for k in (10, 100):
        ours, theirs, inner = [], [], []
        for _ in range(args.repeat):
            ours.append(timed(own, k)[0])
            theirs.append(timed(make_clusters, vectors, nb_clusters=k)[0])
            inner.append(timed(_make_clusters_faiss, rows, nb_clusters=k))
        bare = min(seconds for seconds, _ in inner)
        ratio = inertia(rows, own(k).labels) / inertia(rows, inner[0][1][0])
        print(f"n = {args.size}, k = {k}: {min(ours):.2f} s; make_clusters {min(theirs):.2f} s, ratio "
              f"{min(ours) / min(theirs):.2f}; its FAISS call alone, on a ready array, {bare:.2f} s; "
              f"inertia ratio {ratio:.5f}", flush=True)


# --- the number of groups -----------------------------------------------------------------------------------


def mixtures() -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Labelled groups of uneven sizes and spreads: round, stretched, and groups of groups."""
    for number, kind in enumerate(("round", "stretched", "nested")):
        for groups in (5, 20, 60, 200):
            for noise in (1.0, 1.6):
                for d in (64, D):
                    random = np.random.default_rng([number, groups, int(10 * noise), d])
                    n = int(random.choice([1500, 3000]))
                    truth = random.choice(groups, n, p=random.dirichlet(np.ones(groups)) * 0.9 + 0.1 / groups)
                    scale = np.arange(1, d + 1) ** (-0.4 if kind == "stretched" else 0.0)
                    centres = random.standard_normal((groups, d)) * scale
                    if kind == "nested":
                        above = random.standard_normal((max(2, groups // 5), d))
                        centres += 1.5 * above[random.integers(0, len(above), groups)]
                    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
                    spread = random.standard_normal((n, d)) * scale
                    spread *= noise / np.linalg.norm(spread, axis=1).mean()
                    rows = centres[truth] + random.uniform(0.7, 1.3, groups)[truth][:, None] * spread
                    yield f"{kind} {groups} groups, noise {noise}, {d}-d", rows.astype(np.float32), truth


def embeddings(folder: Path) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    for file in sorted(folder.glob("*.npz")):
        held = np.load(file)
        yield file.stem, held["emb"].astype(np.float32), np.unique(held["label"], return_inverse=True)[1]


def grid(rows: np.ndarray) -> np.ndarray:
    """The plain way: k-means over a grid of numbers, the best silhouette wins."""
    from sklearn.metrics import silhouette_score

    best, found = -2.0, np.zeros(len(rows), dtype=np.int64)
    for k in (2, 3, 5, 8, 10, 15, 20, 30, 50, 75, 100, 150, 200, 300):
        if k < len(rows) // 2:
            labels = kmeans(rows, k, 0)
            score = silhouette_score(rows, labels, metric="cosine")
            if score > best:
                best, found = score, labels
    return found


def number(args: argparse.Namespace) -> None:
    from panopticml.compute.clustering import _make_clusters_faiss
    from sklearn.metrics import adjusted_mutual_info_score

    ways: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "own": lambda rows: cluster_images(rows, -1).labels,
        "HDBSCAN(5), PanopticML": lambda rows: _make_clusters_faiss(rows, nb_clusters=-1)[0],
        "silhouette over a grid": grid,
    }
    sets = [] if args.embeddings is None else list(embeddings(args.embeddings))
    known = len(sets)
    figures: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    ways["HDBSCAN(5), PanopticML"](np.random.default_rng(0).random((200, 8), dtype=np.float32))
    for name, rows, truth in [*sets, *mixtures()]:
        rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        line = []
        for way, partition in ways.items():
            seconds, labels = timed(partition, rows)
            figures[way].append((adjusted_mutual_info_score(truth, labels), seconds))
            line.append(f"{figures[way][-1][0]:.3f} ({len(np.unique(labels))} groups, {seconds:.1f} s)")
        print(f"{name}, {len(rows)} rows, {len(np.unique(truth))} groups: " + " | ".join(line), flush=True)
    for way, pairs in figures.items():
        score, seconds = np.array(pairs).T
        print(f"{way}: mean AMI {score.mean():.3f}, embeddings {score[:known].mean() if known else 0:.3f}, "
              f"mixtures {score[known:].mean():.3f}, {seconds.sum():.0f} s")


def first(args: argparse.Namespace) -> None:
    """The first call of a process on 5,000 × 512, with and without the time of importing."""
    start = "import time, runpy; t = time.perf_counter(); m = runpy.run_path({!r}); import numpy as np; "
    start += "rows = m['collection'](5000); u = time.perf_counter(); {}; v = time.perf_counter(); "
    start += "print(f'{{v - u:.1f}} s, with imports and data {{v - t:.1f}} s')"
    calls = {"own": "m['cluster_images'](rows, -1)"}
    if args.peer:
        calls["PanopticML"] = (f"import sys; sys.path.insert(0, {str(args.peer)!r}); from panopticml.compute."
                               "clustering import _make_clusters_faiss as f; u = time.perf_counter(); "
                               "f(rows, nb_clusters=-1)")
    for name, call in calls.items():
        found = subprocess.run([sys.executable, "-c", start.format(__file__, call)], capture_output=True,
                               text=True, check=True)
        print(f"{name}: {found.stdout.strip()}", flush=True)


def main() -> None:
    # A long run that is cut off still shows what it measured.
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", choices=["duplicates", "clusters", "number", "first"])
    parser.add_argument("--size", type=int, default=50_000)
    parser.add_argument("--peer", type=Path, help="folder that holds panopticml 1.0.0")
    parser.add_argument("--peer-images", type=int, default=1000)
    parser.add_argument("--embeddings", type=Path, help="folder of .npz files with emb and label")
    parser.add_argument("--repeat", type=int, default=3)
    args = parser.parse_args()
    if args.peer:
        sys.path.append(str(args.peer))
    {"duplicates": duplicates, "clusters": clusters, "number": number, "first": first}[args.what](args)


if __name__ == "__main__":
    main()
