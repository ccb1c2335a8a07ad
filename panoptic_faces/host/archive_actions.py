"""The action that brings faces from an archive.

Annotations must be real objects here: the host reads an action's form off them.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from panoptic.models.action_models import ActionContext, ActionResult, FolderPath

from ..core.errors import FacesError
from ..i18n import text
from ..services.people import tags_of_persons
from ..services.rescan import Box, match_faces
from .crops import FaceProject
from .face_models import FaceModels, noted, vector_parameters
from .params import explained, name_of_property, words
from .tasks import DetectFacesTask

if TYPE_CHECKING:
    from ..archive.reading import ArchiveScanner

NOWHERE = FolderPath("")


class ImportFacesTask(DetectFacesTask):
    """Brings the faces that an archive has of photos, in place of a scan; then the people of a clustering, as tags."""

    def __init__(self, project: FaceProject, archive: "ArchiveScanner", make_type: Callable[[], int], model: str,
                 sha1s: list[str], log: Path, tag: "Callable[[ArchiveScanner], None]") -> None:
        def make_scanner() -> tuple[Any, int]:
            return archive, make_type()

        super().__init__(project, make_scanner, model, sha1s, log)
        self._archive = archive
        self._tag = tag
        self.name = text("task.import_faces", self._language)

    def missing(self, sha1s: list[str]) -> list[str]:
        photos = {sha1: (path or Path(name)).as_posix() for sha1, (name, path) in self._project.photos(sha1s).items()}
        found = self._archive.find(photos)
        if not found:
            raise FacesError("archive_no_photo", count=len(photos))
        todo = set(super().missing(found))
        return [sha1 for sha1 in found if sha1 in todo]

    def after(self) -> None:
        self._tag(self._archive)


class ArchiveActions(FaceModels):
    """What the plugin does with archives of faces, encoded on many machines."""

    project: Any
    log: Path

    @explained
    def import_faces(self, context: ActionContext, archive: FolderPath = NOWHERE, people: FolderPath = NOWHERE,
                     save_as: str = "") -> ActionResult:
        from ..archive.dataset import Dataset
        from ..archive.reading import ArchiveScanner

        address, groups, saved = words("archive", archive), words("people", people), name_of_property(save_as)
        if not address:
            raise FacesError("archive_missing", address="")
        if bool(groups) != bool(saved):
            raise FacesError("archive_people")
        dataset = Dataset(address)
        settings = dataset.settings()
        scanner = ArchiveScanner(dataset)

        def tag(found: ArchiveScanner) -> None:
            if groups:
                self._tag_people(found, groups, saved)

        def make_type() -> int:
            return int(self.data.vector_type(vector_parameters(settings), create=True) or 0)

        task = ImportFacesTask(self.data, scanner, make_type, noted(settings), self.data.sha1s(context.instance_ids),
                               self.log, tag)
        self.project.add_task(task)
        return ActionResult(task_id=task.id)

    def _tag_people(self, found: "ArchiveScanner", groups: str, saved: str) -> None:
        """Give faces the people of a clustering, those that carry a tag of the property excepted."""
        tree = self.tags.tree(self.tags.named(saved))
        crops: dict[str, list[tuple[str, Box]]] = {}
        for crop, face in self.data.faces().items():
            crops.setdefault(face.photo_sha1, []).append((crop, face.box))
        known = self.data.photos(list(found.places))
        photos = {sha1: self.data.photo(sha1, *known[sha1]) for sha1, place in found.places.items() if not place.exact}
        members: dict[int, list[str]] = {}
        for photo, boxes, persons in found.people(groups, photos):
            own = crops.get(photo, [])
            for person, place in zip(persons, match_faces(boxes, [box for _, box in own]), strict=True):
                if place is not None and person >= 0:
                    members.setdefault(person, []).append(own[place][0])
        paths = tags_of_persons(members, tree, self.data.language())
        if paths:
            self.tags.write(saved, paths, images=list(paths), read=tree)
