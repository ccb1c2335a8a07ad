"""How much longer than the bare models the command line takes, from the cold to all outputs.

    python benchmarks/cli.py PHOTOS WEIGHTS [--count 2000] [--rounds 3]

The same photos, in turn: a bare loop over all cores that decodes, detects and embeds with OpenCV alone and keeps
nothing; and ``panoptic-faces cluster`` as a new process, which also groups the faces and writes folders of crops,
contact sheets, tables, a spreadsheet with thumbnails, maps and the distance matrix. Prints the seconds of both and
their ratio (the median of rounds), and where the command's time went.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from scan import KINDS, bare


def product(photos: list[Path], weights: Path) -> float:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "photos"
        home.mkdir()
        for number, photo in enumerate(photos):
            shutil.copy(photo, home / f"{number:05d}{photo.suffix}")
        started = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "panoptic_faces", "cluster", str(home), "--out", f"{folder}/out", "--json"],
            env={**os.environ, "PANOPTIC_FACES_WEIGHTS": str(weights)}, check=True, capture_output=True, text=True)
        seconds = time.perf_counter() - started
        line = json.loads(done.stdout)
    print(f"command: {seconds:6.1f} s, {line['counts']} {line['seconds']}", flush=True)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    found = sorted(path for path in options.photos.rglob("*") if path.suffix.lower() in KINDS and path.stat().st_size)
    photos = random.Random(0).sample(found, min(options.count, len(found)))
    ratios = []
    for _ in range(options.rounds):
        loop = bare(photos, options.weights)
        print(f"bare loop: {loop:.1f} s", flush=True)
        ratios.append(product(photos, options.weights) / loop)
    print("ratio:", *(f"{ratio:.2f}" for ratio in ratios), f"median {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    main()
