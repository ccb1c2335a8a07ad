"""Face crops as images of the project: put in, found again, and erased."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from panoptic.core.databases.data.models import File, Folder, Instance, UpsertCommit
from panoptic.core.databases.media.models import Vector
from panoptic.core.file_source.processing import process_bytes

from ..core.errors import FacesError
from ..i18n import text
from ..services.rescan import Box, as_provenance, match_faces, provenance_of
from ..services.scan import FoundFace, Photo, ScannedPhoto
from .database import exclusive
from .project import CROPS_FOLDER, MODELS_SEPARATOR, ROLES, Project

# The end of a crop's file name: the beginning of its photo's SHA-1, and its number among the photo's faces.
NUMBERED = re.compile(r"-([0-9a-f]{12})-(\d+)\.jpg$")
# What stays on disk of a crop that somebody removed: where the face was, and not the face.
REMOVED = ".removed"


@dataclass(frozen=True)
class Renditions:
    """A crop as the host keeps it: the SHA-1 of its file, its size and its stored sizes."""

    sha1: str
    width: int
    height: int
    format: str
    images: list[tuple[int, bytes]]


@dataclass(frozen=True, eq=False)
class PhotoFaces:
    """What a scan of a photo adds to the project.

    new: faces that were not there, and how the host keeps their crops. again: the vectors of crops that are there.
    before: the number of faces found on the photo by earlier scans. models: what has read it by now. too_small: how
    many faces were left out.
    """

    photo: Photo
    new: Sequence[FoundFace]
    renditions: Sequence[Renditions]
    again: Mapping[str, NDArray[np.float32]]
    before: int
    models: str
    too_small: int = 0


class KnownFaces:
    """The faces of each photo that a project has, or had until somebody removed them.

    faces: photo → number, SHA-1 and box of its crops. counted, models: photo → the number of faces found on it, and
    what read it. removed: photo → the boxes of faces that somebody removed.
    """

    def __init__(self, faces: Mapping[str, Sequence[tuple[int, str, Box]]], counted: Mapping[str, Any],
                 models: Mapping[str, str], removed: Mapping[str, Sequence[Box]]) -> None:
        self._faces, self._counted, self._models, self._removed = faces, counted, models, removed

    def placed(self, scanned: ScannedPhoto, model: str, rendered: Callable[[bytes], Renditions]) -> PhotoFaces:
        """What is to be written of a scanned photo. model: what read it. rendered: see ``FaceProject``."""
        photo = scanned.photo
        there = self._faces.get(photo.sha1, ())
        boxes = [*(box for _, _, box in there), *self._removed.get(photo.sha1, ())]
        again: dict[str, NDArray[np.float32]] = {}
        new = []
        for face, place in zip(scanned.faces, match_faces([face.box for face in scanned.faces], boxes), strict=True):
            if place is None:
                new.append(face)
            elif place < len(there):
                again[there[place][1]] = face.vector
        # A scan that was killed may have added crops which it did not come to count.
        before = max([int(self._counted.get(photo.sha1, 0)), *(number for number, _, _ in there)])
        models = self._models.get(photo.sha1, "").split(MODELS_SEPARATOR)
        read_by = MODELS_SEPARATOR.join(dict.fromkeys([*filter(None, models), model]))
        return PhotoFaces(photo, new, [rendered(face.crop) for face in new], again, before, read_by, scanned.too_small)


class FaceProject(Project):
    """A project and its face crops."""

    def rendered(self, crop: bytes) -> Renditions:
        """The sizes of a crop that the host wants; may be called from any thread."""
        done = process_bytes(crop, self._kinds)
        return Renditions(done["sha1"], done["width"], done["height"], done["format"], done["images"])

    @property
    def erasures(self) -> int:
        """How often faces were erased; see ``add_faces``."""
        return self._database.guard.erasures

    def check_not_erased(self, since: int) -> None:
        """Raise FacesError ``faces_forgotten`` where faces were erased since ``erasures`` was ``since``."""
        if self.erasures != since:
            raise FacesError("faces_forgotten")

    def known_faces(self, photos: Collection[str]) -> KnownFaces:
        """What a scan of photos has to know of the faces that are there."""
        folder, records = self.crops_folder(), self.faces(self._with_value("face_photo_sha1", photos))
        files = self._database.files_in(folder.id) if folder else {}
        faces: dict[str, list[tuple[int, str, Box]]] = {}
        for name, (_, sha1) in files.items():
            record = records.get(sha1)
            if record and (numbered := NUMBERED.search(name)):
                faces.setdefault(record.photo_sha1, []).append((int(numbered[2]), sha1, record.box))
        counted = self._values("photo_faces", photos)
        if folder:
            _note_removed(Path(folder.path), files, counted)
        return KnownFaces(faces, counted, self._values("photo_models", photos),
                          _removed(Path(folder.path)) if folder else {})

    @exclusive
    def remove_returned(self) -> None:
        """Remove faces again that somebody had removed, and that a new import of the folder of crops brought back."""
        folder, crops = self.crops_folder(), self.crops()
        files = self._database.files_in(folder.id) if folder and crops else {}
        back = {name: file for name, file in files.items() if file[1] not in crops and NUMBERED.search(name)}
        if folder and back:
            noted = _note_removed(Path(folder.path), files.keys() - back.keys(), self._values("photo_faces"))
            self._database.remove_images(dict(back[name] for name in noted if name in back))

    @exclusive
    def add_faces(self, batch: Sequence[PhotoFaces], type_id: int, since: int | None = None) -> None:
        """Make the new faces of scanned photos images of the project, and store the vectors of all; of photos and
        crops that left it meanwhile, none.

        Whatever moment the machine stops at, no crop or rendition is there without its provenance, and a photo is
        marked as scanned only once all its faces are there: a new scan completes it, writing the same again.
        since: the ``erasures`` when the scan was asked for; raises FacesError ``faces_forgotten``.
        """
        if since is not None:
            self.check_not_erased(since)
        living = self._database.living([sha1 for scanned in batch for sha1 in (scanned.photo.sha1, *scanned.again)])
        batch = [scanned for scanned in batch if scanned.photo.sha1 in living]
        faces = [(scanned.photo, number, face, rendition) for scanned in batch for number, (face, rendition) in
                 enumerate(zip(scanned.new, scanned.renditions, strict=True), scanned.before + 1)]
        vectors = {sha1: vector for scanned in batch for sha1, vector in scanned.again.items() if sha1 in living}
        if faces:
            folder = self._crops_folder()
            names = [crop_name(photo, number) for photo, number, _, _ in faces]
            for name, (_, _, face, _) in zip(names, faces, strict=True):
                _write_whole(Path(folder.path) / name, face.crop)
            self._record(_provenance(faces))
            self._database.add_renditions((kind, rendition.sha1, data) for *_, rendition in faces
                                          for kind, data in rendition.images)
            self._add_images(folder, names, [rendition for *_, rendition in faces])
            vectors |= {rendition.sha1: face.vector for _, _, face, rendition in faces}
        if lost := list(self._lost_renditions(vectors)):
            self._database.add_renditions(lost)
        if vectors:
            self._host.upsert_vectors([Vector(type_id, sha1, vector) for sha1, vector in vectors.items()])
        self._record({"photo_faces": {scanned.photo.sha1: scanned.before + len(scanned.new) for scanned in batch},
                      "photo_models": {scanned.photo.sha1: scanned.models for scanned in batch}})

    def _lost_renditions(self, crops: Iterable[str]) -> Iterator[tuple[int, str, bytes]]:
        """The sizes that crops have lost to an erasure that was stopped in the middle."""
        lost = self._database.without_rendition(crops)
        for sha1, (_, path) in self.photos(lost).items() if lost else ():
            if path is not None and path.exists():
                for kind, data in self.rendered(path.read_bytes()).images:
                    yield kind, sha1, data

    def _record(self, values: Mapping[str, dict[str, Any]]) -> None:
        properties = self._properties()
        self._database.record({properties[role]: by_sha1 for role, by_sha1 in values.items()})

    def _crops_folder(self) -> Folder:
        path = self._host.base_path.resolve() / CROPS_FOLDER
        path.mkdir(parents=True, exist_ok=True)
        found = self.crops_folder()
        if found is not None:
            return found
        local = next(source for source in self._host.get_file_sources() if source.dtype == "local")
        folder_id = self._database.allocate("folders", 1)[0]
        folder = Folder(id=folder_id, source_id=local.id, path=str(path), parent=None,
                        name=text("folder.faces", self.language()))
        self._host.apply_upsert_commit(UpsertCommit(folders={folder_id: folder}))
        return folder

    def _add_images(self, folder: Folder, names: Sequence[str], renditions: Sequence[Renditions]) -> None:
        there = {file.name for file in self._host.get_files(folder_id=folder.id, name=list(names))}
        new = [(name, rendition) for name, rendition in zip(names, renditions, strict=True) if name not in there]
        files = self._database.allocate("files", len(new))
        instances = self._database.allocate("instances", len(new))
        commit = UpsertCommit()
        for (name, rendition), file_id, instance_id in zip(new, files, instances, strict=True):
            commit.files[file_id] = File(id=file_id, name=name, folder_id=folder.id, sha1=rendition.sha1,
                                         width=rendition.width, height=rendition.height, format=rendition.format)
            commit.instances[instance_id] = Instance(id=instance_id, file_id=file_id, sha1=rendition.sha1)
        self._host.apply_upsert_commit(commit)

    # ---- faces out

    @exclusive
    def forget_faces(self) -> dict[str, int]:
        """Erase every crop, vector and face property, on disk too; how many of each.

        Stopped at whatever moment, it is finished by a second run, or undone by a new scan.
        """
        self._database.guard.erasures += 1
        crops = self.crops()
        faces = len(crops)
        properties = self.known_properties()
        # First the marks of the scanned photos, so that a scan would look at them again.
        self._database.erase_values([known for role, known in properties.items() if role.startswith("photo_")])
        for known in self._host.get_maps(source=self._database.plugin):
            # A map is a list of images, each followed by its two coordinates.
            if not crops.isdisjoint(known.data[::3]):
                self._host.delete_map(known.id)
        vectors = 0
        for kind in self._host.get_vector_types(source=self._database.plugin):
            if kind.params.get("subject") == "face":
                vectors += len(self._database.with_vector(kind.id))
                self._database.erase_vectors(kind.id)
        if folder := self.crops_folder():
            images = dict(self._database.files_in(folder.id).values())
            self._database.remove_images(images)
            self._database.remove_folder(folder.id)
            crops -= set(images.values())
        # Of a scan or an erasure that was stopped, there may be media without an image.
        self._database.erase_media(sorted(crops))
        self._database.erase_values(list(self.known_properties().values()))
        self._database.remember("properties", {})
        files = self._erase_files()
        self._database.compact_files()
        return {"faces": faces, "vectors": vectors, "properties": len(properties), "files": files}

    def _erase_files(self) -> int:
        """Crops, and the sheets of thumbnails of all images, which the host draws anew for its maps."""
        crops = self._host.base_path / CROPS_FOLDER
        files = len(list(crops.glob("*.jpg")))
        if crops.exists():
            shutil.rmtree(crops)
        self._database.erase_sheets()
        return files


def crop_name(photo: Photo, number: int) -> str:
    """The file name of a photo's crop: readable, safe on every system, and never that of another photo."""
    stem = os.path.splitext(photo.name.rsplit("/", 1)[-1])[0]
    safe = re.sub(r"[^\w .()-]", "_", stem).strip(" .")[:60]
    return f"{safe or 'photo'}-{photo.sha1[:12]}-{number}.jpg"


def _note_removed(folder: Path, living: Collection[str], counted: Mapping[str, Any]) -> set[str]:
    """Put a note of its photo and box in place of each crop that is no image of the project any more; their names.

    Panoptic forgets an image that is removed, but leaves its file. living: the names of the files that are images.
    counted: photo → the number of faces found on it; a file with a higher number is of a scan that was killed.
    """
    removed = set()
    for name in set(os.listdir(folder)).difference(living):
        path, numbered = folder / name, NUMBERED.search(name)
        told = provenance_of(path) if numbered else None
        if numbered and told and int(numbered[2]) <= int(counted.get(told[0], 0)):
            note = json.dumps({"sha1": told[0], "box": told[1]})
            _write_whole(path.with_suffix(REMOVED), note.encode())
            path.unlink()
            removed.add(name)
    return removed


def _removed(folder: Path) -> dict[str, list[Box]]:
    """Photo → the boxes of the faces that somebody removed."""
    found: dict[str, list[Box]] = {}
    for path in sorted(folder.glob("*" + REMOVED)):
        told = as_provenance(path.read_text(encoding="utf-8", errors="replace"))
        if told:
            found.setdefault(told[0], []).append(told[1])
    return found


def _provenance(faces: Iterable[tuple[Photo, int, FoundFace, Renditions]]) -> dict[str, dict[str, Any]]:
    values: dict[str, dict[str, Any]] = {role: {} for role in ROLES if role.startswith("face_")}
    for photo, _, face, rendition in faces:
        values["face_photo"][rendition.sha1] = photo.name
        values["face_photo_sha1"][rendition.sha1] = photo.sha1
        values["face_box"][rendition.sha1] = " ".join(str(side) for side in face.box)
        values["face_size"][rendition.sha1] = face.size
        values["face_confidence"][rendition.sha1] = round(face.confidence, 3)
        values["face_sharpness"][rendition.sha1] = round(face.sharpness, 1)
    return values


def _write_whole(path: Path, data: bytes) -> None:
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        file.write(data)
        # The database is on the disk when it says so; a power cut must not leave it with an empty crop.
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)
