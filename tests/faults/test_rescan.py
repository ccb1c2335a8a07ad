"""A scan with another model that stops at whatever write is finished by the next, and removed faces stay removed."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from panoptic.core.databases.data.models import File, Folder, Instance, UpsertCommit
from panoptic.core.project.project import Project as HostProject
from PIL import Image

from panoptic_faces.host.crops import FaceProject
from panoptic_faces.host.database import Database
from panoptic_faces.services.scan import FoundFace, Photo, ScannedPhoto, cut_out

PICTURE = np.random.default_rng(0).integers(0, 255, (300, 300, 3), dtype=np.uint8)
PHOTO = Photo("f" * 40, "photo.jpg", b"")
BOXES = [(10, 10, 60, 60), (150, 20, 60, 60), (40, 180, 60, 60)]


class Stopped(Exception):
    pass


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with HostProject(tmp_path / "project") as host:
        # Ids that the host has not given out yet.
        folder = Folder(id=1000, source_id=host.local_fs_id, path=str(tmp_path), name="photos", parent=None)
        host.apply_upsert_commit("test", UpsertCommit(
            folders={1000: folder}, files={1000: File(id=1000, name="photo.jpg", folder_id=1000, sha1=PHOTO.sha1)},
            instances={1000: Instance(id=1000, file_id=1000, sha1=PHOTO.sha1)}))
        yield Database(host.make_plugin_interface("PanopticFaces"), "PanopticFaces")


def scan(database: Database, model: str, boxes: list[tuple[int, int, int, int]]) -> None:
    project = FaceProject(database)
    faces = tuple(FoundFace(box, np.zeros((5, 2), np.float32), 0.9, 100.0, np.full(4, len(model), np.float32),
                            cut_out(PICTURE, box, PHOTO)) for box in boxes)
    kind = project.vector_type({"model": model, "subject": "face"}, create=True)
    assert kind is not None
    placed = project.known_faces([PHOTO.sha1]).placed(ScannedPhoto(PHOTO, faces), model, project.rendered)
    project.add_faces([placed], kind)


def state(database: Database) -> dict[str, Any]:
    project = FaceProject(database)
    folder = project.crops_folder()
    assert folder is not None
    crops = sorted(file.name for file in database.public.get_files(folder_id=folder.id))
    return {"crops": crops, "boxes": sorted(face.box for face in project.faces().values()),
            "on disk": sorted(path.name for path in Path(folder.path).iterdir()),
            "counted": project._values("photo_faces"), "models": project._values("photo_models"),
            "waiting": project.unscanned([PHOTO.sha1], "second"),
            "vectors": {kind.params["model"]: len(database.with_vector(kind.id))
                        for kind in project.own_vectors(of_faces=True)}}


@pytest.mark.parametrize("step, which", [("_record", 1), ("add_renditions", 1), ("_add_images", 1), ("_record", 2)])
def test_a_second_scan_that_stops_is_finished_by_the_next(database: Database, monkeypatch: pytest.MonkeyPatch,
                                                          step: str, which: int) -> None:
    scan(database, "first", BOXES[:2])
    owner = FaceProject if step.startswith("_") else Database
    done, calls = getattr(owner, step), iter(range(1, 100))

    def stopping(*args: Any, **kwargs: Any) -> Any:
        if next(calls) == which:
            raise Stopped
        return done(*args, **kwargs)

    monkeypatch.setattr(owner, step, stopping)
    with pytest.raises(Stopped):
        scan(database, "second", BOXES)
    assert state(database)["waiting"] == [PHOTO.sha1]
    monkeypatch.undo()
    scan(database, "second", BOXES)
    found = state(database)
    names = [f"photo-{PHOTO.sha1[:12]}-{number}.jpg" for number in (1, 2, 3)]
    assert found == {"crops": names, "boxes": sorted(BOXES), "on disk": names, "counted": {PHOTO.sha1: 3},
                     "models": {PHOTO.sha1: "first | second"}, "waiting": [], "vectors": {"first": 2, "second": 3}}


def test_a_face_removed_before_or_between_scans_stays_removed(database: Database) -> None:
    scan(database, "first", BOXES)
    crops = {face.box: sha1 for sha1, face in FaceProject(database).faces().items()}
    gone = next(file for file in database.public.get_files() if file.sha1 == crops[BOXES[1]])
    database.remove_images({gone.id: gone.sha1})
    for _ in range(2):
        scan(database, "second", [(x + 3, y - 2, w, h) for x, y, w, h in BOXES])
        found = state(database)
        assert found["boxes"] == sorted([BOXES[0], BOXES[2]]) and found["counted"] == {PHOTO.sha1: 3}
        assert found["vectors"] == {"first": 2, "second": 2}
    folder = FaceProject(database).crops_folder()
    assert folder is not None
    left = Path(folder.path) / Path(gone.name).with_suffix(".removed")
    with pytest.raises(OSError):
        Image.open(io.BytesIO(left.read_bytes()))
