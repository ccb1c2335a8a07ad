"""Every way of grouping faces on every set, one setting for all; and the speed of the default.

    python benchmarks/faces.py [SETS…]      sets: .npz files with emb and label (../shared/data/emb/*.npz)
    python benchmarks/faces.py --speed [--sizes 5000 25000 100000] [--limit SECONDS]

The oracle alone sees the labels: average linkage at the best threshold of each set. Noise counts as clusters
of one. Each cell runs in a process of its own, whose additional peak memory is reported. Nothing is tuned.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from panoptic_faces.core import cluster_faces, evaluate
from panoptic_faces.core.faces import CLUSTERERS

DEFAULT = Path(__file__).parents[2] / "shared" / "data" / "emb"
Labels = Callable[[np.ndarray, np.ndarray], np.ndarray]


def ours(method: str, **parameters: Any) -> Labels:
    return partial(_ours, method, parameters)


def _ours(method: str, parameters: dict[str, Any], vectors: np.ndarray, truth: np.ndarray) -> np.ndarray:
    return cluster_faces(vectors, method, **parameters).labels


def oracle(vectors: np.ndarray, truth: np.ndarray) -> np.ndarray:
    from scipy.cluster.hierarchy import fcluster, linkage

    rows = unit(vectors)
    tree = linkage(np.clip(1 - (rows @ rows.T)[np.triu_indices(len(rows), 1)], 0, 2), "average")
    cuts = [fcluster(tree, 1 - similarity, "distance") for similarity in np.arange(0, 0.8, 0.01)]
    return max(cuts, key=lambda labels: evaluate(labels, truth)["bcubed_f"])


def sklearn_dbscan(vectors: np.ndarray, truth: np.ndarray | None = None) -> np.ndarray:
    from sklearn.cluster import DBSCAN

    return np.asarray(DBSCAN(eps=0.5, min_samples=3, metric="cosine").fit_predict(vectors))


def sklearn_hdbscan(vectors: np.ndarray, truth: np.ndarray | None = None) -> np.ndarray:
    from sklearn.cluster import HDBSCAN

    return np.asarray(HDBSCAN(min_cluster_size=5, copy=True).fit_predict(unit(vectors)))


def unit(vectors: np.ndarray) -> np.ndarray:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def l2(distance: float) -> float:
    """The cosine similarity of unit vectors at a Euclidean distance."""
    return 1 - distance**2 / 2


ROWS: dict[str, Labels] = {
    "ORACLE: average linkage, best threshold per set": oracle,
    **{f"{name}, as it comes": ours(name) for name in CLUSTERERS},
    "hdbscan, min_cluster_size 2": ours("hdbscan", min_cluster_size=2),
    "average linkage, similarity 0.36": ours("agglomerative", threshold=0.36),
    "average linkage, similarity 0.44": ours("agglomerative", threshold=0.44),
    "chinese_whispers, L2 1.06": ours("chinese_whispers", threshold=l2(1.06)),
    "Immich's: DBSCAN cosine 0.5 / 3": ours("dbscan", eps=0.5, min_samples=3),
    "PhotoPrism's: DBSCAN L2 0.95 / 4": ours("dbscan", metric="euclidean", eps=0.95, min_samples=4),
    "facerecognition's: Chinese Whispers L2 0.4": ours("chinese_whispers", threshold=l2(0.4)),
    "a French tutorial's: DBSCAN cosine 0.15 / 3": ours("dbscan", eps=0.15, min_samples=3),
    "many tutorials': DBSCAN L2 0.5 / 5": ours("dbscan", metric="euclidean", eps=0.5, min_samples=5),
    "scikit-learn's DBSCAN cosine 0.5 / 3": sklearn_dbscan,
    "scikit-learn's HDBSCAN 5": sklearn_hdbscan,
}


def cell(row: str, file: str, answer: Any) -> None:
    with np.load(file) as arrays:
        vectors, truth = arrays["emb"], arrays["label"]
    answer.send(measure(partial(ROWS[row], vectors, truth), truth))


def speed_cell(row: str, size: int, answer: Any) -> None:
    vectors, truth = synthetic(size)
    answer.send(measure(partial(ROWS[row], vectors, truth), truth))


def measure(work: Callable[[], np.ndarray], truth: np.ndarray) -> dict[str, float]:
    warnings.simplefilter("ignore")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    labels = work()
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {**evaluate(labels, truth), "seconds": seconds, "mb": (peak - before) / 1024, "total_mb": peak / 1024}


def apart(work: Callable[..., None], *given: Any) -> dict[str, float]:
    """Run in a fresh process; raises if it dies."""
    receive, send = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("spawn").Process(target=work, args=(*given, send))
    process.start()
    send.close()
    found: dict[str, float] = receive.recv()
    process.join()
    return found


def synthetic(n: int, dimension: int = 128, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """n faces of people with a long-tailed number of faces, 1 to 500, some blurred more than others."""
    random = np.random.default_rng(seed)
    sizes = np.minimum(1 + random.pareto(1.0, n).astype(int), 500)
    truth = random.permutation(np.repeat(np.arange(n), sizes)[:n])
    centres = random.normal(size=(int(truth.max()) + 1, dimension)) / np.sqrt(dimension)
    noise = random.normal(size=(n, dimension)) / np.sqrt(dimension) * random.uniform(0.6, 1.1, (n, 1))
    return (centres[truth] + noise).astype(np.float32), truth


def landscape(files: list[Path]) -> None:
    results = {row: [apart(cell, row, str(file)) for file in files] for row in ROWS}
    print(f"| method | {' | '.join(file.stem for file in files)} | mean F | min F | min precision | s | MB |")
    print("|---" * (len(files) + 6) + "|")
    for row, found in results.items():
        f = [figures["bcubed_f"] for figures in found]
        print(f"| {row} | {' | '.join(f'{value:.3f}' for value in f)} | {np.mean(f):.3f} | {min(f):.3f} "
              f"| {min(figures['bcubed_precision'] for figures in found):.3f} "
              f"| {sum(figures['seconds'] for figures in found):.1f} "
              f"| {max(figures['mb'] for figures in found):.0f} |", flush=True)


def speed(sizes: list[int], limit: float) -> None:
    print("| faces | method | seconds | × auto | peak MB of the process | BCubed F |\n|---|---|---|---|---|---|")
    last: dict[str, tuple[int, float]] = {}
    for size in sizes:
        auto = 0.0
        for row in ("auto, as it comes", "scikit-learn's DBSCAN cosine 0.5 / 3", "scikit-learn's HDBSCAN 5"):
            before, seconds = last.get(row, (size, 0.0))
            expected = seconds * (size / before) ** 2
            if expected > limit:
                print(f"| {size} | {row} | not run: about {expected:.0f} by the square of the last | | | |")
                continue
            found = apart(speed_cell, row, size)
            auto = auto or found["seconds"]
            last[row] = (size, found["seconds"])
            print(f"| {size} | {row} | {found['seconds']:.1f} | {found['seconds'] / auto:.1f} "
                  f"| {found['total_mb']:.0f} | {found['bcubed_f']:.3f} |", flush=True)
            if row.startswith("auto") and before != size:
                growth = np.log(found["seconds"] / seconds) / np.log(size / before)
                print(f"| | growth of auto from {before}: n^{growth:.2f} | | | | |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="*", type=Path)
    parser.add_argument("--speed", action="store_true")
    parser.add_argument("--sizes", nargs="+", type=int, default=[5_000, 25_000, 100_000])
    parser.add_argument("--limit", type=float, default=300, help="seconds beyond which a peer is not run")
    given = parser.parse_args()
    if given.speed:
        speed(given.sizes, given.limit)
        return
    files = given.sets or sorted(DEFAULT.glob("*.npz"))
    for model in dict.fromkeys("".join(file.suffixes[-2:-1]) for file in files):
        print(f"\n### {model.lstrip('.') or 'sets'}\n")
        landscape([file for file in files if "".join(file.suffixes[-2:-1]) == model])


if __name__ == "__main__":
    main()
