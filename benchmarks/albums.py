"""How far the default stands from an oracle, on albums drawn at random and on blurred faces.

    python benchmarks/albums.py [SETS…] [--seeds 12]                       sets: .npz files with emb, label
    python benchmarks/albums.py --blurred PICTURES WEIGHTS [--share 0.3]   PICTURES: one folder a person

The oracle sees the labels: average linkage at the best threshold of each album. Nothing is tuned. ``auto`` is told
which blurred faces are poor by the rule of the scan, or it is told nothing.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from faces import DEFAULT, oracle, unit

from panoptic_faces.core import cluster_faces, evaluate
from panoptic_faces.models.align import ALIGNED_SIDE, align_face, sharpness
from panoptic_faces.models.choices import choose_models
from panoptic_faces.models.pictures import read_picture
from panoptic_faces.services.organise import poor_faces

# Name → (people, fewest, most faces of each), as many parts as the album has.
ALBUMS = {
    "one person": [(1, 5, 100)],
    "nobody twice": [(300, 1, 1)],
    "2 people, 1–5 faces": [(2, 1, 5)],
    "5 people, 1–5": [(5, 1, 5)],
    "20 people, 1–5": [(20, 1, 5)],
    "5 people, 20–40": [(5, 20, 40)],
    "60 people, 5–20": [(60, 5, 20)],
    "500 people, 1–3": [(500, 1, 3)],
    "one with 50–100, 200 once": [(1, 50, 100), (200, 1, 1)],
    "40 people, 2–20, 30 % noisy": [(40, 2, 20)],
}
NOISY = "noisy"
# Of the faces, how many are noisy.
SPOILT = 0.3
BLURRED_SIDES = (16, 36)
LOSS, PRECISION = 0.01, 0.97


def drawn(parts: list[tuple[int, int, int]], truth: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """The faces of an album; nobody is in two of its parts."""
    people, counts = np.unique(truth, return_counts=True)
    rows, taken = [], np.zeros(len(people), dtype=bool)
    for number, fewest, most in parts:
        fit = np.flatnonzero((counts >= fewest) & ~taken)
        for person in random.choice(fit, min(number, len(fit)), replace=False):
            taken[person] = True
            faces = int(random.integers(fewest, min(most, counts[person]) + 1))
            rows.append(random.choice(np.flatnonzero(truth == people[person]), faces, replace=False))
    return random.permutation(np.concatenate(rows))


def spoilt(vectors: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Unit vectors, some with a random direction of the same length added."""
    rows = unit(vectors)
    chosen = random.random(len(rows)) < SPOILT
    rows[chosen] += unit(random.normal(size=(int(chosen.sum()), rows.shape[1])))
    return rows


def albums(file: Path, seeds: int) -> None:
    with np.load(file) as arrays:
        vectors, truth = arrays["emb"], arrays["label"]
    print(f"\n### {file.stem}\n\n| album | faces | oracle F | auto F | mean difference | largest loss "
          "| auto's least precision | lose over 0.01, or precision under 0.97 |\n" + "|---" * 8 + "|")
    everything = []
    for name, parts in ALBUMS.items():
        found, faces = [], []
        for seed in range(seeds):
            random = np.random.default_rng([seed, len(name)])
            rows = drawn(parts, truth, random)
            given = spoilt(vectors[rows], random) if NOISY in name else vectors[rows]
            best = evaluate(oracle(given, truth[rows]), truth[rows])["bcubed_f"]
            ours = evaluate(cluster_faces(given).labels, truth[rows])
            found.append((best, ours["bcubed_f"], ours["bcubed_precision"]))
            faces.append(len(rows))
        print_row(name, f"{min(faces)}–{max(faces)}", found)
        everything += found
    print_row("**all**", "", everything)


def print_row(name: str, faces: str, found: list[tuple[float, float, float]]) -> None:
    best, ours, precision = np.array(found).T
    missed = (ours < best - LOSS) | (precision < PRECISION)
    print(f"| {name} | {faces} | {best.mean():.3f} | {ours.mean():.3f} | {(ours - best).mean():+.4f} "
          f"| {(ours - best).min():+.3f} | {precision.min():.3f} | {missed.sum()} of {len(found)} |", flush=True)


def blurred(pictures: Path, weights: Path, share: float) -> None:
    detector, embedder = choose_models(folder=weights, offline=True).make()
    random = np.random.default_rng(0)
    aligned, truth, qualities = [], [], []
    for picture in sorted(path for path in pictures.glob("*/*") if path.is_file()):
        pixels = read_picture(picture)
        found = detector.detect(pixels)
        if not len(found):
            continue
        largest = int(np.argmax(found.boxes[:, 2] * found.boxes[:, 3]))
        face, side = align_face(pixels, found.landmarks[largest]), float(found.boxes[largest, 2:].min())
        if random.random() < share:
            side = float(random.integers(*BLURRED_SIDES))
            small = cv2.resize(face, (int(side), int(side)), interpolation=cv2.INTER_AREA)
            face = np.asarray(cv2.resize(cv2.GaussianBlur(small, (3, 3), 0), (ALIGNED_SIDE, ALIGNED_SIDE)), np.uint8)
        aligned.append(face)
        truth.append(picture.parent.name)
        qualities.append((side, float(found.confidences[largest]), sharpness(face)))
    vectors, labels, flags = embedder.embed(np.stack(aligned)), np.array(truth), poor_faces(*np.array(qualities).T)
    told, untold = cluster_faces(vectors, poor=flags).labels, cluster_faces(vectors).labels
    cells = [evaluate(oracle(vectors, labels), labels), evaluate(untold, labels), evaluate(told, labels),
             evaluate(told[~flags], labels[~flags])]
    print("| set | faces | poor | oracle F / P | auto, not told F / P | auto, told who is poor F / P "
          "| of the good faces alone F / P |\n" + "|---" * 7 + "|")
    print(f"| {pictures.name}, {share:.0%} blurred | {len(labels)} | {flags.sum()} | "
          + " | ".join(f"{one['bcubed_f']:.3f} / {one['bcubed_precision']:.3f}" for one in cells) + " |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="*", type=Path)
    parser.add_argument("--seeds", type=int, default=12)
    parser.add_argument("--blurred", nargs=2, type=Path, metavar=("PICTURES", "WEIGHTS"))
    parser.add_argument("--share", type=float, default=SPOILT, help="of the faces that are blurred")
    given = parser.parse_args()
    if given.blurred:
        pictures, weights = given.blurred
        blurred(pictures, weights, given.share)
        return
    for file in given.sets or sorted(DEFAULT.glob("lfw_a.*.npz")):
        albums(file, given.seeds)


if __name__ == "__main__":
    main()
