"""CONTRIBUTING.md is done, word for word, to a copy of the project: every seam gives what it says."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from panoptic_faces.core.faces import CLUSTERERS
from panoptic_faces.host.plugin import ACTIONS
from panoptic_faces.launch import PLUGIN, free_port, running
from panoptic_faces.models.choices import MODELS

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"```(?:python|json)\n# (panoptic_faces/\S+), ([^\n]+)\n(.*?)```", re.DOTALL)


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project to which every block of CONTRIBUTING.md has been done."""
    copy = tmp_path_factory.mktemp("contributing")
    for folder in ("panoptic_faces", "tests"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", copy)
    blocks = BLOCK.findall((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"))
    assert len(blocks) == 10
    for name, place, code in blocks:
        file = copy / name
        file.write_text(done(file, place, code), encoding="utf-8")
    return copy


def done(file: Path, place: str, code: str) -> str:
    """The text of a file after a block was done to it."""
    if place == "new":
        assert not file.exists()
        return code
    if place == "a translation of en.json":
        return json.dumps({**json.loads(file.with_name("en.json").read_text(encoding="utf-8")), **json.loads(code)})
    before = file.read_text(encoding="utf-8")
    if place == "more sentences":
        return json.dumps({**json.loads(before), **json.loads(code)}, ensure_ascii=False)
    if place == "at the end":
        return f"{before}\n\n{code}" if not code.startswith(" ") else f"{before}\n{code}"
    verb, _, name = place.rpartition(" ")
    first = re.search(rf"^{name} = [({{]", before, re.MULTILINE)
    assert first, place
    if verb == "before":
        return before[: first.start()] + code + before[first.start():]
    assert verb == "a row of"
    return before[: first.end()] + f"\n    {code}    " + before[first.end():]


def python(copy: Path, *arguments: str, **environment: str) -> str:
    finished = subprocess.run([sys.executable, *arguments], cwd=copy, text=True, encoding="utf-8", capture_output=True,
                              env={**os.environ, "PYTHONPATH": str(copy), "COLUMNS": "80", **environment})
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


def test_the_tables_are_those_of_the_docs() -> None:
    assert "components" not in CLUSTERERS and "grey" not in MODELS and "count_images" not in ACTIONS


def test_a_clusterer_keeps_what_every_clusterer_promises(changed: Path) -> None:
    # pytest fails where it selects nothing.
    python(changed, "-m", "pytest", "-p", "no:cacheprovider", "tests/core/test_faces.py", "-k", "components")


def test_a_clusterer_and_a_model_are_options_of_the_command(changed: Path, shared: Path) -> None:
    photos = str(shared / "data/faces/bbt_cast")
    environment = {"PANOPTIC_FACES_WEIGHTS": str(shared / "weights"), "LC_ALL": "en_US.UTF-8"}
    python(changed, "-m", "panoptic_faces", "encode", photos, "--model", "grey", "--out", "faces.npz", **environment)
    answer = json.loads(python(changed, "-m", "panoptic_faces", "cluster", "faces.npz", "--out", "people", "--save",
                               "none", "--method", "components", "--json", **environment))
    assert answer["counts"]["faces"] == 40 and answer["parameters"]["method"] == "components"


def test_a_language_is_spoken(changed: Path) -> None:
    assert "Montras kaj komparas" in python(changed, "-m", "panoptic_faces", "runs", "--help", LC_ALL="eo.UTF-8")


def test_the_changed_project_is_still_in_order(changed: Path) -> None:
    python(changed, "-m", "pytest", "-p", "no:cacheprovider", "tests/test_layers.py", "tests/test_locales.py")


def test_an_action_is_in_the_page_with_its_words(changed: Path, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    for colour in ("red", "green", "blue"):
        Image.new("RGB", (64, 64), colour).save(tmp_path / "photos" / f"{colour}.png")
    environment = {"HOME": str(tmp_path), "USERPROFILE": str(tmp_path), "PANOPTIC_DB": str(tmp_path / "panoptic.db"),
                   "PYTHONPATH": str(changed)}
    with running(free_port(), environment, tmp_path / "server.log") as (panoptic, _):
        panoptic.request("POST", "/plugins", {"name": PLUGIN, "source": str(changed / "panoptic_faces"),
                                              "source_type": "path"})
        panoptic.open_project(tmp_path / "project", "contributing")
        panoptic.import_folder(tmp_path / "photos")
        assert panoptic.get("/actions")[f"{PLUGIN}.count_images"]["description"] == "Compte les images."
        assert panoptic.act("count_images")["notifs"][0]["message"] == "Images\u00a0: 3."
