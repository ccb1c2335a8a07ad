"""``recognize`` and ``evaluate`` on real faces."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np

from panoptic_faces.services.face_table import read_table

from .conftest import Run


def test_known_people_are_found_and_strangers_are_not(run: Run, tmp_path: Path, place: Path, faces: Path) -> None:
    for person in ("amy", "raj", "penny", "howard", "stuart"):
        for number in (1, 2, 3):
            target = tmp_path / "known" / person / f"{person}{number}.png"
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(place / "photos" / person / target.name, target)
    run("recognize", faces, "--people", tmp_path / "known", "--out", tmp_path / "out", "--save", "photos",
        "--save-people", tmp_path / "people.npz", "--max-false-accepts", 0.01)
    written = json.loads((tmp_path / "out/run-001/people.json").read_text(encoding="utf-8"))
    found = {person["name"]: {Path(face["photo"]).name for face in person["faces"]} for person in written["people"]}
    assert set(found) == {"amy", "raj", "penny", "howard", "stuart"}
    right = sum(name.startswith(person) for person, names in found.items() for name in names)
    wrong = sum(not name.startswith(person) for person, names in found.items() for name in names)
    assert right >= 22 and wrong <= 1
    assert (tmp_path / "out/run-001/people/Unknown").is_dir() and len(written["unassigned"]) == 40 - right - wrong
    line = json.loads(run("recognize", faces, "--people", tmp_path / "people.npz", "--out", tmp_path / "out",
                          "--save", "none", "--json").stdout)
    assert line["run"] == 2 and line["counts"]["people"] == 5
    _refused(run, tmp_path, faces)


def _refused(run: Run, place: Path, faces: Path) -> None:
    before = (place / "people.npz").read_bytes()
    for arguments, told in (
            (("--people", place / "people.npz", "--save-people", place / "people.npz"), "exists and is left as it is"),
            (("--people", place / "known/amy"), "must hold a folder for each person"),
            (("--people", place / "known", "--method", "magic"), "must be one of centroid"),
            (("--people", place / "known", "--max-false-accepts", 2), "max_false_accepts"),
            (("--people", faces), "people")):
        assert told in run("recognize", faces, "--out", place / "no", *arguments, code=1).stderr
    assert (place / "people.npz").read_bytes() == before and not (place / "no").exists()


def test_methods_of_recognition(run: Run, tmp_path: Path, faces: Path, place: Path) -> None:
    for person in ("amy", "raj"):
        shutil.copytree(place / "photos" / person, tmp_path / "known" / person)
    for method in ("neighbors", "network"):
        line = json.loads(run("recognize", faces, "--people", tmp_path / "known", "--out", tmp_path / "out", "--method",
                              method, "--save", "none", "--json").stdout)
        assert line["parameters"]["recognizer"] == method and line["counts"]["people"] == 2
        assert line["counts"]["unassigned"] >= 28


def test_evaluate(run: Run, shared: Path, faces: Path, tmp_path: Path) -> None:
    known = shared / "data/emb/bbt_cast.sface.npz"
    figures = json.loads(run("evaluate", known, "--json").stdout)
    assert figures["bcubed_f"] == 1 and figures["people"] == 8
    told = run("evaluate", known, "--method", "kmeans", "--set", "n_clusters=2").stdout
    assert "bcubed_precision\t0." in told
    assert "Traceback" not in run("evaluate", faces, code=1).stderr
    table = read_table(faces)
    np.savez(tmp_path / "own.npz", emb=table.vectors, label=[Path(row.photo.path).parent.name for row in table.rows()],
             photo=[row.photo.path for row in table.rows()])
    assert json.loads(run("evaluate", tmp_path / "own.npz", "--json").stdout)["bcubed_f"] == 1
