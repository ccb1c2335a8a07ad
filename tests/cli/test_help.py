"""Every command's help fits a screen, in each language, and its example works as it stands."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from panoptic_faces.cli import COMMANDS

from .conftest import Run

LOCALES = {"en": "en_US.UTF-8", "fr": "fr_FR.UTF-8"}


@pytest.mark.parametrize("language", LOCALES)
@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_fits_a_screen(run: Run, command: str, language: str) -> None:
    lines = run(*command.split(), "--help", LC_ALL=LOCALES[language]).stdout.splitlines()
    assert len(lines) <= 24 and max(map(len, lines)) <= 80
    if command:
        assert len([line for line in lines if re.match(r"\s+(Example:|Exemple\s:)", line)]) == 1
    else:
        assert all(re.search(rf"^  {name} +\w", "\n".join(lines), re.M) for name in COMMANDS)


def example(run: Run, command: str, language: str = "en") -> list[str]:
    told = run(command, "--help", LC_ALL=LOCALES[language]).stdout
    found = re.search(r"(?:Example:|Exemple\s:) panoptic-faces (.*)", told)
    assert found and found[1].split()[0] == command
    return shlex.split(found[1])


@pytest.mark.parametrize("command", [name for name in COMMANDS if name != "open"])
def test_examples_work(run: Run, command: str, people: Path, shared: Path, tmp_path: Path,
                       request: pytest.FixtureRequest) -> None:
    # Each in a folder that has what the examples before it made.
    (tmp_path / "photos").symlink_to(people.parents[1] / "photos")
    (tmp_path / "faces.npz").write_bytes((people.parents[1] / "faces.npz").read_bytes())
    (tmp_path / "labelled.npz").write_bytes((shared / "data/emb/bbt_cast.sface.npz").read_bytes())
    (tmp_path / "people").mkdir()
    (tmp_path / "people" / "runs.jsonl").write_bytes((people.parent / "runs.jsonl").read_bytes())
    (tmp_path / "people" / "run-001").symlink_to(people)
    if command == "import":
        (tmp_path / "project").symlink_to(request.getfixturevalue("project"))
        run("encode", "photos", "--out", "archive", "--scheduler", "local", "--jobs", "1", cwd=tmp_path)
    arguments = example(run, command)
    assert arguments == example(run, command, "fr")
    assert run(*arguments, cwd=tmp_path).stdout.strip() or command == "xmp-read"


def test_the_example_of_open_is_what_the_tests_run(run: Run, project: Path) -> None:
    assert example(run, "open") == ["open", "photos"] and (project / "project.db").exists()


def test_a_mistake_is_one_sentence_in_the_users_language(run: Run) -> None:
    assert "Error: The method must be one of auto, " in run(
        "cluster", "photos", "--out", "nothing", "--method", "magic", code=1).stderr
    assert "La méthode doit être l’une de celles-ci" in run(
        "cluster", "photos", "--out", "nothing", "--method", "magic", code=1, LC_ALL="fr_FR.UTF-8").stderr
    run("cluster", "photos", code=2)
    run("cluster", "nowhere", "--out", "nothing", code=2)
    run("magic", code=2)
