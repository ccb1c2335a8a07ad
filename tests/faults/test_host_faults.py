"""What happens around Panoptic while it works: each is told in one sentence, loses nothing, and can be finished."""

from __future__ import annotations

import shutil
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from panoptic_faces.core.errors import FacesError
from panoptic_faces.launch import PLUGIN, Panoptic

from .rig import ACTIONS, Rig, hold, refusal
from .state import check, contents


@pytest.fixture(scope="module")
def one_server(rig: Rig) -> Iterator[Panoptic]:
    with rig.start() as (server, _):
        yield server


@pytest.fixture
def server(rig: Rig, one_server: Panoptic) -> Iterator[Panoptic]:
    yield one_server
    rig.no_more_orders()


def in_mid_scan(rig: Rig, server: Panoptic) -> None:
    """Start a scan, and return when some photos have been read and most have not."""
    rig.reset(server, "detect_faces")
    rig.order(0, folder=rig.photos)
    server.act("detect_faces")
    while rig.counted() < 20:
        assert not server.tasks()[-1]["finished"]
        time.sleep(0.01)
    rig.no_more_orders()


def last_photos(rig: Rig, count: int) -> list[Path]:
    """The photos that a scan comes to last."""
    with closing(sqlite3.connect(rig.project / "data.db")) as data:
        rows = data.execute("""SELECT path, files.name FROM files JOIN folders ON folders.id = folder_id
                               JOIN instances ON file_id = files.id WHERE folders.name != 'Visages'
                               ORDER BY instances.id DESC""").fetchall()
    return [Path(folder) / name for folder, name in rows[:count]]


def test_photos_deleted_and_replaced_during_the_scan(rig: Rig, server: Panoptic) -> None:
    in_mid_scan(rig, server)
    deleted, replaced = last_photos(rig, 2)
    kept = {path: path.read_bytes() for path in (deleted, replaced)}
    try:
        deleted.unlink()
        shutil.copy(next(path for path in sorted(rig.photos.rglob("*.jpg")) if path not in kept), replaced)
        scan = server.wait()[-1]
        assert scan["failed"] == 2 and scan["done"] == scan["total"] - 2
        log = next(rig.project.rglob("scan.log")).read_text()
        assert "a changé depuis son import" in log and "n’existe" in log
        check(rig.project)
    finally:
        for path, content in kept.items():
            path.write_bytes(content)
    rig.finish("detect_faces", server)


def test_a_folder_of_photos_that_disappears(rig: Rig, server: Panoptic) -> None:
    in_mid_scan(rig, server)
    away = rig.photos.with_name("away")
    rig.photos.rename(away)
    try:
        scan = server.wait()[-1]
        assert scan["cancelled"] and "inaccessible" in scan["name"]
        assert 0 < scan["done"] == scan["total"] - scan["failed"]
    finally:
        away.rename(rig.photos)
    rig.finish("detect_faces", server)


def test_a_network_drive_that_stops(rig: Rig, server: Panoptic) -> None:
    rig.reset(server, "detect_faces")
    rig.order(40, "ETIMEDOUT", rig.photos)
    server.act("detect_faces")
    scan = server.wait()[-1]
    assert scan["cancelled"] and "inaccessible" in scan["name"]
    check(rig.project)
    rig.no_more_orders()
    rig.finish("detect_faces", server)


@pytest.mark.parametrize("action", ["detect_faces", "cluster_faces", "forget_faces"])
def test_the_project_s_drive_stops(rig: Rig, server: Panoptic, action: str) -> None:
    """Steps of Python only: SQLite's own reading and writing is not met here, but by a full disk."""
    rig.reset(server, action)
    rig.order(max(2, rig.steps[action] // 2), "EIO")
    assert "inaccessible" in refusal(server, action)
    rig.no_more_orders()
    check(rig.project)
    rig.finish(action, server)


@pytest.mark.parametrize("action", ACTIONS)
def test_the_same_action_in_several_tabs(rig: Rig, server: Panoptic, action: str) -> None:
    rig.reset(server, action)
    together = threading.Barrier(3)
    told: list[str] = []

    def tab() -> None:
        together.wait()
        try:
            server.act(action, **ACTIONS[action])
        except FacesError as error:
            told.append(str(error))

    tabs = [threading.Thread(target=tab) for _ in range(3)]
    for one in tabs:
        one.start()
    for one in tabs:
        one.join()
    assert all("À confirmer" in words for words in told)
    assert all(task["failed"] == 0 and not task["cancelled"] for task in server.wait())
    rig.compare(action)


def test_faces_erased_during_the_scan_stay_erased(rig: Rig, server: Panoptic) -> None:
    in_mid_scan(rig, server)
    server.act("forget_faces", confirm="OUBLIER")
    scan = server.wait()[-1]
    assert scan["cancelled"] and "effacés" in scan["name"]
    check(rig.project)
    found = contents(rig.project)
    assert [found[part] for part in ("values", "tags", "crops", "vectors", "traces", "files")] == [[]] * 6
    rig.finish("detect_faces", server)


def test_a_scan_that_is_stopped_keeps_what_is_done(rig: Rig, server: Panoptic) -> None:
    in_mid_scan(rig, server)
    server.post("/task/stop", {"id": server.tasks()[-1]["id"]})
    stopped = server.wait()[-1]
    assert stopped["cancelled"] and 0 < stopped["done"] < stopped["total"]
    rig.finish("detect_faces", server)
    assert server.tasks()[-1]["total"] == stopped["total"] - stopped["done"]


def test_the_plugin_is_stopped_and_started_in_mid_scan(rig: Rig, server: Panoptic) -> None:
    in_mid_scan(rig, server)
    server.post("/plugin/stop", {"name": PLUGIN})
    server.post("/plugin/start", {"name": PLUGIN})
    while not any(action.startswith(PLUGIN) for action in server.get("/actions")):
        time.sleep(0.05)
    rig.finish("detect_faces", server)


def test_the_project_is_closed_in_mid_scan(rig: Rig, server: Panoptic) -> None:
    in_mid_scan(rig, server)
    server.request("POST", "/close", {"id": server.project})
    rig.open(server)
    rig.finish("detect_faces", server)


def test_panoptic_is_closed_in_mid_scan(rig: Rig) -> None:
    with rig.start() as (server, process):
        in_mid_scan(rig, server)
        process.terminate()
        process.wait(60)
    check(rig.project)
    rig.finish("detect_faces")


@pytest.mark.parametrize("action", ["detect_faces", "cluster_faces"])
def test_databases_that_another_process_holds(rig: Rig, server: Panoptic, action: str) -> None:
    """Longer than the five seconds that SQLite waits by itself; the soak holds them for thirty."""
    rig.reset(server, action)
    hold(rig, 7, lambda: rig.act(server, action))
    rig.compare(action)
