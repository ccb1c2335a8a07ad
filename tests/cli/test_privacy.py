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


def test_an_empty_folder(run: Run, tmp_path: Path) -> None:
    assert run("privacy", tmp_path).stdout.strip() == "No face data."
    run("privacy", tmp_path / "nowhere", code=2)
