"""The project's images and faces, as plain data."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from panoptic.core.databases.data.models import Folder
from panoptic.core.databases.media.models import Map, Vector, VectorType

from ..core.errors import FacesError
from ..i18n import languages, text
from ..models.images import WEIGHTS
from ..services.scan import Photo, in_parallel
from .database import MAX_VARIABLES, Database, exclusive

CROPS_FOLDER = "faces"

# What the plugin records about images, by role: the dtype of the property that holds it.
ROLES = {
    "face_photo": "text",
    "face_photo_sha1": "text",
    "face_box": "text",
    "face_size": "number",
    "face_confidence": "number",
    "face_sharpness": "number",
    "photo_faces": "number",
    "photo_models": "text",
}
# Between the models that read a photo.
MODELS_SEPARATOR = " | "


@dataclass(frozen=True)
class FaceRecord:
    """What the project knows of a face crop."""

    photo_sha1: str
    box: tuple[int, int, int, int]
    size: float
    confidence: float
    sharpness: float


class Project:
    """One Panoptic project, seen by the plugin."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._host = database.public
        self._kinds = database.rendition_kinds()
        self.language = database.language
        self.folder = database.folder

    # ---- images

    def sha1s(self, instance_ids: Sequence[int] | None) -> list[str]:
        """Distinct images of a selection, in its order; of the whole project where the selection is empty."""
        known = self._database.instances(instance_ids)
        chosen = map(known.get, instance_ids) if instance_ids else known.values()
        return [sha1 for sha1 in dict.fromkeys(chosen) if sha1]

    def photos(self, sha1s: Iterable[str]) -> dict[str, tuple[str, Path | None]]:
        """File name and local path, None where the original is not a local file, of each image."""
        sources = {source.id: source.dtype for source in self._host.get_file_sources()}
        folders = {folder.id: folder for folder in self._host.get_folders()}
        found: dict[str, tuple[str, Path | None]] = {}
        for sha1, name, folder_id in self._database.files_of(sha1s):
            if sha1 in found and found[sha1][1] is not None:
                continue
            folder = folders.get(folder_id)
            local = folder if folder is not None and sources.get(folder.source_id) == "local" else None
            found[sha1] = (name, Path(local.path) / name if local else None)
        return found

    def photo(self, sha1: str, name: str, path: Path | None) -> Photo:
        """A photo to scan; of one that is no local file, the largest size that the project has stored."""
        return Photo(sha1, name, path or self._database.largest_rendition(sha1))

    def pixels(self, sha1s: Sequence[str]) -> list[int]:
        """How many pixels each image has, 0 where that is not known."""
        known = self._database.pixels()
        return [known.get(sha1, 0) for sha1 in sha1s]

    def sharpness(self, sha1s: Sequence[str]) -> list[float]:
        """How sharp each image is in the largest size that is stored; 0 where there is none."""
        from ..models.align import sharpness_of_file

        known = dict(in_parallel(lambda image: (image[0], sharpness_of_file(image[1])),
                                 self._database.largest_renditions(sha1s)))
        return [known.get(sha1, 0.0) for sha1 in sha1s]

    # ---- what the plugin recorded

    def scanned(self) -> set[str]:
        """Photos whose faces were counted."""
        return self._with_value("photo_faces")

    def crops(self) -> set[str]:
        """Every face crop of the project."""
        return self._with_value("face_photo_sha1")

    def unscanned(self, sha1s: Iterable[str], model: str | None = None) -> list[str]:
        """Those of the images that are photos whose faces were not read yet by a model; by none, where it is None."""
        folder = self.crops_folder()
        done = self.crops()
        # A crop that a new import of the folder brought back without what was known of it is no photo.
        done |= {sha1 for _, sha1 in self._database.files_in(folder.id).values()} if folder else set()
        left = [sha1 for sha1 in sha1s if sha1 not in done]
        read_by = self._values("photo_models", left)
        return [sha1 for sha1 in left if sha1 not in read_by
                or model is not None and model not in str(read_by[sha1]).split(MODELS_SEPARATOR)]

    def faces(self, among: Collection[str] | None = None) -> dict[str, FaceRecord]:
        """Every face crop of the project; among: of these images only."""
        photo, box, size, confidence, sharpness = (self._values(role, among) for role in (
            "face_photo_sha1", "face_box", "face_size", "face_confidence", "face_sharpness"))
        return {sha1: FaceRecord(photo[sha1], _box(box.get(sha1, "")), float(size.get(sha1, 0)),
                                 float(confidence.get(sha1, 0)), float(sharpness.get(sha1, 0))) for sha1 in photo}

    def crop(self, path: Path | None, sha1: str) -> bytes:
        """The file of a face crop, or its largest rendition where the file is gone."""
        return path.read_bytes() if path and path.exists() else self._database.largest_rendition(sha1)

    def _values(self, role: str, among: Collection[str] | None = None) -> dict[str, Any]:
        known = self.known_properties().get(role)
        return {} if known is None else self._database.values(known, among)

    def _with_value(self, role: str, texts: Iterable[str] | None = None) -> set[str]:
        known = self.known_properties().get(role)
        return set() if known is None else self._database.with_value(known, texts)

    def crops_folder(self) -> Folder | None:
        """The folder of face crops, where there is one."""
        path = str(self._host.base_path.resolve() / CROPS_FOLDER)
        return next((folder for folder in self._host.get_folders() if folder.path == path), None)

    def is_first(self, what: str) -> bool:
        """Whether this is asked of the project for the first time; the project remembers."""
        before = self._database.remembered("told")
        self._database.remember("told", {**before, what: True})
        return what not in before

    # ---- properties

    def known_properties(self) -> dict[str, int]:
        """The plugin's own properties by role: their ids survive renaming and a change of language."""
        alive = {prop.id for prop in self._host.get_properties()}
        return {role: known for role, known in self._database.remembered("properties").items() if known in alive}

    def _properties(self) -> dict[str, int]:
        """The plugin's own properties by role; those that do not exist are made."""
        known = self.known_properties()
        missing = [role for role in ROLES if role not in known]
        if not missing:
            return known
        existing = {(prop.name, prop.dtype): prop for prop in self._host.get_properties()
                    if prop.access == "read" and not prop.system_key}
        group = self._property_group()
        for role in missing:
            names = [text(f"property.{role}", code) for code in (self.language(), *languages())]
            prop = next((existing[name, ROLES[role]] for name in names if (name, ROLES[role]) in existing), None)
            prop = prop or self._host.add_property(names[0], ROLES[role], "sha1", readonly=True,
                                                   property_group_id=group)
            known[role] = prop.id
        self._database.remember("properties", known)
        return known

    def _property_group(self) -> int:
        names = [text("property.group", code) for code in (self.language(), *languages())]
        group = next((group for group in self._host.get_property_groups() if group.name in names), None)
        return int((group or self._host.add_property_group(names[0])).id)

    # ---- vectors

    @exclusive
    def vector_type(self, params: dict[str, Any], *, create: bool) -> int | None:
        """The id of the plugin's vector type with these parameters; its weights count only where they are given."""
        found = next((known for known in self._host.get_vector_types(source=self._database.plugin)
                      if known.params in (params, {WEIGHTS: known.params.get(WEIGHTS), **params})), None)
        if found is None and create:
            found = self._host.upsert_vector_type(VectorType(id=-1, source=self._database.plugin, params=params))
        return None if found is None else int(found.id)

    def describe_vectors(self, kind: VectorType, params: dict[str, Any]) -> None:
        """Change what is kept of a vector type."""
        if params != kind.params:
            self._host.upsert_vector_type(VectorType(id=kind.id, source=kind.source, params=params))

    def vectors_kind(self, chosen: Any, *, refusal: str, fits: Callable[[dict[str, Any], bool], bool]) -> VectorType:
        """The chosen type of vectors, or the newest that fits where none is chosen; else FacesError ``refusal``.

        fits: tells of a type's parameters, and of whether it is the plugin's own, if it can be used.
        """
        known = [kind for kind in self._host.get_vector_types()
                 if fits(kind.params, kind.source == self._database.plugin)]
        if isinstance(chosen, VectorType):
            known = [kind for kind in known if kind.id == chosen.id]
        if not known or not (chosen is None or isinstance(chosen, VectorType)):
            raise FacesError(refusal)
        return max(known, key=lambda kind: int(kind.id))

    def own_vectors(self, *, of_faces: bool) -> list[VectorType]:
        """The plugin's own types of vectors, of faces or of whole images."""
        return [kind for kind in self._host.get_vector_types(source=self._database.plugin)
                if (kind.params.get("subject") == "face") == of_faces]

    def vectors(self, type_id: int, sha1s: Sequence[str]) -> tuple[list[str], NDArray[np.float32]]:
        """Those of the images that have a vector, in the order given, and their (n, d) vectors.

        Raises FacesError ``vectors_dimension`` where they do not all have one length.
        """
        # Of many images first which have a vector, so that these take no more memory than they need.
        asked = list(sha1s) if len(sha1s) <= MAX_VARIABLES else self.with_vector(type_id, sha1s)
        place = {sha1: number for number, sha1 in enumerate(asked)}
        rows: NDArray[np.float32] | None = None
        there = np.zeros(len(asked), dtype=bool)
        for sha1, data in self._database.vectors(type_id, asked):
            if rows is None:
                rows = np.empty((len(asked), len(data) // 4), dtype=np.float32)
            if len(data) != 4 * rows.shape[1]:
                raise FacesError("vectors_dimension", expected=rows.shape[1], got=len(data) // 4)
            rows[place[sha1]] = np.frombuffer(data, dtype="<f4")
            there[place[sha1]] = True
        if rows is None:
            return [], np.empty((0, 0), dtype=np.float32)
        if there.all():
            return asked, rows
        return [asked[number] for number in np.flatnonzero(there).tolist()], rows[there]

    def with_vector(self, type_id: int, sha1s: Sequence[str]) -> list[str]:
        """Those of the images that have a vector of a type."""
        there = self._database.with_vector(type_id)
        return [sha1 for sha1 in sha1s if sha1 in there]

    def without_vector(self, type_id: int, sha1s: Sequence[str]) -> list[str]:
        """Those of the images that have no vector of a type."""
        there = self._database.with_vector(type_id)
        return [sha1 for sha1 in sha1s if sha1 not in there]

    @exclusive
    def add_vectors(self, type_id: int, vectors: Mapping[str, NDArray[np.float32]]) -> None:
        """Store vectors of a type by image; of images that left the project meanwhile, none."""
        living = self._database.living(vectors)
        kept = [Vector(type_id, sha1, vector) for sha1, vector in vectors.items() if sha1 in living]
        if kept:
            self._host.upsert_vectors(kept)

    @exclusive
    def save_map(self, name: str, points: Mapping[str, tuple[float, float]]) -> dict[str, Any]:
        """Store a map of images, in place of the plugin's map of that name, and have their thumbnails drawn; gives the
        map as the page wants it."""
        source = self._database.plugin
        known = next((known.id for known in self._host.get_maps(source=source) if known.name == name), -1)
        flat = [part for sha1, (x, y) in points.items() for part in (sha1, float(x), float(y))]
        made = self._host.upsert_map(Map(known, source, name, "sha1", len(points), flat))
        self._database.draw_sheets(points)
        return {"id": int(made.id), "source": source, "name": name, "key": "sha1", "count": len(points), "data": flat}


def _box(written: str) -> tuple[int, int, int, int]:
    x, y, width, height = (int(side) for side in (written or "0 0 0 0").split())
    return x, y, width, height
