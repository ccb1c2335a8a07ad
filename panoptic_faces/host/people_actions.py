"""Actions that stand on the people a user has named.

Annotations must be real objects here: the host reads an action's form off them.
"""

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from panoptic.core.databases.data.models import Property
from panoptic.models.action_models import ActionContext, ActionResult, FilePath, FolderPath, NotifType, PropertyId

from ..core.errors import FacesError
from ..i18n import text
from ..services import people as service
from ..services.organise import Group
from .face_actions import FaceActions
from .face_models import people_model
from .params import Recognizer, Save, explained, folder_to_write
from .project import FaceRecord
from .results import shown, told
from .tags import UNKNOWN

if TYPE_CHECKING:
    from ..services.crops import FaceCrops
    from ..services.face_table import FaceRow

CENTROID = Recognizer("centroid")
CROPS = Save("crops")
NOWHERE = FolderPath("")
NO_FILE = FilePath("")


class PeopleActions(FaceActions):
    """What the plugin does with named people."""

    @explained
    def recognize_people(self, context: ActionContext, people: PropertyId = None, method: Recognizer = CENTROID,
                         max_false_accepts: float = 0.01, people_file: FilePath = NO_FILE, to_confirm: bool = False
                         ) -> ActionResult:
        language = self.data.language()
        found = self.faces_among(context)
        if people_file:
            from ..services.people_file import load_recognizer

            groups, unknown, new = service.recognize_faces(
                found.crops, found.vectors, found.faces, language, wanted=set(found.crops),
                people=[None] * len(found.crops), max_false_accepts=max_false_accepts,
                recognizer=load_recognizer(str(people_file), model=people_model(found.kind),
                                           dimension=found.vectors.shape[1]))
        else:
            groups, unknown, new = self._recognized(self._people(people), found.crops, max_false_accepts, method.value)
        if to_confirm:
            self._ask_to_confirm(new)
        return shown([*groups, Group(text("group.unknown", language), unknown), *found.others(language)], language,
                     {"recognized": len(new), "unknown": len(unknown), "people": len(groups)})

    @explained
    def suggest_merges(self, context: ActionContext, people: PropertyId = None) -> ActionResult:
        language = self.data.language()
        found = self.faces_among(context)
        chosen = found.crops
        named = self.tags.tree(self._people(people)).people(chosen)
        different = self.tags.tree(self.tags.different())
        asked, rest = service.questions(
            chosen, found.vectors, found.faces, language, people=named,
            different={image: set(different.carried.get(image, ())) for image in chosen})
        if not asked:
            return told(NotifType.INFO, text("notif.no_questions", language), language)
        return shown([*asked, Group(text("group.no_question", language), rest), *found.others(language)], language,
                     {"questions": len(asked) // 2})

    @explained
    def confirm_people(self, context: ActionContext, people: PropertyId = None) -> ActionResult:
        language = self.data.language()
        prop = self._people(people)
        waiting = self.tags.to_confirm()
        tree = self.tags.tree(waiting)
        chosen = [image for image in self.data.sha1s(context.instance_ids) if tree.carried.get(image)]
        if waiting is None or not chosen:
            raise FacesError("nothing_to_confirm", name=text("property.to_confirm", language))
        names = dict(zip(chosen, tree.people(chosen), strict=True))
        self.tags.move(waiting, prop, {image: name for image, name in names.items() if name is not None})
        return told(NotifType.INFO, text("notif.confirmed", language, count=len(chosen), name=prop.name), language)

    @explained
    def tag_photos(self, context: ActionContext, people: PropertyId = None) -> ActionResult:
        language = self.data.language()
        prop = self._people(people)
        photo_of = {face: record.photo_sha1 for face, record in self.data.faces().items()}
        chosen = {photo_of.get(image, image) for image in self.data.sha1s(context.instance_ids)}
        changed = self.tags.mirror(prop, photo_of, sorted(chosen))
        return told(NotifType.INFO, text("notif.photos_tagged", language, count=changed, name=prop.name), language)

    @explained
    def evaluate_clusters(self, context: ActionContext, clusters: PropertyId = None, truth: PropertyId = None
                          ) -> ActionResult:
        language = self.data.language()
        faces = self.faces_among(context)
        chosen = faces.crops
        found = self.tags.tree(self._people(clusters)).people(chosen)
        # The page sends its first property, which is never one of tags, where none was chosen.
        right = self.tags.tree(self.tags.chosen(truth)).people(chosen) if self.tags.is_chosen(truth) else None
        figures = service.figures(found, right, faces.vectors)
        told_all = [f"{text('figure.' + name, language)} = {value:.3f}".removesuffix(".000")
                    for name, value in figures.items()]
        result = told(NotifType.INFO, " · ".join(told_all), language)
        result.value = figures
        return result

    @explained
    def export_people(self, context: ActionContext, people: PropertyId = None, folder: FolderPath = NOWHERE,
                      save: Save = CROPS, sidecars: bool = False) -> ActionResult:
        from ..core.people import train_recognizer
        from ..services.export import export_people
        from ..services.people_file import save_recognizer
        from ..services.run_log import named_boxes
        from ..services.xmp import write_people

        language = self.data.language()
        out = folder_to_write(folder)
        found = self.faces_among(context)
        chosen = found.crops
        names = self.tags.tree(self._people(people)).people(chosen)
        members: dict[str, list[str]] = {}
        for image, name in zip(chosen, names, strict=True):
            if name is not None:
                members.setdefault(name, []).append(image)
        groups = [Group(name, members[name]) for name in sorted(members)]
        rows, crops = self._rows(chosen, found.faces)
        line = export_people(groups, [image for image, name in zip(chosen, names, strict=True) if name is None],
                             rows, found.vectors, crops, out, language, save=save.value,
                             rest_name=text("group.unknown", language))
        crops.close()
        named = [place for place, name in enumerate(names) if name is not None]
        if named:
            save_recognizer(train_recognizer(found.vectors[named], [str(names[place]) for place in named]),
                            out / line["folder"] / "people.npz", model=people_model(found.kind))
        told_too = ""
        if sidecars:
            written = write_people(named_boxes(out / line["folder"]), "sidecars")
            told_too = " " + text("notif.sidecars", language, count=len(written.files), skipped=len(written.skipped))
        done = text("notif.exported", language, folder=out / line["folder"], **line["counts"])
        return told(NotifType.INFO, done + told_too, language)

    def _people(self, property_id: PropertyId) -> Property:
        return self.tags.meant(property_id, self.params.people)

    def _rows(self, chosen: list[str], faces: list[FaceRecord]) -> "tuple[list[FaceRow], FaceCrops]":
        """The faces as an export wants them, and their pictures."""
        from ..services.crops import FaceCrops
        from ..services.face_table import FaceRow, PhotoRow

        photos = self.data.photos({face.photo_sha1 for face in faces})
        paths, crops, rows = self.data.photos(chosen), FaceCrops(), []
        for image, face in zip(chosen, faces, strict=True):
            name, path = photos.get(face.photo_sha1, (face.photo_sha1, None))
            rows.append(FaceRow(image, PhotoRow(str(path or name), face.photo_sha1), face.box, face.confidence,
                                face.sharpness))
            crops.add(image, self.data.crop(paths[image][1], image))
        return rows, crops

    def _recognized(self, prop: Property, wanted: Collection[str], max_false_accepts: float = 0.01,
                    method: str = "centroid") -> tuple[list[Group], list[str], dict[str, str]]:
        """People among the wanted faces, the unknown, and who is new, trained on every named face of the project."""
        faces, ignored, tree = self.data.faces(), self.tags.ignored(), self.tags.tree(prop)
        every = [image for image in sorted(faces) if image not in ignored]
        names = {**dict(zip(every, tree.people(every), strict=True)), **dict.fromkeys(tree.carriers(UNKNOWN))}
        asked = set(wanted)
        used, vectors = self.data.vectors(self.face_vectors().id, [image for image in every
                                                                if image in asked or names[image] is not None])
        return service.recognize_faces(
            used, vectors, [faces[image] for image in used], self.data.language(), wanted=asked, method=method,
            people=[names[image] for image in used], max_false_accepts=max_false_accepts)

    def _ask_to_confirm(self, new: Mapping[str, str]) -> None:
        if new:
            waiting = self.tags.to_confirm()
            name = waiting.name if waiting else text("property.to_confirm", self.data.language())
            self.tags.write(name, {image: (person,) for image, person in new.items()}, images=list(new),
                            read=self.tags.tree(waiting), again=True)

    def scan_imported(self, _folder: int | None) -> None:
        """After an import: scan what is new where the setting says so, then ask who is on it."""
        self.data.remove_returned()
        if not self.params.scan_on_import:
            return
        # Photos that another model has read are not read again because others came.
        new = self.data.unscanned(self.data.sha1s(None))
        if new:
            before = self.data.crops()
            self.scan(new, then=lambda: self._recognize_new(before))

    def _recognize_new(self, before: set[str]) -> None:
        prop = self.tags.named(self.params.people) if self.params.people else None
        new = sorted(self.data.crops() - before)
        if prop is not None and new and any(self.tags.tree(prop).carried.values()):
            self._ask_to_confirm(self._recognized(prop, new)[2])
