"""Archives on Dask: scaling, killed workers, clustering of millions, import into Panoptic.

    python benchmarks/archive.py scaling PHOTOS [--count 600]
    python benchmarks/archive.py kills PHOTOS [--count 2000 --kills 10]
    python benchmarks/archive.py cluster EMB.npz [--faces 1000000] [--exact 100000]
    python benchmarks/archive.py import EMB.npz [--faces 50000]

PHOTOS: a folder of pictures; EMB.npz: vectors (emb) and names (label) to which a mixture is fitted. Weights come from
PANOPTIC_FACES_WEIGHTS. Every figure that is printed is measured in the same run.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import os
import random
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
from PIL import Image

from panoptic_faces.archive.cluster import cluster_archive, read_people
from panoptic_faces.archive.dataset import SCHEMA, Dataset
from panoptic_faces.archive.encode import Choice, encode_archive
from panoptic_faces.archive.photos import FoundPhoto, find_archived
from panoptic_faces.archive.scheduler import connected
from panoptic_faces.core import cluster_faces, evaluate, neighbors
from panoptic_faces.launch import free_port, running

PART_FACES = 2_000


def chosen(folder: Path, count: int) -> list[FoundPhoto]:
    found = find_archived([str(folder)])
    return sorted(random.Random(0).sample(found, min(count, len(found))), key=lambda photo: photo.address)


def scaling(folder: Path, count: int, rounds: int) -> None:
    """Photos per second of one and of two worker processes, one thread each, in turn."""
    photos = chosen(folder, count)
    rates: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(rounds):
        for workers in rates:
            with tempfile.TemporaryDirectory() as out, connected("local", workers) as client:
                # The models are loaded before the clock starts: a run of days does not feel it.
                encode_archive(photos[:64], f"{out}/warm", Choice(), client)
                started = time.perf_counter()
                done = encode_archive(photos[64:], f"{out}/archive", Choice(), client)
                rates[workers].append((len(photos) - 64) / (time.perf_counter() - started))
            print(f"{workers} worker(s): {rates[workers][-1]:.1f} photos/s, {done.faces} faces", flush=True)
    print("ratio:", *(f"{two / one:.2f}" for one, two in zip(rates[1], rates[2], strict=True)))


def kills(folder: Path, count: int, times: int) -> None:
    """A run whose workers are killed, compared byte for byte with one that was left alone."""
    photos = chosen(folder, count)
    with tempfile.TemporaryDirectory() as out, connected("local", 2) as client:
        started = time.perf_counter()
        encode_archive(photos, f"{out}/undisturbed", Choice(), client)
        undisturbed = time.perf_counter() - started
        killed: set[int] = set()
        cluster = client.cluster
        assert cluster is not None
        done = 0

        def seen(more: int) -> None:
            nonlocal done
            done += more
            victims = {pid for nanny in list(cluster.workers.values()) if (pid := nanny.pid)} - killed
            if victims and len(killed) < times and done >= len(photos) * (len(killed) + 1) / (times + 2):
                os.kill(min(victims), signal.SIGKILL)
                killed.add(min(victims))

        started = time.perf_counter()
        result = encode_archive(photos, f"{out}/killed", Choice(), client, seen=seen)
        files = [{path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in Path(out, name).iterdir()}
                 for name in ("undisturbed", "killed")]
    print(f"{len(photos)} photos, {result.faces} faces, {len(killed)} workers killed: "
          f"{'identical' if files[0] == files[1] else 'DIFFERENT'}, {len(files[0])} files; "
          f"{undisturbed:.0f} s undisturbed, {time.perf_counter() - started:.0f} s killed")


def mixture(file: Path, n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """n vectors and their people: means and spread as in a file, 1 to 500 faces a person (half have one to three)."""
    with np.load(file) as arrays:
        vectors, names = arrays["emb"].astype(np.float64), arrays["label"]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    _, person, sizes = np.unique(names, return_inverse=True, return_counts=True)
    means = np.stack([vectors[person == number].mean(axis=0) for number in range(len(sizes))])
    several = sizes[person] > 1
    apart = (vectors - means[person])[several]
    # A mean of k faces takes 1/k of the spread with it.
    within = apart.T @ apart / (several.sum() - (sizes > 1).sum())
    between = np.cov(means.T) - within * (1 / sizes).mean()
    values, axes = np.linalg.eigh(between)
    roots = axes * np.sqrt(np.clip(values, 0, None))
    rng = np.random.default_rng(seed)
    each = np.minimum(1 + rng.pareto(1.0, n).astype(int), 500)
    truth = rng.permutation(np.repeat(np.arange(n), each)[:n])
    centres = (means.mean(axis=0) + rng.normal(size=(int(truth.max()) + 1, len(roots))) @ roots.T).astype(np.float32)
    noise_roots = np.linalg.cholesky(within + 1e-9 * np.eye(len(within))).T.astype(np.float32)
    made = np.empty((n, len(roots)), dtype=np.float32)
    for start in range(0, n, 100_000):
        rows = slice(start, min(n, start + 100_000))
        noise = rng.standard_normal((rows.stop - start, len(roots)), np.float32)
        made[rows] = centres[truth[rows]] + noise @ noise_roots
    return made, truth


def written(vectors: np.ndarray, address: str, crops: list[bytes] | None = None, sha1s: list[str] | None = None,
            ) -> None:
    """An archive of these vectors, a photo each, of sharp large faces."""
    dataset = Dataset(address)
    dataset.open_with(Choice().settings())
    settings = dataset.settings()
    for start in range(0, len(vectors), PART_FACES):
        some = vectors[start : start + PART_FACES]
        rows = [{**dict.fromkeys(SCHEMA.names), "photo": f"/photos/{start + row}.jpg", "path": f"{start + row}.jpg",
                 "photo_sha1": sha1s[start + row] if sha1s else f"{start + row:040x}", "stamp": "", "error": "",
                 "photo_width": 200, "photo_height": 200, "face": 1, "x": 50, "y": 50, "width": 100, "height": 100,
                 "landmarks": np.zeros(10, np.float32), "confidence": 0.9, "sharpness": 500.0,
                 "crop": crops[start + row] if crops else b"", "vector": vector, "model": settings["model"],
                 "model_weights": settings["model_weights"]} for row, vector in enumerate(some)]
        dataset.write_part(f"part-0001-{start:016x}.parquet", [pa.Table.from_pylist(rows, SCHEMA)])


@contextmanager
def memory() -> Iterator[list[float]]:
    """The largest sum of the unshared memory of this process and its children, in GB, looked at every half second."""
    peak, over = [0.0], threading.Event()
    me = psutil.Process()

    def watch() -> None:
        while not over.wait(0.5):
            total = 0
            for process in [me, *me.children(recursive=True)]:
                try:
                    about = process.memory_info()
                except psutil.NoSuchProcess:
                    continue
                total += about.rss - about.shared
            peak[0] = max(peak[0], total / 1e9)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield peak
    finally:
        over.set()
        watcher.join()


def sharded(vectors: np.ndarray, workers: int, shard: int | None = None) -> np.ndarray:
    """Labels in the order of the vectors, by the clustering of archives."""
    with tempfile.TemporaryDirectory() as out:
        written(vectors, f"{out}/archive")
        count = len(vectors)
        del vectors
        with connected("local", workers) as client, memory() as peak:
            started = last = time.perf_counter()

            def step(name: str) -> None:
                nonlocal last
                print(f"  {name} begins at {time.perf_counter() - started:.0f} s", flush=True)

            result = cluster_archive(f"{out}/archive", f"{out}/people", client, step=step,
                                     **({"shard": shard} if shard else {}))
            seconds = time.perf_counter() - started
        print(f"{count} faces on {workers} workers: {seconds:.0f} s, peak {peak[0]:.2f} GB, {result}", flush=True)
        labels = np.full(count, -1)
        for rows in read_people(f"{out}/people"):
            labels[[int(path[8:-4]) for path in rows["photo"].to_pylist()]] = rows["person"].to_numpy()
        return labels


def told(name: str, figures: dict[str, float]) -> None:
    print(f"{name}: BCubed F {figures['bcubed_f']:.4f} (precision {figures['bcubed_precision']:.4f}, recall "
          f"{figures['bcubed_recall']:.4f}), ARI {figures['ari']:.4f}", flush=True)


def clustering(file: Path, faces: int, exact: int, workers: int, shard: int | None) -> None:
    """The whole, and a sample beside the one-machine ``auto`` with exact neighbours."""
    if exact:
        vectors, truth = mixture(file, exact, seed=1)
        neighbors.EXACT_UP_TO = exact
        started = time.perf_counter()
        alone = cluster_faces(vectors).labels
        print(f"exact method on {exact} faces: {time.perf_counter() - started:.0f} s", flush=True)
        told("exact method", evaluate(alone, truth))
        # A fifth of the faces a shard, so that there are several to bring together.
        labels = sharded(vectors, workers, shard or -(-exact // 5))
        told("shards", evaluate(labels, truth))
        print(f"agreement of the two (ARI): {evaluate(labels, alone)['ari']:.4f}", flush=True)
    if faces:
        vectors, truth = mixture(file, faces)
        told(f"shards, {faces} faces", evaluate(sharded(vectors, workers, shard), truth))


def importing(file: Path, faces: int) -> None:
    """Faces of so many photos into a real Panoptic, which has the photos already."""
    vectors, _ = mixture(file, faces)
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        (home / "photos").mkdir()
        crops, sha1s = [], []
        for number in range(faces):
            pixels = Image.fromarray(rng.integers(0, 255, (12, 12, 3), dtype=np.uint8)).resize((200, 200))
            photo, crop = io.BytesIO(), io.BytesIO()
            pixels.save(photo, "JPEG", quality=60)
            exif = Image.Exif()
            exif[0x010E] = str(number)
            pixels.crop((10, 10, 190, 190)).save(crop, "JPEG", quality=90, exif=exif)
            (home / "photos" / f"{number}.jpg").write_bytes(photo.getvalue())
            crops.append(crop.getvalue())
            sha1s.append(hashlib.sha1(photo.getvalue()).hexdigest())
        written(vectors, f"{folder}/archive", crops, sha1s)
        with running(free_port(), {"HOME": folder, "PANOPTIC_DB": f"{folder}/panoptic.db"}) as (panoptic, process):
            assert process is not None
            panoptic.register_plugin()
            panoptic.open_project(home / "project", "import")
            panoptic.import_folder(home / "photos")
            print(f"{faces} photos are in Panoptic", flush=True)
            server = psutil.Process(process.pid)
            before = server.memory_info().rss / 1e9
            started, peak = time.perf_counter(), before
            panoptic.act("import_faces", archive=f"{folder}/archive")
            while not (task := panoptic.tasks()[-1])["finished"]:
                peak = max(peak, server.memory_info().rss / 1e9)
                time.sleep(1)
            seconds = time.perf_counter() - started
            there = len(panoptic.get("/instances")) - faces
        print(f"{there} of {faces} faces in {seconds:.0f} s; server {before:.2f} GB before, {peak:.2f} GB at most; "
              f"failed {task['failed']}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("scaling", "kills", "cluster", "import"))
    parser.add_argument("source", type=Path)
    parser.add_argument("--count", type=int)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--faces", type=int)
    parser.add_argument("--exact", type=int, default=100_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--shard", type=int)
    options = parser.parse_args()
    if options.what == "scaling":
        scaling(options.source, options.count or 600, options.rounds)
    elif options.what == "kills":
        kills(options.source, options.count or 2000, options.kills)
    elif options.what == "cluster":
        faces = 1_000_000 if options.faces is None else options.faces
        clustering(options.source, faces, options.exact, options.workers, options.shard)
    else:
        importing(options.source, options.faces or 50_000)


if __name__ == "__main__":
    main()
