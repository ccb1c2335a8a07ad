"""The commands of the README, as a user types them."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from panoptic_faces.launch import Panoptic, free_port
from panoptic_faces.models.registry import SFACE, WEIGHTS

ROOT = Path(__file__).parents[1]


@pytest.fixture
def environment(tmp_path: Path, shared: Path) -> dict[str, str]:
    home = str(tmp_path / "home")
    return {**os.environ, "HOME": home, "USERPROFILE": home, "XDG_CACHE_HOME": home + "/cache",
            "XDG_DATA_HOME": home + "/data", "XDG_STATE_HOME": home + "/state", "PANOPTIC_DB": home + "/panoptic.db",
            "PANOPTIC_REMOTE": "1", "PANOPTIC_FACES_OFFLINE": "1", "LC_ALL": "en_US.UTF-8",
            "PANOPTIC_FACES_WEIGHTS": str(shared / "weights")}


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "panoptic_faces", *arguments]


def opened(environment: dict[str, str], photos: Path) -> list[str]:
    """What ``open`` prints until the server runs; it is ended as Ctrl+C ends it."""
    process = subprocess.Popen(command("open", str(photos), "--port", str(free_port())), env=environment, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=photos.parent)
    assert process.stdout and process.stderr
    lines = []
    for line in process.stdout:
        lines.append(line.strip())
        if "Ctrl+C" in line:
            break
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    return lines


def test_open_finds_the_people_of_a_folder_twice(environment: dict[str, str], shared: Path, tmp_path: Path) -> None:
    photos = tmp_path / "mes photos"
    for person in ("amy", "raj", "penny"):
        shutil.copytree(shared / "data/faces/bbt_cast" / person, photos / person)
    lines = opened(environment, photos)
    assert "15 photos, 15 faces, 3 people" in lines
    address = next(line for line in lines if re.fullmatch(r"http://127\.0\.0\.1:\d+", line))
    with pytest.raises(OSError):
        Panoptic(address).request("GET", "/projects", timeout=2)
    assert "15 photos, 15 faces, 3 people" in opened(environment, photos)
    shutil.copytree(shared / "data/faces/bbt_cast/stuart", photos / "stuart")
    assert "20 photos, 20 faces, 4 people" in opened(environment, photos)
    assert sorted(path.name for path in photos.iterdir()) == ["amy", "penny", "raj", "stuart"]


def test_weights_lists_and_checks_all(environment: dict[str, str], shared: Path, tmp_path: Path) -> None:
    done = subprocess.run(command("weights"), env=environment, capture_output=True, text=True)
    assert done.returncode == 0
    for row in WEIGHTS:
        assert row.name in done.stdout and row.sha256 in done.stdout and row.licence in done.stdout
    shutil.copy(shared / "weights/bad/sface_is_a_git_lfs_pointer.onnx", tmp_path / SFACE.name)
    wrong = subprocess.run(command("weights", "--folder", str(tmp_path)), env=environment, capture_output=True,
                           text=True)
    assert wrong.returncode == 1 and "is not the expected file" in wrong.stdout
    assert "Traceback" not in wrong.stdout + wrong.stderr


def test_a_mistake_is_one_sentence_in_the_users_language(environment: dict[str, str], tmp_path: Path) -> None:
    broken = {**environment, "PANOPTIC_FACES_WEIGHTS": str(tmp_path / "nowhere"), "LC_ALL": "fr_FR.UTF-8"}
    done = subprocess.run(command("weights"), env=broken, capture_output=True, text=True)
    assert done.returncode == 1 and "Le dossier des poids doit exister" in done.stdout


@pytest.mark.parametrize("arguments", [(), ("open",), ("weights",)])
def test_help_fits_a_screen_and_has_an_example(arguments: tuple[str, ...]) -> None:
    done = subprocess.run(command(*arguments, "--help"), capture_output=True, text=True)
    assert done.returncode == 0 and len(done.stdout.splitlines()) <= 24
    assert not arguments or "Example:" in done.stdout or "Exemple" in done.stdout


def test_the_wheel_ships_the_locales(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)], cwd=ROOT,
                   check=True, capture_output=True)
    import zipfile

    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        names = set(wheel.namelist())
    assert {"panoptic_faces/locales/fr.json", "panoptic_faces/locales/en.json"} <= names
    assert not [name for name in names if name.startswith(("tests", "benchmarks"))]
