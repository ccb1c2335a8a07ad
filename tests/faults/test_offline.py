"""Nothing leaves the machine, nothing is run that came as data, and logs tell of nobody."""

from __future__ import annotations

import ast
import base64
import json
import os
import shutil
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from panoptic_faces.core.errors import FacesError
from panoptic_faces.host.params import Settings
from panoptic_faces.launch import PLUGIN, Panoptic

from ..host.person import Person
from .conftest import Guarded

PACKAGE = Path(__file__).parents[2] / "panoptic_faces"
MODULES = sorted(PACKAGE.rglob("*.py"))
# What runs what it reads, and what may reach other machines.
RUNS_DATA = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "runpy", "code"}
CALLS = {"eval", "exec", "compile", "__import__"}
NETWORK = {"urllib.request", "http.client", "requests", "httpx", "aiohttp", "ftplib", "smtplib", "socket"}
# Weights and the portraits to try, and the server of this machine.
MAY_SPEAK = {"models/weights.py", "services/demo.py", "launch.py"}
NAME = "Wilhelmine Quastenflosser"


def where(module: Path) -> str:
    return module.relative_to(PACKAGE).as_posix()


@pytest.mark.parametrize("module", MODULES, ids=where)
def test_nothing_that_came_as_data_is_run(module: Path) -> None:
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = {alias.name for alias in node.names} if isinstance(node, ast.Import) else {str(node.module)}
            assert not {name.split(".")[0] for name in names} & RUNS_DATA, names
            assert where(module) in MAY_SPEAK or where(module).startswith("archive/") or not names & NETWORK, names
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        told = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
        assert name not in CALLS and told.get("trust_remote_code", "False") == "False", name
        assert told.get("shell", "False") == "False" and name not in ("os.system", "os.popen"), name
        if name in ("np.load", "numpy.load"):
            assert told.get("allow_pickle") == "False", ast.unparse(node)
        if name == "torch.load":
            assert told.get("weights_only") == "True", ast.unparse(node)


class Touches:
    """What a pickle can hold: a call that is made when it is read."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def __reduce__(self) -> Any:
        return Path.touch, (self._file,)


def test_no_file_runs_code_when_it_is_read(clip_files: tuple[Path, Path], tmp_path: Path) -> None:
    import torch

    from panoptic_faces.models.clip import Clip
    from panoptic_faces.services.evaluate import evaluate_file
    from panoptic_faces.services.face_table import read_table
    from panoptic_faces.services.people_file import load_recognizer

    touched, weights, arrays = tmp_path / "touched", tmp_path / "weights.pt", tmp_path / "arrays.npz"
    torch.save({"state_dict": Touches(touched)}, weights)
    objects = np.array([Touches(touched)], dtype=object)
    np.savez(arrays, description=objects, emb=objects, label=objects, vector=objects)
    for read in (lambda: Clip(str(clip_files[0]), str(weights), device="cpu"), lambda: read_table(arrays),
                 lambda: load_recognizer(arrays, model="sface"), lambda: evaluate_file(arrays, "auto", {})):
        with pytest.raises(FacesError):
            read()
        assert not touched.exists()
    torch.load(weights, weights_only=False)
    assert touched.exists()


def listening(process: int) -> set[str]:
    """The addresses, as the kernel writes them, at which a process and its threads listen."""
    sockets = {os.readlink(f"/proc/{process}/fd/{number}") for number in os.listdir(f"/proc/{process}/fd")
               if os.path.islink(f"/proc/{process}/fd/{number}")}
    found = set()
    for table in ("tcp", "tcp6", "udp", "udp6"):
        for line in Path(f"/proc/{process}/net/{table}").read_text().splitlines()[1:]:
            parts = line.split()
            if f"socket:[{parts[9]}]" in sockets and (table.startswith("udp") or parts[3] == "0A"):
                found.add(parts[1].split(":")[0])
    return found


@pytest.fixture(scope="module")
def lived(guarded: Guarded, shared: Path, clip_files: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory
          ) -> tuple[Panoptic, Path]:
    """A project in which everything was done once, with a name that nothing else has."""
    place = tmp_path_factory.mktemp("lived")
    (place / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    server = guarded.open(place, *sorted((shared / "data/faces/bbt_cast").iterdir())[:3], place / "broken.jpg")
    server.act("detect_faces")
    server.wait()
    groups = server.act("cluster_faces")["groups"]
    person = Person(server)
    people = person.property
    person.give(groups[0]["sha1s"][:2], NAME)
    person.give(groups[1]["sha1s"][:2], "Bernadette")
    kind = server.act("create_vector_type")["value"]
    clip = server.act("create_vector_type", model="clip", architecture=str(clip_files[0]),
                      pretrained=str(clip_files[1]))["value"]
    for made in (kind, clip):
        server.act("compute_vectors", vectors=made)
        server.wait()
    (place / "out").mkdir()
    for action, inputs in {
            "recognize_people": {"people": people, "to_confirm": True}, "confirm_people": {"people": people},
            "suggest_merges": {"people": people}, "tag_photos": {"people": people},
            "evaluate_clusters": {"clusters": people}, "compute_clusters": {"vectors": kind},
            "export_people": {"people": people, "folder": str(place / "out"), "sidecars": True},
            "find_duplicates": {"vectors": kind}, "map_images": {"vectors": kind},
            "cluster_by_tags": {"tags": people, "vectors": clip}, "search_by_text": {"vectors": clip, "text": NAME},
            }.items():
        server.act(action, **inputs)
    face = next(row[0] for row in server.get("/instances") if row[2] == groups[0]["sha1s"][0])
    server.act("find_similar", [face], vectors=kind)
    return server, place


def test_nothing_left_the_machine(lived: tuple[Panoptic, Path], guarded: Guarded) -> None:
    assert guarded.refused() == []


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_server_listens_on_this_machine_only(lived: tuple[Panoptic, Path], guarded: Guarded) -> None:
    assert listening(guarded.process) == {"0100007F"}


def test_logs_hold_no_name_and_no_vector(lived: tuple[Panoptic, Path], guarded: Guarded) -> None:
    _, place = lived
    with closing(sqlite3.connect(place / "project/media.db")) as media:
        vector = np.frombuffer(media.execute("SELECT data FROM vectors").fetchone()[0], dtype=np.float32)
    logs = {"server": guarded.log()} | {file.name: file.read_text(encoding="utf-8") for file in (
        *(place / "project/plugin_data").rglob("*.log"), place / "out/runs.jsonl")}
    assert {"server", "scan.log", "runs.jsonl"} <= set(logs)
    for name, log in logs.items():
        assert "Quastenflosser" not in log and "Wilhelmine" not in log, name
        for number in vector[:20].tolist():
            assert f"{number:.4f}"[-5:] not in log or abs(number) < 1e-3, (name, number)
        assert base64.b64encode(vector.tobytes()[:12]).decode()[:12] not in log
    # The name is where it belongs: this test would see it.
    assert NAME in (place / "out/run-001/people.json").read_text(encoding="utf-8")


def test_offline_forbids_every_fetch(lived: tuple[Panoptic, Path], guarded: Guarded, tmp_path: Path) -> None:
    """And without it a fetch is tried, which the guard sees: it would have seen the others."""
    server, _ = lived
    (tmp_path / "none").mkdir()

    def tried(offline: bool) -> tuple[str, str, list[str]]:
        before = len(guarded.refused())
        server.post("/plugin_params", {"plugin": PLUGIN, "params": {"offline": offline,
                                                                    "weights_folder": str(tmp_path / "none")}})
        shutil.copy(PACKAGE.parent / "docs/design.md", tmp_path / "x.jpg")
        clip = server.act("create_vector_type", model="clip", architecture="ViT-B-32",
                          pretrained="laion2b_s34b_b79k" if offline else "openai")["value"]
        server.act("compute_vectors", vectors=clip)
        told = server.wait()[-1]["name"]
        with pytest.raises(FacesError) as raised:
            face = next(kind for kind in server.get("/vector_types") if "face" in json.dumps(kind))
            server.act("find_similar", vectors=_as_dict(face), picture=str(tmp_path / "x.jpg"))
        return told, str(raised.value), guarded.refused()[before:]

    try:
        told, faces, refused = tried(offline=True)
        assert refused == [] and "le réseau ne doit pas être utilisé" in told, (refused, told)
        assert "réseau" in faces, faces
        told, faces, refused = tried(offline=False)
        assert any("getaddrinfo" in line for line in refused) and any("subprocess" in line for line in refused), refused
    finally:
        server.post("/plugin_params", {"plugin": PLUGIN, "params": {"offline": False, "weights_folder": ""}})


def _as_dict(kind: object) -> dict[str, object]:
    return dict(kind) if isinstance(kind, dict) else dict(zip(("id", "source", "params"), list(kind), strict=False))  # type: ignore[call-overload]


def test_nothing_is_on_that_was_not_asked_for() -> None:
    default = Settings()
    assert not (default.scan_on_import or default.vectors_on_import or default.people)


def test_the_first_search_tells_what_is_kept(guarded: Guarded, shared: Path, tmp_path: Path) -> None:
    """Once a project, in the page's language, and where nothing was asked nothing is found."""
    photos = sorted((shared / "data/faces/bbt_cast").iterdir())[:2]
    server = guarded.open(tmp_path, photos[0])
    assert not (tmp_path / "project/faces").exists() and not server.tasks()[-1]["name"].startswith("Détection")
    notice, = server.act("detect_faces")["notifs"]
    assert notice["type"] == "info" and "forget_faces" in notice["message"] and "RGPD" in notice["message"]
    assert str(tmp_path / "project") in notice["message"]
    server.wait()
    shutil.copytree(photos[1], tmp_path / "photos" / photos[1].name)
    server.import_folder(tmp_path / "photos")
    assert not server.act("detect_faces")["notifs"]
    server.wait()
    assert all(group["name"].startswith(("Visage ", "Pas des visages", "Images")) or not group.get("score")
               for group in server.act("cluster_faces")["groups"])


