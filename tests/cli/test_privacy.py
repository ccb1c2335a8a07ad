"""``privacy``: what is there is told, and nothing of it changes."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from .conftest import Run


def digests(folder: Path) -> dict[str, str]:
    # SQLite keeps its readers' locks, and nothing else, in the -shm file.
    return {str(path.relative_to(folder)): hashlib.sha1(path.read_bytes()).hexdigest()
            for path in sorted(folder.rglob("*")) if path.is_file() and not path.name.endswith("-shm")}


def test_a_panoptic_project(run: Run, project: Path) -> None:
    before = digests(project)
    found = json.loads(run("privacy", project, "--json").stdout)
    assert [row["count"] for row in found["vectors"]] == [40] and found["vectors"][0]["type"]["subject"] == "face"
    assert found["crops"]["files"] == 40 and found["crops"]["bytes"] > 40_000
    assert "40 face vectors (biometric data)" in run("privacy", project).stdout
    assert digests(project) == before


def test_what_the_command_line_wrote(run: Run, people: Path) -> None:
    found = json.loads(run("privacy", people.parents[1], "--json").stdout)
    assert {row["faces"] for row in found["tables"]} >= {40} and found["crops"]["files"] >= 40
    assert str(people / "people.json") in found["runs"]
    assert "Qui reçoit ce dossier" in run("privacy", people, LC_ALL="fr_FR.UTF-8").stdout


def test_people_as_learned_sheets_and_sidecars(run: Run, people: Path, faces: Path, tmp_path: Path) -> None:
    run("recognize", faces, "--people", "photos", "--save-people", tmp_path / "people.npz", "--out", tmp_path / "out")
    run("xmp-write", people, "--out", tmp_path / "xmp")
    found = json.loads(run("privacy", tmp_path, "--json").stdout)
    assert [row["people"] for row in found["people"]] == [8] and found["tables"] == []
    assert found["sheets"] >= 3 and found["sidecars"] == 40
    told = run("privacy", tmp_path).stdout
    assert f"8 people as learned (biometric data): {tmp_path / 'people.npz'}" in told and "40 XMP files" in told


def test_broken_pictures_are_no_obstacle(run: Run, tmp_path: Path) -> None:
    (tmp_path / "cut.jpg").write_bytes(b"\xff\xd8\xff\xe1\x00\x20Exif\x00\x00II*\x00\xff\xff\xff\xff")
    (tmp_path / "people.npz").write_bytes(b"PK\x03\x04")
    assert run("privacy", tmp_path).stdout.strip() == "No face data."


def test_an_empty_folder(run: Run, tmp_path: Path) -> None:
    assert run("privacy", tmp_path).stdout.strip() == "No face data."
    run("privacy", tmp_path / "nowhere", code=2)
