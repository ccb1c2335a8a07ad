"""Actions that find, group and forget faces.

Annotations must be real objects here: the host reads an action's form off them.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from panoptic.models.action_models import ActionContext, ActionResult, NotifType

from ..core.errors import FacesError
from ..core.faces import method_parameters
from ..i18n import languages, text
from ..services import people
from ..services.organise import Group
from .face_models import FaceModels, noted
from .params import Method, explained, name_of_property, whole_number, words
from .results import Saved, ShownNames, shown, told
from .tasks import DetectFacesTask

AUTO = Method("auto")


class FaceActions(FaceModels):
    """What the plugin does with faces."""

    project: Any
    log: Path
    names: ShownNames

    @explained
    def detect_faces(self, context: ActionContext) -> ActionResult:
        language = self.data.language()
        selection = self.data.sha1s(context.instance_ids)
        if not self.data.unscanned(selection, noted(self.face_settings())):
            return told(NotifType.INFO, text("notif.all_scanned", language), language)
        # Whoever has faces sought for the first time in a project is told what is kept, and how to erase it.
        result = told(NotifType.INFO, text("notif.biometric", language, folder=self.data.folder), language) \
            if self.data.is_first("biometric") else ActionResult()
        result.task_id = self.scan(selection).id
        return result

    @explained
    def cluster_faces(self, context: ActionContext, method: Method = AUTO, parameters: str = "",
                      min_size: int = 1, one_per_photo: bool = True, save_as: str = "") -> ActionResult:
        language = self.data.language()
        smallest = whole_number("min_size", min_size, 1, 1_000_000)
        saved = name_of_property(save_as)
        settings = method_parameters(method.value, words("parameters", parameters))
        found = self.faces_among(context)
        chosen = found.crops
        tree = self.tags.tree(self.tags.named(saved) if saved else None)
        under = tree.shared(chosen)
        given = tree.names_below(under, chosen)
        groups, rest = people.group_faces(
            chosen, found.vectors, found.faces, language, people=given,
            within=under.name if under else self.names.of(found.images), taken=tree.children(under).values(),
            method=method.value, min_size=smallest, one_per_photo=bool(one_per_photo), **settings)
        self.names.keep(groups, found.images)
        # A group that did not split is the tag that it already has.
        changes = None
        if saved and not (under and len(groups) == 1 and not rest):
            known = {image for image, name in zip(chosen, given, strict=True) if name is not None}
            changes = self.tags.write(saved, {image: (group.name,) for group in groups for image in group.images
                                              if image not in known}, under.id if under else None, images=chosen,
                                      read=tree)
        counts = {"photos": len(self.data.scanned()), "faces": len(chosen), "people": len(groups)}
        return shown([*groups, Group(text("group.poor_faces", language), rest), *found.others(language)], language,
                     counts, Saved(saved, changes) if changes else None)

    @explained
    def forget_faces(self, context: ActionContext, confirm: str = "") -> ActionResult:
        language = self.data.language()
        words = {text("action.forget_faces.word", code) for code in languages()}
        if not isinstance(confirm, str) or confirm.strip().upper() not in words:
            raise FacesError("forget_unconfirmed", word=text("action.forget_faces.word", language))
        counts = self.data.forget_faces()
        self.log.unlink(missing_ok=True)
        return told(NotifType.INFO, text("notif.forgotten", language, **counts), language)

    # ---- shared by the actions on faces

    def scan(self, selection: list[str], then: Callable[[], None] | None = None) -> DetectFacesTask:
        """Queue the scan of a selection, and what is to be done after it."""
        task = DetectFacesTask(self.data, self.face_scanner, noted(self.face_settings()), selection, self.log, then)
        self.project.add_task(task)
        return task
