"""The real command on 40 real photos: each costly step is done once and looked at by many tests."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from panoptic_faces.launch import free_port

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory, shared: Path) -> dict[str, str]:
    home = str(tmp_path_factory.mktemp("home"))
    return {**os.environ, "HOME": home, "USERPROFILE": home, "XDG_CACHE_HOME": home + "/cache",
            "XDG_DATA_HOME": home + "/data", "XDG_STATE_HOME": home + "/state", "PANOPTIC_DB": home + "/panoptic.db",
            "PANOPTIC_REMOTE": "1", "PANOPTIC_PORT": str(free_port()), "PANOPTIC_FACES_OFFLINE": "1",
            "LC_ALL": "en_US.UTF-8", "COLUMNS": "80", "MPLCONFIGDIR": home + "/matplotlib",
            "PANOPTIC_FACES_WEIGHTS": str(shared / "weights")}


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory, shared: Path) -> Path:
    """A folder with ``photos``: five of each of eight people, in a folder a person."""
    folder = tmp_path_factory.mktemp("place")
    shutil.copytree(shared / "data/faces/bbt_cast", folder / "photos")
    return folder


@pytest.fixture(scope="session")
def run(environment: dict[str, str], place: Path) -> Run:
    def run(*arguments: object, code: int = 0, cwd: Path = place, **changed: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run([sys.executable, "-m", "panoptic_faces", *map(str, arguments)], cwd=cwd, text=True,
                              env={**environment, **changed}, capture_output=True, encoding="utf-8")
        assert done.returncode == code, (arguments, done.returncode, done.stdout, done.stderr)
        assert "Traceback" not in done.stderr
        return done
    return run


@pytest.fixture(scope="session")
def faces(run: Run, place: Path) -> Path:
    """The file that ``encode`` makes of the photos."""
    run("encode", "photos", "--out", "faces.npz")
    return place / "faces.npz"


@pytest.fixture(scope="session")
def people(run: Run, place: Path, faces: Path) -> Path:
    """The first run of ``cluster`` on them."""
    run("cluster", faces, "--out", "people")
    return place / "people" / "run-001"


@pytest.fixture(scope="session")
def project(environment: dict[str, str], place: Path) -> Path:
    """The Panoptic project that ``open`` makes of the photos; it is ended as Ctrl+C ends it."""
    process = subprocess.Popen([sys.executable, "-m", "panoptic_faces", "open", "photos", "--project", "project"],
                               env=environment, cwd=place, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout
    lines = []
    for line in process.stdout:
        lines.append(line.strip())
        if "Ctrl+C" in line:
            break
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0 and "40 photos, 40 faces, 8 people" in lines, (lines, errors)
    return place / "project"
