"""The real Panoptic of the tests of the host; and one that may speak to nobody but this machine."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from panoptic_faces.launch import Panoptic, free_port, running

from ..host.conftest import panoptic, start_panoptic
from .rig import Rig, some_photos

__all__ = ["panoptic", "start_panoptic"]


@dataclass
class Guarded:
    """A server whose attempts to reach beyond this machine are refused and recorded."""

    server: Panoptic
    process: int
    home: Path

    def refused(self) -> list[str]:
        record = self.home / "refused.txt"
        return record.read_text(encoding="utf-8").splitlines() if record.exists() else []

    def log(self) -> str:
        """Everything that the server wrote to its standard output and errors."""
        return (self.home / "server.log").read_text(encoding="utf-8", errors="replace")

    def memory(self) -> float:
        """Its resident memory, in MB."""
        words = Path(f"/proc/{self.process}/statm").read_text().split()
        return int(words[1]) * 4096 / 1e6

    def open(self, folder: Path, *sources: Path) -> Panoptic:
        """Make a project in a folder, on copies of photos or folders of photos, and wait until they are in."""
        photos = folder / "photos"
        photos.mkdir(parents=True, exist_ok=True)
        for source in sources:
            if source.is_dir():
                shutil.copytree(source, photos / source.name, dirs_exist_ok=True)
            else:
                shutil.copy(source, photos)
        self.server.open_project(folder / "project", folder.name)
        self.server.import_folder(photos)
        return self.server


@pytest.fixture(scope="session")
def guarded(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    home = tmp_path_factory.mktemp("guarded")
    environment = {"HOME": str(home), "USERPROFILE": str(home), "XDG_CACHE_HOME": str(home / "cache"),
                   "PANOPTIC_DB": str(home / "panoptic.db"), "PANOPTIC_FACES_WEIGHTS": str(shared / "weights"),
                   "PANOPTIC_FACES_OFFLINE": "0",
                   "PANOPTIC_GUARD": str(home / "refused.txt"), "MPLCONFIGDIR": str(home / "matplotlib")}
    program = (sys.executable, str(Path(__file__).with_name("guarded.py")))
    with running(free_port(), environment, home / "server.log", program) as (server, process):
        assert process is not None
        server.register_plugin()
        yield Guarded(server, process.pid, home)


@pytest.fixture
def open_project(guarded: Guarded, tmp_path: Path) -> Callable[..., Panoptic]:
    return lambda *sources: guarded.open(tmp_path, *sources)


@pytest.fixture(scope="session")
def rig(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Rig:
    """A project before and after every action, undisturbed."""
    home = tmp_path_factory.mktemp("faults")
    made = Rig(home, some_photos(shared / "data/faces/lfw_a", home / "photos", 25), shared / "weights")
    made.build()
    return made
