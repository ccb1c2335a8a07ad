"""The project's images, vectors, properties and tags, as plain data; every use of the host's private API."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from panoptic.core.databases.data.models import (
    File,
    Folder,
    Instance,
    Property,
    Sha1Value,
    Tag,
    UpsertCommit,
)
from panoptic.core.databases.entity_schema import OP_CREATE
from panoptic.core.databases.media.models import Image, Vector, VectorType
from panoptic.core.databases.project.models import UserDefaults
from panoptic.core.file_source.processing import process_bytes
from panoptic.core.plugin.plugin_interface import PluginProjectInterface

from ..core.errors import FacesError
from ..i18n import DEFAULT_LANGUAGE, languages, text
from ..services.scan import FoundFace, Photo, ScannedPhoto
from ..services.tags import ExistingTag, carried_at, place_tags, retagged, shared_tag

CROPS_FOLDER = "faces"
TAG_DTYPES = ("tag", "multi_tags")
TAG_COLOURS = 12

# What the plugin records about images, by role: the dtype of the property that holds it.
ROLES = {
    "face_photo": "text",
    "face_photo_sha1": "text",
    "face_box": "text",
    "face_size": "number",
    "face_confidence": "number",
    "face_sharpness": "number",
    "photo_faces": "number",
}


@dataclass(frozen=True)
class Renditions:
    """A crop as the host keeps it: the SHA-1 of its file, its size and its stored sizes."""

    sha1: str
    width: int
    height: int
    format: str
    images: list[tuple[int, bytes]]


@dataclass(frozen=True)
class FaceRecord:
    """What the project knows of a face crop."""

    photo_sha1: str
    size: float
    confidence: float
    sharpness: float


class Project:
    """One Panoptic project, seen by the plugin."""

    def __init__(self, interface: PluginProjectInterface, plugin_name: str) -> None:
        self._host = interface
        self._plugin = plugin_name

    # ---- the page

    def language(self) -> str:
        """The interface's language, among those in ``locales/``."""
        with self._host._project_db() as db:
            row = db.get_user_defaults("default", "uiState")
        chosen = (row.data or {}).get("lang", DEFAULT_LANGUAGE) if row else DEFAULT_LANGUAGE
        return chosen if chosen in languages() else "en"

    # ---- images

    def sha1s(self, instance_ids: Sequence[int] | None) -> list[str]:
        """Distinct images of a selection, in its order; of the whole project where the selection is empty."""
        instances = self._host.get_instances(**({"id": list(instance_ids)} if instance_ids else {}))
        if instance_ids:
            place = {instance_id: rank for rank, instance_id in enumerate(instance_ids)}
            instances.sort(key=lambda instance: place[instance.id])
        return list(dict.fromkeys(instance.sha1 for instance in instances if instance.sha1))

    def photos(self, sha1s: Iterable[str]) -> dict[str, tuple[str, Path | None]]:
        """File name and local path, None where the original is not a local file, of each image."""
        sources = {source.id: source.dtype for source in self._host.get_file_sources()}
        folders = {folder.id: folder for folder in self._host.get_folders()}
        wanted = set(sha1s)
        found: dict[str, tuple[str, Path | None]] = {}
        for file in sorted(self._host.get_files(), key=lambda file: file.id):
            if file.sha1 not in wanted or (file.sha1 in found and found[file.sha1][1] is not None):
                continue
            folder = folders.get(file.folder_id)
            local = folder if folder is not None and sources.get(folder.source_id) == "local" else None
            found[file.sha1] = (file.name, Path(local.path) / file.name if local else None)
        return found

    def largest_rendition(self, sha1: str) -> bytes:
        """The largest size of an image that the project has stored; empty where there is none."""
        with self._host._media_db() as media:
            kinds = sorted(media.get_image_types(), key=lambda kind: -(kind.width or 10**6))
            for kind in kinds:
                images = media.get_images(type_id=kind.id, sha1=sha1)
                if images:
                    return bytes(images[0].data)
        return b""

    def photo(self, sha1: str, name: str, path: Path | None) -> Photo:
        return Photo(sha1, name, path or self.largest_rendition(sha1))

    # ---- what the plugin recorded

    def scanned(self) -> set[str]:
        """Photos whose faces were counted."""
        return set(self._values("photo_faces"))

    def unscanned(self, sha1s: Iterable[str]) -> list[str]:
        """Those of the images that are photos whose faces were not counted yet."""
        done = self.scanned() | set(self._values("face_photo_sha1"))
        return [sha1 for sha1 in sha1s if sha1 not in done]

    def faces(self) -> dict[str, FaceRecord]:
        """Every face crop of the project."""
        photo, size, confidence, sharpness = (
            self._values(role) for role in ("face_photo_sha1", "face_size", "face_confidence", "face_sharpness"))
        return {sha1: FaceRecord(photo[sha1], float(size.get(sha1, 0)), float(confidence.get(sha1, 0)),
                                 float(sharpness.get(sha1, 0))) for sha1 in photo}

    def _values(self, role: str) -> dict[str, Any]:
        known = self._known_properties().get(role)
        if known is None:
            return {}
        return {row.sha1: row.value for row in self._host.get_sha1_values(property_id=known)
                if row.value is not None}

    # ---- properties

    def _known_properties(self) -> dict[str, int]:
        """The plugin's own properties by role: their ids survive renaming and a change of language."""
        with self._host._project_db() as db:
            row = db.get_user_defaults(f"plugin.{self._plugin}", "properties")
        alive = {prop.id for prop in self._host.get_properties()}
        return {role: known for role, known in ((row.data or {}) if row else {}).items() if known in alive}

    def _properties(self) -> dict[str, int]:
        """The plugin's own properties by role; those that do not exist are made."""
        known = self._known_properties()
        missing = [role for role in ROLES if role not in known]
        if not missing:
            return known
        language = self.language()
        existing = {(prop.name, prop.dtype): prop for prop in self._host.get_properties()
                    if prop.access == "read" and not prop.system_key}
        group = self._property_group()
        for role in missing:
            names = [text(f"property.{role}", code) for code in (language, *languages())]
            prop = next((existing[name, ROLES[role]] for name in names if (name, ROLES[role]) in existing), None)
            prop = prop or self._host.add_property(names[0], ROLES[role], "sha1", readonly=True,
                                                   property_group_id=group)
            known[role] = prop.id
        with self._host._project_db() as db:
            db.set_user_defaults(UserDefaults(user_id=f"plugin.{self._plugin}", key="properties", data=known))
        return known

    def _property_group(self) -> int:
        names = [text("property.group", code) for code in (self.language(), *languages())]
        group = next((group for group in self._host.get_property_groups() if group.name in names), None)
        return int((group or self._host.add_property_group(names[0])).id)

    # ---- vectors

    def vector_type(self, params: dict[str, Any], *, create: bool) -> int | None:
        """The id of the plugin's vector type with these parameters."""
        found = next((known for known in self._host.get_vector_types(source=self._plugin)
                      if known.params == params), None)
        if found is None and create:
            found = self._host.upsert_vector_type(VectorType(id=-1, source=self._plugin, params=params))
        return None if found is None else int(found.id)

    def vectors(self, type_id: int, sha1s: Sequence[str]) -> tuple[list[str], NDArray[np.float32]]:
        """Those of the images that have a vector, in the order given, and their (n, d) vectors."""
        data = {row.sha1: row.data for row in self._host.get_vectors(type_id, list(sha1s))}
        found = [sha1 for sha1 in sha1s if sha1 in data]
        return found, np.asarray([data[sha1] for sha1 in found], dtype=np.float32)

    # ---- faces in

    def rendered(self, crop: bytes) -> Renditions:
        """The sizes of a crop that the host wants; may be called from any thread."""
        done = process_bytes(crop, self._rendition_kinds())
        return Renditions(done["sha1"], done["width"], done["height"], done["format"], done["images"])

    def _rendition_kinds(self) -> list[tuple[int, str, int | None, int | None]]:
        if not hasattr(self, "_kinds"):
            with self._host._media_db() as media:
                self._kinds = [(kind.id, kind.format, kind.width, kind.height)
                               for kind in media.get_image_types() if kind.auto_gen]
        return self._kinds

    def add_faces(self, batch: Sequence[tuple[ScannedPhoto, Sequence[Renditions]]], type_id: int) -> None:
        """Make the faces of scanned photos images of the project.

        Whatever moment the machine stops at, no crop is seen without its provenance, and a photo is marked
        as scanned only once all its faces are there: a new scan completes it, writing the same again.
        """
        properties = self._properties()
        faces = [(scanned.photo, number, face, rendition) for scanned, renditions in batch
                 for number, (face, rendition) in enumerate(zip(scanned.faces, renditions, strict=True), 1)]
        folder = self._crops_folder() if faces else None
        if folder is not None:
            names = [crop_name(photo, number) for photo, number, _, _ in faces]
            for name, (_, _, face, _) in zip(names, faces, strict=True):
                _write_whole(Path(folder.path) / name, face.crop)
            with self._host._media_db() as media:
                media.upsert_images([Image(kind, rendition.sha1, data) for *_, rendition in faces
                                     for kind, data in rendition.images])
            self._write_values(_provenance(faces), properties)
            self._add_images(folder, names, [rendition for *_, rendition in faces])
            self._host.upsert_vectors([Vector(type_id, rendition.sha1, face.vector)
                                       for _, _, face, rendition in faces])
        self._write_values({"photo_faces": {scanned.photo.sha1: len(scanned.faces) for scanned, _ in batch
                                            if scanned.error is None}}, properties)

    def _crops_folder(self) -> Folder:
        path = str(self._host.base_path.resolve() / CROPS_FOLDER)
        Path(path).mkdir(parents=True, exist_ok=True)
        found = next((folder for folder in self._host.get_folders() if folder.path == path), None)
        if found is not None:
            return found
        local = next(source for source in self._host.get_file_sources() if source.dtype == "local")
        folder_id = self._allocate("folders", 1)[0]
        folder = Folder(id=folder_id, source_id=local.id, path=path, parent=None,
                        name=text("folder.faces", self.language()))
        self._host.apply_upsert_commit(UpsertCommit(folders={folder_id: folder}))
        return folder

    def _add_images(self, folder: Folder, names: Sequence[str], renditions: Sequence[Renditions]) -> None:
        there = {file.name for file in self._host.get_files(folder_id=folder.id, name=list(names))}
        new = [(name, rendition) for name, rendition in zip(names, renditions, strict=True)
               if name not in there]
        if not new:
            return
        files, instances = self._allocate("files", len(new)), self._allocate("instances", len(new))
        commit = UpsertCommit()
        for (name, rendition), file_id, instance_id in zip(new, files, instances, strict=True):
            commit.files[file_id] = File(id=file_id, name=name, folder_id=folder.id, sha1=rendition.sha1,
                                         width=rendition.width, height=rendition.height,
                                         format=rendition.format)
            commit.instances[instance_id] = Instance(id=instance_id, file_id=file_id, sha1=rendition.sha1)
        self._host.apply_upsert_commit(commit)

    def _write_values(self, values: dict[str, dict[str, Any]], properties: dict[str, int]) -> None:
        commit = UpsertCommit()
        for role, by_sha1 in values.items():
            commit.sha1_values[properties[role]] = [
                Sha1Value(property_id=properties[role], sha1=sha1, value=value, commit_id=0,
                          operation=OP_CREATE) for sha1, value in by_sha1.items()]
        self._host.apply_upsert_commit(commit)

    # ---- tags

    def tags_of(self, prop: Property) -> tuple[list[ExistingTag], dict[str, list[int]]]:
        """The tags of a property, and the tag ids of each image."""
        tags = [ExistingTag(tag.id, tag.value, tuple(tag.parents or ()))
                for tag in self._host.get_tags(list_id=prop.tag_list_id)]
        alive = {tag.id for tag in tags}
        by_image: dict[str, list[int]] = {}
        with self._host._data_reader() as reader:
            for row in sorted(reader.get_sha1_tag_values(property_id=prop.id), key=lambda row: row.tag_id):
                if row.tag_id in alive:
                    by_image.setdefault(row.sha1, []).append(row.tag_id)
        return tags, by_image

    def people_among(self, name: str, images: Sequence[str]) -> tuple[ExistingTag | None, list[str | None]]:
        """The tag of a property that all these images share, and the person just below it that each is given to.

        The property may not exist yet: then nothing is shared and nobody given.
        """
        prop = self.writable_tag_property(name)
        if prop is None:
            return None, [None] * len(images)
        existing, by_image = self.tags_of(prop)
        tags = {tag.id: tag for tag in existing}
        under = shared_tag(tags, by_image, images)
        return (None if under is None else tags[under]), carried_at(under, tags, by_image, images)

    def writable_tag_property(self, name: str) -> Property | None:
        """The property of tags on images' contents of that name, None where the name is free.

        Raises FacesError ``save_as_taken`` where a property of that name cannot hold them.
        """
        named = [prop for prop in self._host.get_properties() if prop.name == name]
        fit = [prop for prop in named if prop.dtype in TAG_DTYPES and prop.mode == "sha1"
               and prop.access != "read"]
        if named and not fit:
            raise FacesError("save_as_taken", name=name)
        return fit[0] if fit else None

    def write_tags(self, name: str, paths: dict[str, tuple[str, ...]], under: int | None = None) -> None:
        """Give each image the tag at the end of its path of names, in one commit.

        paths: image → names from the top tag down. under: the tag below which the paths hang. The property is
        made where it is missing, and tags that exist are used again.
        """
        commit = UpsertCommit()
        prop = self.writable_tag_property(name)
        if prop is None:
            new_id = self._allocate("properties", 1)[0]
            prop = Property(id=new_id, dtype="multi_tags", mode="sha1", name=name, access="write",
                            tag_list_id=new_id, commit_id=0, operation=OP_CREATE)
            commit.properties[new_id] = prop
        tags, current = self.tags_of(prop)
        placed, missing = place_tags(tags, paths.values(), under,
                                     allocate=lambda count: self._allocate("tags", count))
        for tag in missing:
            commit.tags[tag.id] = Tag(id=tag.id, list_id=prop.tag_list_id, value=tag.name,
                                      parents=list(tag.parents), color=tag.id % TAG_COLOURS, commit_id=0,
                                      operation=OP_CREATE)
        values = retagged(current, {sha1: placed[path] for sha1, path in paths.items()}, under,
                          single=prop.dtype == "tag")
        commit.sha1_values[prop.id] = [
            Sha1Value(property_id=prop.id, sha1=sha1, value=value, commit_id=0, operation=OP_CREATE)
            for sha1, value in values.items()]
        self._host.apply_upsert_commit(commit)

    def _allocate(self, kind: str, count: int) -> range:
        if count == 0:
            return range(0)
        with self._host._project_db() as db:
            first = db.allocate(kind, count)
        # The host gives one id as an int and several as a range.
        return first if isinstance(first, range) else range(first, first + 1)


def crop_name(photo: Photo, number: int) -> str:
    """The file name of a photo's crop: readable, safe on every system, and never that of another photo."""
    stem = re.sub(r"[^\w .()-]", "_", os.path.splitext(photo.name.rsplit("/", 1)[-1])[0]).strip(" .")[:60]
    return f"{stem or 'photo'}-{photo.sha1[:12]}-{number}.jpg"


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
    part.write_bytes(data)
    os.replace(part, path)
