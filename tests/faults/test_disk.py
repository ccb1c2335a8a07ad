"""A full disk and a folder that may not be written: told in one sentence, nothing lost, finished afterwards."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from panoptic_faces.core.errors import FacesError
from panoptic_faces.launch import PLUGIN, Panoptic

from .rig import ACTIONS, Rig, refusal
from .state import check

# Without the right that lets root write where nobody may.
AS_ANYBODY = ("setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-dac_override,-dac_read_search")


@pytest.fixture(scope="module")
def small_disk(rig: Rig) -> Iterator[Path]:
    """The project's folder as a disk of its own, of 48 MB."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("a disk of its own can only be mounted by root, on Linux")
    shutil.rmtree(rig.project, ignore_errors=True)
    rig.project.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", str(rig.project)],
                             capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"no disk can be mounted here: {mounted.stderr.strip()}")
    yield rig.project
    subprocess.run(["umount", "-l", str(rig.project)], check=True)


@pytest.fixture(scope="module")
def server(rig: Rig, small_disk: Path) -> Iterator[Panoptic]:
    with rig.start() as (server, _):
        yield server


def fill(disk: Path, left: int) -> Path:
    """A file that leaves so many KB of a disk free."""
    filler = disk / "filler"
    with filler.open("wb") as file:
        file.write(bytes(max(0, shutil.disk_usage(disk).free - left * 1024)))
    return filler


@pytest.mark.parametrize("action, left", [("detect_faces", 0), ("detect_faces", 400), ("detect_faces", 800),
                                          *((action, 0) for action in ACTIONS if action != "detect_faces"),
                                          ("forget_faces", 100)])
def test_full_disk(rig: Rig, server: Panoptic, small_disk: Path, action: str, left: int) -> None:
    rig.reset(server, action)
    filler = fill(small_disk, left)
    assert "plein" in refusal(server, action)
    filler.unlink()
    check(rig.project)
    rig.finish(action, server)


def test_a_setting_that_cannot_be_saved_is_not_taken(rig: Rig, server: Panoptic, small_disk: Path) -> None:
    rig.reset(server, "detect_faces")

    def change(side: int) -> int:
        known = server.post("/plugin_params", {"plugin": PLUGIN, "params": {"max_side": side}})
        params = next(row for row in known if row["name"] == PLUGIN)["base_params"]["params"]
        return next(int(row["default_value"]) for row in params if row["name"] == "max_side")

    filler = fill(small_disk, 0)
    with pytest.raises(FacesError, match="plein"):
        change(1024)
    filler.unlink()
    assert change(512) == 512


@pytest.mark.parametrize("action", ["detect_faces", "cluster_faces", "forget_faces"])
def test_project_that_may_not_be_written(rig: Rig, action: str) -> None:
    if sys.platform != "linux" or (os.geteuid() == 0 and not shutil.which("setpriv")):
        pytest.skip("root may write everywhere here")
    with rig.start(*(AS_ANYBODY if os.geteuid() == 0 else ())) as (server, _):
        rig.reset(server, action)
        places = [rig.project, *rig.project.rglob("*")]
        modes = {place: place.stat().st_mode for place in places}
        for place in places:
            place.chmod(0o555 if place.is_dir() else 0o444)
        try:
            assert "refusée" in refusal(server, action)
        finally:
            for place, mode in modes.items():
                if place.exists():
                    place.chmod(mode)
        check(rig.project)
        rig.finish(action, server)
