"""How much of the bare models' speed the scan keeps.

    python benchmarks/scan.py PHOTOS WEIGHTS [--count 400] [--rounds 3]

The same photos, in turn: a bare loop over all cores that decodes, detects and embeds with OpenCV alone and keeps
nothing; and the product's scan, which also looks for large and small faces, judges them, cuts them out, and makes
the host's renditions and database entries. Prints photos per second of both and their ratio (the median of rounds).
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import statistics
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2

from panoptic_faces.launch import free_port, running
from panoptic_faces.models.registry import SFACE, YUNET

KINDS = {".jpg", ".jpeg", ".png", ".pgm"}


def bare(photos: list[Path], weights: Path) -> float:
    models = threading.local()

    def one(photo: Path) -> int:
        if not hasattr(models, "pair"):
            models.pair = (cv2.FaceDetectorYN.create(str(weights / YUNET.name), "", (320, 320), 0.6, 0.3, 5000),
                           cv2.FaceRecognizerSF.create(str(weights / SFACE.name), ""))
        detector, embedder = models.pair
        picture = cv2.imread(str(photo))
        assert picture is not None, photo
        detector.setInputSize(picture.shape[1::-1])
        found = detector.detect(picture)[1]
        return 0 if found is None else len([embedder.feature(embedder.alignCrop(picture, face)) for face in found])

    started = time.perf_counter()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        faces = sum(pool.map(one, photos))
    seconds = time.perf_counter() - started
    print(f"bare loop: {len(photos) / seconds:6.1f} photos/s, {faces} faces")
    return seconds


def product(photos: list[Path], weights: Path) -> float:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        for number, photo in enumerate(photos):
            (home / "photos").mkdir(exist_ok=True)
            shutil.copy(photo, home / "photos" / f"{number:05d}{photo.suffix}")
        environment = {"HOME": folder, "PANOPTIC_DB": str(home / "panoptic.db"),
                       "PANOPTIC_FACES_WEIGHTS": str(weights)}
        with running(free_port(), environment) as (panoptic, _):
            panoptic.register_plugin()
            panoptic.open_project(home / "project", "scan")
            panoptic.import_folder(home / "photos")
            started = time.perf_counter()
            panoptic.act("detect_faces")
            while not (task := panoptic.tasks()[-1])["finished"]:
                time.sleep(0.1)
            seconds = time.perf_counter() - started
            assert task["failed"] == 0, task
            images = len(panoptic.get("/instances"))
    print(f"product:   {len(photos) / seconds:6.1f} photos/s, {images - len(photos)} faces")
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    found = sorted(path for path in options.photos.rglob("*") if path.suffix.lower() in KINDS and path.stat().st_size)
    photos = random.Random(0).sample(found, min(options.count, len(found)))
    ratios = [bare(photos, options.weights) / product(photos, options.weights) for _ in range(options.rounds)]
    print("ratio:", *(f"{ratio:.2f}" for ratio in ratios), f"median {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    main()
