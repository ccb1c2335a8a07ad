"""One real project of 50,000 photos and 100,000 faces: every action through HTTP, its time and the server's memory.

    python benchmarks/load.py EMBEDDING WEIGHTS [--scan PHOTOS] [--photos 50000] [--faces 100000] [--parts …] [--tsne]

EMBEDDING is an .npz file with ``emb`` (n, d) and ``label``: the vectors of faces are a mixture fitted to it. WEIGHTS
is the folder of the face models' weights; PHOTOS a folder of real photos to scan. The project is made by the real
Panoptic; its tiny drawn pictures, vectors and provenance are written in bulk by the plugin's own classes. Then
Panoptic is started anew and asked for one action after another.

Printed: seconds of each call as a browser would see them, the largest resident memory of the server during it, and how
much of that is above the memory before it; for whole images also the ratio of the shortest of three calls to the
shortest of three of its computation plus reading the vectors once, in this process. While PHOTOS are scanned, requests
of the page are sent every 100 ms; their times count from the moment at which each was due.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import random
import shutil
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from archive import mixture
from images import collection
from panoptic.core.plugin.plugin_interface import PluginProjectInterface
from scan import KINDS

from panoptic_faces.host.crops import FaceProject, PhotoFaces, Renditions
from panoptic_faces.host.database import Database
from panoptic_faces.i18n import text
from panoptic_faces.launch import PLUGIN, Panoptic, free_port, running
from panoptic_faces.models.registry import SFACE
from panoptic_faces.services import images as service
from panoptic_faces.services.scan import FoundFace, Photo

D = 512
VISUAL = {"model": "visual-1"}
FACES = {"model": "SFace", "subject": "face", "weights": SFACE.sha256[:12]}
BATCH = 2000
# Photos that are scanned while the page is used.
SCANNED = 1500
# A CLIP of the smallest size that gives vectors of 512 numbers, with weights drawn at random.
CLIP = {"embed_dim": D,
        "vision_cfg": {"image_size": 32, "layers": [1, 1, 1, 1], "width": 8, "head_width": 16},
        "text_cfg": {"context_length": 8, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1}}
WORDS = [f"{colour} {thing}" for colour in ("red", "green", "blue", "old", "new", "small", "large", "dark", "bright",
                                            "empty")
         for thing in ("house", "boat", "portrait", "street", "letter", "horse", "tower", "garden", "crowd", "map")]


PARTS = ["whole_images", "scan", "people", "maps", "visual"]


# --- what the project holds ---------------------------------------------------------------------------------


def drawing(number: int) -> bytes:
    """A JPEG of 96 × 64 pixels unlike any other."""
    coarse = np.random.default_rng(number).integers(0, 256, (8, 12, 3), dtype=np.uint8)
    return bytes(cv2.imencode(".jpg", cv2.resize(coarse, (96, 64), interpolation=cv2.INTER_LINEAR))[1])


def rendered(number: int, kinds: Sequence[Any]) -> tuple[bytes, Renditions]:
    data = drawing(number)
    return data, Renditions(hashlib.sha1(data).hexdigest(), 96, 64, "jpeg", [(kind[0], data) for kind in kinds])


# --- building it --------------------------------------------------------------------------------------------


def plugins_view(folder: Path) -> FaceProject:
    """The project as the plugin sees it, without a server."""
    public = PluginProjectInterface(PLUGIN, folder, folder / "data.db", folder / "media.db", folder / "project.db",
                                    None, None, lambda callback: None, lambda callback: None)
    return FaceProject(Database(public, PLUGIN))


def clip_files(home: Path) -> tuple[Path, Path]:
    import open_clip
    import torch

    config, weights = home / "tiny-load.json", home / "tiny-load.pt"
    config.write_text(json.dumps(CLIP))
    open_clip.add_model_config(config)
    torch.manual_seed(0)
    torch.save(open_clip.create_model("tiny-load").state_dict(), weights)
    return config, weights


def build(home: Path, environment: dict[str, str], given: argparse.Namespace) -> None:
    """A project made by Panoptic, filled in bulk."""
    folder, photos = home / "project", home / "photos"
    photos.mkdir()
    (photos / "0.jpg").write_bytes(drawing(10**9))
    config, weights = clip_files(home)
    with running(free_port(), environment) as (panoptic, _):
        panoptic.register_plugin()
        panoptic.open_project(folder, "load")
        panoptic.import_folder(photos)
        clip = panoptic.act("create_vector_type", model="clip", architecture=str(config), pretrained=str(weights))
    data = plugins_view(folder)
    kinds = data._kinds
    place = next(found for found in data._host.get_folders() if Path(found.path) == photos)
    sha1s = []
    for start in range(0, given.photos, BATCH):
        numbers = range(start, min(start + BATCH, given.photos))
        made = [rendered(number, kinds) for number in numbers]
        for number, (content, _) in zip(numbers, made, strict=True):
            (photos / f"{number:06d}.jpg").write_bytes(content)
        data._database.add_renditions((kind, each.sha1, content) for content, each in made for kind, _ in each.images)
        data._add_images(place, [f"{number:06d}.jpg" for number in numbers], [each for _, each in made])
        sha1s += [each.sha1 for _, each in made]
    data.add_vectors(clip["value"]["id"], dict(zip(sha1s, collection(given.photos), strict=True)))
    add_faces(data, sha1s, given)


def add_faces(data: FaceProject, photos: list[str], given: argparse.Namespace) -> None:
    vectors, people = mixture(given.embedding, given.faces)
    named: dict[str, int] = {}
    rng = np.random.default_rng(1)
    kind = data.vector_type(FACES, create=True)
    assert kind is not None
    each = -(-given.faces // len(photos))
    batch = []
    for number, sha1 in enumerate(photos):
        rows = range(number * each, min((number + 1) * each, given.faces))
        made = [rendered(10**7 + row, data._kinds) for row in rows]
        named |= {one.sha1: int(people[row]) for row, (_, one) in zip(rows, made, strict=True)}
        found = tuple(FoundFace(
            (5 + 60 * place, 5, int(rng.integers(40, 56)), 52), np.zeros((5, 2), np.float32),
            float(rng.uniform(0.8, 0.95)), float(rng.uniform(50, 400)), vectors[row], content)
            for place, (row, (content, _)) in enumerate(zip(rows, made, strict=True)))
        batch.append(PhotoFaces(Photo(sha1, f"{number:06d}.jpg", b""), found, [one for _, one in made], {}, 0,
                                f"{FACES['model']} {FACES['weights']}"))
        if len(batch) * each >= BATCH or number == len(photos) - 1:
            data.add_faces(batch, kind)
            batch = []
    (data.folder.parent / "people.json").write_text(json.dumps(named))


# --- asking -------------------------------------------------------------------------------------------------


class Server:
    """A running Panoptic, its memory and what was measured on it."""

    def __init__(self, panoptic: Panoptic, process: Any) -> None:
        self.panoptic, self.process = panoptic, process

    def memory(self, of: str) -> float:
        """VmHWM or VmRSS in MB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith(of)).split()[1]) / 1024

    def measure(self, name: str, work: Callable[[], Any], told: Callable[[Any], str] = lambda found: "") -> float:
        """One line of the table; gives the seconds."""
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")
        before, start = self.memory("VmRSS"), time.perf_counter()
        found = work()
        seconds, peak = time.perf_counter() - start, self.memory("VmHWM")
        print(f"| {name} | {seconds:.1f} | {peak:.0f} | {max(peak - before, 0):.0f} | {told(found)} |", flush=True)
        return seconds

    def act(self, action: str, ids: list[int] | None = None, *, name: str = "", tasks: bool = False, **inputs: Any
            ) -> tuple[float, Any]:
        """A line of the table for an action; gives the seconds and the answer."""
        kept = []

        def work() -> Any:
            kept.append(self.panoptic.act(action, ids, **inputs))
            if tasks:
                task = self.panoptic.wait()[-1]
                assert not task["failed"] and not task["cancelled"], task
            return kept[0]
        return self.measure(f"`{action}`{name and ' ' + name}", work, told), kept[0]


def told(result: Any) -> str:
    if result["notifs"]:
        return str(result["notifs"][0]["message"])[:160].replace("|", "/")
    if result["groups"] is not None:
        return f"{len(result['groups'])} groups of {sum(len(group['sha1s']) for group in result['groups'])} images"
    return ""


def timed(work: Callable[[], Any], times: int = 3) -> tuple[float, Any]:
    best, found = float("inf"), None
    for _ in range(times):
        start = time.perf_counter()
        found = work()
        best = min(best, time.perf_counter() - start)
    return best, found


class Load:
    """Everything that is asked of the project."""

    def __init__(self, server: Server, home: Path, given: argparse.Namespace) -> None:
        self.server, self.home, self.given = server, home, given
        self.panoptic = server.panoptic
        self.data = plugins_view(home / "project")
        kinds = [{"id": row[0], "source": row[1], "params": row[2]} for row in self.panoptic.get("/vector_types")]
        self.clip = next(kind for kind in kinds if "architecture" in kind["params"])
        self.faces = next(kind for kind in kinds if kind["params"] == FACES)
        instances = self.data._host.get_instances()
        self.crops = set(self.data.faces())
        # The one photo that Panoptic imported itself has no vector.
        known = self.data._database.with_vector(self.clip["id"])
        self.photos = [row.id for row in instances if row.sha1 in known]
        self.sha1s = {row.id: row.sha1 for row in instances}
        self.ratios: list[tuple[str, float, float, float]] = []

    def ratio(self, action: str, kind: dict[str, Any], compute: Callable[[list[str], np.ndarray], Any], *,
              ids: list[int] | None = None, name: str = "", times: int = 3, **inputs: Any) -> None:
        """Time an action through HTTP, and beside it what it cannot do without."""
        asked = self.photos if ids is None else ids
        first, _ = self.server.act(action, asked, name=name, vectors=kind, **inputs)
        again = timed(lambda: self.panoptic.act(action, asked, vectors=kind, **inputs), times - 1)[0]
        sha1s = [self.sha1s[number] for number in self.photos]
        reading, (found, vectors) = timed(lambda: self.data.vectors(kind["id"], sha1s), times)
        computing, _ = timed(lambda: compute(found, vectors), times)
        self.ratios.append((f"`{action}`{name and ' ' + name}", min(first, again), computing, reading))

    def run(self) -> None:
        print("| action | seconds | peak MB | of it for the call | answer |\n|---|---|---|---|---|")
        self.server.measure("opening: the page's first request", self._stream)
        for part in self.given.parts:
            getattr(self, part)()
        print("\n| action | through HTTP | computation | reading the vectors | ratio |\n|---|---|---|---|---|")
        for name, http, computing, reading in self.ratios:
            print(f"| {name} | {http:.2f} | {computing:.2f} | {reading:.2f} | {http / (computing + reading):.2f} |")
        print("\n| action | seconds | peak MB | of it for the call | answer |\n|---|---|---|---|---|")
        self.server.act("forget_faces", confirm=text("action.forget_faces.word", "fr"))

    def _stream(self) -> Any:
        with urllib.request.urlopen(f"{self.panoptic.address}/projects/{self.panoptic.project}/db_state_stream"
                                    ) as answer:
            return len(answer.read())

    # ---- whole images

    def whole_images(self) -> None:
        act = self.server.act
        for number in (10, 100, -1):
            self.ratio("compute_clusters", self.clip, partial(service.group_images, language="fr", n_clusters=number),
                       name=str(number), nb_clusters=number)
        act("compute_clusters", name="10, of all images", vectors=self.clip)
        act("compute_clusters", self.photos, name="10, 2 levels, saved", vectors=self.clip, levels=2, save_as="Coupe")
        self.ratio("find_duplicates", self.clip, lambda found, vectors: service.group_copies(
            found, vectors, "fr", pixels=self.data.pixels, sharpness=self.data.sharpness))
        act("find_duplicates", self.photos, name="saved", vectors=self.clip, save_as="Doublons")
        self.ratio("find_similar", self.clip, lambda found, vectors: service.nearest_images(
            found, vectors, vectors[:1], "", most=200), ids=self.photos[:1], name="one image")
        self.ratio("search_by_text", self.clip, self._by_text, text="a red boat")
        self.tags()

    def maps(self) -> None:
        self.server.act("map_images", self.photos, name="pca, and the host's thumbnails", tasks=True, vectors=self.clip,
                        method="pca")
        for method in ("graph", "pca", "umap", "tsne") if self.given.tsne else ("graph", "pca", "umap"):
            self.server.act("map_images", self.photos, name=method, vectors=self.clip, method=method)

    def visual(self) -> None:
        act, few = self.server.act, self.photos[: len(self.photos) // 5]
        visual = act("create_vector_type")[1]["value"]
        act("compute_vectors", self.photos, name="visual", tasks=True, vectors=visual)
        act("find_similar", name="a picture file", vectors=visual, picture=str(self.home / "photos" / "000007.jpg"))
        act("find_duplicates", self.photos, name="visual", vectors=visual)
        act("find_duplicates", few, name=f"visual, turned, {len(few)} images", vectors=visual, turned=True)

    def _by_text(self, found: list[str], vectors: np.ndarray) -> Any:
        from panoptic_faces.models.images import clip_of

        return service.nearest_images(found, vectors, clip_of(self.clip["params"]).embed_texts(["a red boat"]), "")

    def _by_tags(self, found: list[str], vectors: np.ndarray) -> Any:
        from panoptic_faces.models.images import clip_of

        return service.group_by_tags(found, vectors, WORDS, [[]] * len(WORDS),
                                     clip_of(self.clip["params"]).embed_texts)

    def tags(self) -> None:
        made = self.panoptic.post("/commit/upsert", {"properties": [
            {"id": -1, "name": "Sujets", "type": "multi_tags", "mode": "sha1"}]})["properties"][0]["id"]
        self.panoptic.post("/commit/upsert", {"tags": [
            {"id": -number - 1, "property_id": made, "value": word, "parents": [], "color": 1}
            for number, word in enumerate(WORDS)]})
        self.ratio("cluster_by_tags", self.clip, self._by_tags, name=f"{len(WORDS)} tags", tags=made)
        self.server.act("cluster_by_tags", self.photos, name="saved, with examples", vectors=self.clip, tags=made,
                        examples=True, save_as="Sujets")

    # ---- faces

    def people(self) -> None:
        act, prop = self.server.act, self.named_people()
        act("cluster_faces")
        act("cluster_faces", name="saved", save_as="Groupes")
        groups = next(row[0] for row in self.panoptic.get("/property") if row[3] == "Groupes")
        act("find_similar", [next(number for number, sha1 in self.sha1s.items() if sha1 in self.crops)],
            name="one face", vectors=self.faces)
        act("suggest_merges", people=groups)
        act("evaluate_clusters", clusters=groups, truth=prop)
        act("recognize_people", people=prop)
        act("recognize_people", name="to confirm", people=prop, to_confirm=True)
        act("confirm_people", people=prop)
        act("tag_photos", people=prop)
        for save in ("crops", "none"):
            out = self.home / f"out-{save}"
            out.mkdir()
            act("export_people", name=save, people=prop, folder=str(out), save=save)

    def named_people(self) -> int:
        """A person's tags: half of the faces of each of the 300 people with the most."""
        of_person: dict[int, list[str]] = {}
        for sha1, person in json.loads((self.home / "people.json").read_text()).items():
            of_person.setdefault(person, []).append(sha1)
        chosen = sorted(of_person, key=lambda person: (-len(of_person[person]), person))[:300]
        prop = self.panoptic.post("/commit/upsert", {"properties": [
            {"id": -1, "name": "Personnes", "type": "multi_tags", "mode": "sha1"}]})["properties"][0]["id"]
        tags = self.panoptic.post("/commit/upsert", {"tags": [
            {"id": -number - 1, "property_id": prop, "value": f"Person {person}", "parents": [], "color": 1}
            for number, person in enumerate(chosen)]})["tags"]
        ids = {tag["value"]: tag["id"] for tag in tags}
        self.panoptic.post("/commit/upsert", {"image_values": [
            {"property_id": prop, "sha1": sha1, "value": [ids[f"Person {person}"]]}
            for person in chosen for sha1 in of_person[person][::2]]})
        return int(prop)

    # ---- a scan, and the page beside it

    def scan(self) -> None:
        if self.given.scan is None:
            return
        found = sorted(path for path in self.given.scan.rglob("*") if path.suffix.lower() in KINDS)
        (self.home / "new").mkdir()
        for number, photo in enumerate(random.Random(0).sample(found, min(SCANNED, len(found)))):
            shutil.copy(photo, self.home / "new" / f"{number:04d}{photo.suffix}")
        self.server.measure(f"importing {SCANNED} photos, which Panoptic does",
                            lambda: self.panoptic.import_folder(self.home / "new"))
        new = [row.id for row in self.data._host.get_instances() if row.id not in self.sha1s]
        quiet = patience(self.requests(), 5)
        start = time.perf_counter()
        with ThreadPoolExecutor(1) as pool:
            done = pool.submit(self.server.act, "detect_faces", new, name=f"{SCANNED} photos", tasks=True)
            waits = patience(self.requests(), until=done.done)
            done.result()
        seconds = time.perf_counter() - start
        print(f"\nWhile they were scanned ({seconds:.0f} s), {len(waits)} requests every 100 ms: median "
              f"{np.median(waits):.0f} ms, 99th percentile {np.percentile(waits, 99):.0f} ms, longest "
              f"{max(waits):.0f} ms; before, {len(quiet)} requests: {np.median(quiet):.0f}, "
              f"{np.percentile(quiet, 99):.0f}, {max(quiet):.0f} ms.\n", flush=True)

    def requests(self) -> Iterator[Callable[[], Any]]:
        """What a page asks for while a person looks: a thumbnail, the state of tasks, values of the images in view."""
        properties = [row[0] for row in self.panoptic.get("/property")]
        rng = random.Random(1)
        for turn in itertools.count():
            view = rng.sample(self.photos, 50)
            asked: list[Callable[[], Any]] = [
                lambda: self._bytes(f"/image/small/{self.sha1s[rng.choice(self.photos)]}"),
                lambda: self.panoptic.get("/project_state"),
                partial(self.panoptic.post, "/instances/values", {"ids": view, "prop_ids": properties})]
            yield asked[turn % 3]

    def _bytes(self, path: str) -> bytes:
        with urllib.request.urlopen(f"{self.panoptic.address}/projects/{self.panoptic.project}{path}") as answer:
            return bytes(answer.read())


def patience(requests: Iterator[Callable[[], Any]], seconds: float = 0, until: Callable[[], bool] | None = None
             ) -> list[float]:
    """Milliseconds from the moment at which each request was due, one every 100 ms, to its answer."""
    waits: list[float] = []
    lock = threading.Lock()

    def ask(request: Callable[[], Any], due: float) -> None:
        request()
        with lock:
            waits.append(1000 * (time.perf_counter() - due))

    start = time.perf_counter()
    with ThreadPoolExecutor(64) as pool:
        for number, request in enumerate(requests):
            due = start + 0.1 * number
            time.sleep(max(0.0, due - time.perf_counter()))
            if until() if until else due - start > seconds:
                break
            pool.submit(ask, request, due)
    return waits


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("embedding", type=Path)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--scan", type=Path, help="a folder of real photos")
    parser.add_argument("--photos", type=int, default=50_000)
    parser.add_argument("--faces", type=int, default=100_000)
    parser.add_argument("--tsne", action="store_true")
    parser.add_argument("--home", type=Path, help="keep the project here, and take the one that is here")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        home = given.home or Path(temporary)
        environment = {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache"),
                       "PANOPTIC_DB": str(home / "panoptic.db"), "PANOPTIC_FACES_WEIGHTS": str(given.weights),
                       "PANOPTIC_FACES_OFFLINE": "1"}
        if not (home / "project").exists():
            home.mkdir(parents=True, exist_ok=True)
            start = time.perf_counter()
            build(home, environment, given)
            print(f"built in {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)
        with running(free_port(), environment, home / "server.log") as (panoptic, process):
            start = time.perf_counter()
            panoptic.register_plugin()
            panoptic.open_project(home / "project", "load")
            print(f"opened in {time.perf_counter() - start:.1f} s", file=sys.stderr, flush=True)
            Load(Server(panoptic, process), home, given).run()


if __name__ == "__main__":
    main()
