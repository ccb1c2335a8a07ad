"""The plugin's actions, a few lines each.

Annotations must be real objects here: the host reads an action's form off them.
"""

from pathlib import Path
from typing import Any

from panoptic.core.plugin.plugin import APlugin
from panoptic.models.action_models import ActionContext, ActionResult, NotifType, PropertyId

from ..core.errors import FacesError
from ..i18n import languages, sentences, text
from ..services import people
from ..services.organise import Group
from .database import Database
from .params import (
    Method,
    Settings,
    assignments,
    checked_settings,
    explained,
    name_of_property,
    whole_number,
)
from .project import FaceRecord, Project
from .results import shown, told
from .tags import Tags
from .tasks import DetectFacesTask

AUTO = Method("auto")


class PanopticFaces(APlugin):
    """Faces, people and clusters."""

    def __init__(self, name: str, project: Any, plugin_path: str) -> None:
        super().__init__(name=name, project=project, plugin_path=plugin_path)
        self.params = Settings()
        database = Database(project, name)
        self.data = Project(database)
        self.tags = Tags(database)

    def _start(self) -> None:
        self.project.on_import_complete(self._scan_imported)
        language = self.data.language()
        for action, hooks in (
                (self.detect_faces, ["execute"]), (self.cluster_faces, ["group"]), (self.tag_photos, ["execute"]),
                (self.forget_faces, ["execute"])):
            described = self.add_action_easy(action, hooks)
            described.description = text(f"action.{described.name}", language)
            for param in described.params:
                param.description = text(f"action.{described.name}.{param.name}", language)

    def update_params(self, params: Any) -> Any:
        self.params = checked_settings(self.params, params if isinstance(params, dict) else params.model_dump())
        self.project.save_params(self.params.model_dump())
        return self.params

    def get_description(self) -> Any:
        described = super().get_description()
        language = self.data.language()
        described.description = text("plugin.description", language)
        for param in described.base_params.params:
            if f"setting.{param.name}" in sentences(language):
                param.description = text(f"setting.{param.name}", language)
        return described

    # ---- faces

    @explained
    def detect_faces(self, context: ActionContext) -> ActionResult:
        language = self.data.language()
        selection = self.data.sha1s(context.instance_ids)
        if not self.data.unscanned(selection):
            return told(NotifType.INFO, text("notif.all_scanned", language), language)
        return ActionResult(task_id=self._scan(selection).id)

    @explained
    def cluster_faces(self, context: ActionContext, method: Method = AUTO, parameters: str = "",
                      min_size: int = 1, save_as: str = "") -> ActionResult:
        language = self.data.language()
        smallest = whole_number("min_size", min_size, 1, 1_000_000)
        saved = name_of_property(save_as)
        settings = assignments(parameters)
        images, faces, chosen = self._faces_among(context)
        with_vector, vectors = self.data.vectors(self._face_vectors(), chosen)
        tree = self.tags.tree(self.tags.named(saved) if saved else None)
        under = tree.shared(with_vector)
        given = tree.names_below(under, with_vector)
        groups, rest = people.group_faces(
            with_vector, vectors, [faces[image] for image in with_vector], language, people=given,
            within=under.name if under else "", method=method.value, min_size=smallest, **settings)
        if saved:
            self._save(saved, groups, rest, under, dict(zip(with_vector, given, strict=True)))
        others = [image for image in images if image not in set(with_vector)]
        counts = {"photos": len(self.data.scanned()), "faces": len(with_vector), "people": len(groups)}
        return shown([*groups, Group(text("group.poor_faces", language), rest),
                      Group(text("group.not_faces", language), others)], language, counts)

    @explained
    def tag_photos(self, context: ActionContext, people: PropertyId = None) -> ActionResult:
        language = self.data.language()
        prop = self.tags.chosen(people)
        faces, ignored = self.data.faces(), self.tags.ignored()
        photo_of = {face: record.photo_sha1 for face, record in faces.items() if face not in ignored}
        chosen = {faces[image].photo_sha1 if image in faces else image
                  for image in self.data.sha1s(context.instance_ids)}
        changed = self.tags.mirror(prop, photo_of, sorted(chosen))
        return told(NotifType.INFO, text("notif.photos_tagged", language, count=changed, name=prop.name), language)

    @explained
    def forget_faces(self, context: ActionContext, confirm: str = "") -> ActionResult:
        language = self.data.language()
        words = {text("action.forget_faces.word", code) for code in languages()}
        if not isinstance(confirm, str) or confirm.strip().upper() not in words:
            raise FacesError("forget_unconfirmed", word=text("action.forget_faces.word", language))
        counts = self.data.forget_faces()
        (Path(self.data_path) / "scan.log").unlink(missing_ok=True)
        return told(NotifType.INFO, text("notif.forgotten", language, **counts), language)

    def _scan(self, selection: list[str]) -> Any:
        task = DetectFacesTask(self.data, self._face_scanner, selection, Path(self.data_path) / "scan.log")
        return self.project.add_task(task)

    def _scan_imported(self, _folder: int | None) -> None:
        selection = self.data.sha1s(None)
        if self.params.scan_on_import and self.data.unscanned(selection):
            self._scan(selection)

    def _faces_among(self, context: ActionContext) -> tuple[list[str], dict[str, FaceRecord], list[str]]:
        """The selection, every face of the project, and the faces of the selection that are not ignored."""
        images, faces, ignored = self.data.sha1s(context.instance_ids), self.data.faces(), self.tags.ignored()
        chosen = [image for image in images if image in faces and image not in ignored]
        if not chosen:
            raise FacesError("no_faces_here" if faces else "no_faces_yet")
        return images, faces, chosen

    def _save(self, name: str, groups: list[Group], rest: list[str], under: Any, given: dict[str, Any]) -> None:
        if under and len(groups) == 1 and not rest:
            return  # A group that did not split is the tag that it already has.
        new: dict[str, tuple[str, ...]] = {image: (group.name,) for group in groups
                                           for image in group.images if given[image] is None}
        self.tags.write(name, new, under.id if under else None)

    def _face_scanner(self) -> Any:
        from ..models.faces import face_models
        from ..services.scan import FaceScanner

        make_models = face_models(self.params.weights_folder, max_side=self.params.max_side,
                                  offline=self.params.offline)
        return FaceScanner(make_models, self.params.min_face_size), self._face_vectors(create=True)

    def _face_vectors(self, *, create: bool = False) -> int:
        from ..models.registry import SFACE

        found = self.data.vector_type({"model": "SFace", "subject": "face", "weights": SFACE.sha256[:12]},
                                      create=create)
        if found is None:
            raise FacesError("no_faces_yet")
        return found
