"""A real Panoptic for the tests: its own home, on a free port of this machine, ended with the session."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from subprocess import Popen
from typing import TypeAlias

import pytest

from panoptic_faces.launch import Panoptic, free_port, running

Starting: TypeAlias = AbstractContextManager[tuple[Panoptic, Popen[bytes] | None]]


@pytest.fixture(scope="session")
def start_panoptic(shared: Path, tmp_path_factory: pytest.TempPathFactory
                   ) -> Callable[[], Starting]:
    """Start a server of the tests' own; a second start finds the projects of the first."""
    home = tmp_path_factory.mktemp("home")
    environment = {"HOME": str(home), "USERPROFILE": str(home), "XDG_CACHE_HOME": str(home / "cache"),
                   "PANOPTIC_DB": str(home / "panoptic.db"), "PANOPTIC_FACES_WEIGHTS": str(shared / "weights"),
                   "PANOPTIC_FACES_OFFLINE": "1"}
    return lambda: running(free_port(), environment, home / "server.log")


@pytest.fixture(scope="session")
def panoptic(start_panoptic: Callable[[], Starting]) -> Iterator[Panoptic]:
    with start_panoptic() as (server, _):
        server.register_plugin()
        yield server


@pytest.fixture
def open_project(panoptic: Panoptic, tmp_path: Path) -> Callable[..., Panoptic]:
    """Make a project on copies of some photos or folders of photos and wait until they are in."""
    def make(*sources: Path) -> Panoptic:
        photos = tmp_path / "photos"
        photos.mkdir(exist_ok=True)
        for source in sources:
            if source.is_dir():
                shutil.copytree(source, photos / source.name, dirs_exist_ok=True)
            else:
                shutil.copy(source, photos)
        panoptic.open_project(tmp_path / "project", tmp_path.name)
        panoptic.import_folder(photos)
        return panoptic
    return make
