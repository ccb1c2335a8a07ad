"""Which model tells faces apart, and what an action on faces begins with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from panoptic.core.databases.media.models import VectorType
from panoptic.models.action_models import ActionContext

from ..core.errors import FacesError
from ..i18n import text
from ..services.organise import Group
from .crops import FaceProject
from .params import Settings
from .project import FaceRecord
from .tags import Tags

# The name by which the project knows the vectors of the default model.
DEFAULT_MODEL = "SFace"


@dataclass(frozen=True, eq=False)
class ChosenFaces:
    """A selection of images: ``crops``, its faces that have a vector and are not ignored, their (n, d) vectors and
    what is known of them; ``unread``, the faces that the model of the vectors has not read; and the type of those."""

    images: list[str]
    crops: list[str]
    vectors: NDArray[np.float32]
    faces: list[FaceRecord]
    unread: list[str]
    kind: VectorType

    def others(self, language: str) -> list[Group]:
        """The last groups: faces that have to be read first, and what an action on faces does not concern."""
        inside = {*self.crops, *self.unread}
        return [Group(text("group.unread", language, model=self.kind.params["model"]), self.unread),
                Group(text("group.not_faces", language), [image for image in self.images if image not in inside])]


class FaceModels:
    """The plugin's faces as the model of the settings sees them."""

    data: FaceProject
    tags: Tags
    params: Settings

    def faces_among(self, context: ActionContext) -> ChosenFaces:
        """The faces of the selection.

        Raises FacesError ``no_faces_here``, ``no_faces_yet`` or ``no_faces_read``.
        """
        images, ignored = self.data.sha1s(context.instance_ids), self.tags.ignored()
        faces = self.data.faces(images)
        wanted = [image for image in images if image in faces and image not in ignored]
        if not wanted:
            raise FacesError("no_faces_here" if self.data.crops() else "no_faces_yet")
        kind = self.face_vectors()
        chosen, vectors = self.data.vectors(kind.id, wanted)
        if not chosen:
            raise FacesError("no_faces_read", model=kind.params["model"])
        read = set(chosen)
        return ChosenFaces(images, chosen, vectors, [faces[image] for image in chosen],
                           [image for image in wanted if image not in read], kind)

    def face_vectors(self) -> VectorType:
        """The type of the faces' vectors: by the model of the settings, or the newest where that has read none."""
        known = self.data.own_vectors(of_faces=True)
        if not known:
            raise FacesError("no_faces_yet")
        return max((kind for kind in known if self._is_chosen(kind.params)), default=max(known, key=_age), key=_age)

    def face_settings(self) -> dict[str, str]:
        """The model of the settings, see ``model_settings`` and its FacesErrors."""
        from ..models.choices import model_settings

        return model_settings(self.params.face_model.strip() or "sface", self.params.normalisation.strip())

    def face_scanner(self, kind: VectorType | None = None) -> Any:
        """The scanner by the model of the settings, its weights checked, and the id of its vectors' type, made where
        it is missing. kind: the type of vectors to compare with; raises FacesError ``vectors_of_model``."""
        from ..models.choices import choose_models
        from ..services.scan import FaceScanner

        settings = self.face_settings()
        if kind is not None and kind.params != vector_parameters(settings):
            raise FacesError("vectors_of_model", model=kind.params["model"])
        models = choose_models(model=self.params.face_model.strip() or "sface",
                               normalisation=self.params.normalisation.strip(), max_side=self.params.max_side,
                               folder=self.params.weights_folder or None, offline=self.params.offline)
        return (FaceScanner(models.make, self.params.min_face_size),
                self.data.vector_type(vector_parameters(settings), create=True))

    def _is_chosen(self, params: Mapping[str, Any]) -> bool:
        # The file itself may be away: the vectors that it gave are there.
        name, normalisation = self.params.face_model.strip(), self.params.normalisation.strip()
        if name.lower().endswith(".onnx"):
            return (params["model"], params.get("normalisation")) == (Path(name).name, normalisation)
        return bool(params["model"] == (DEFAULT_MODEL if name in ("", "sface") else name))


def vector_parameters(settings: Mapping[str, str]) -> dict[str, str]:
    """The parameters of the type of vectors that a model gives."""
    if settings["model"] == DEFAULT_MODEL.lower():
        return {"model": DEFAULT_MODEL, "subject": "face", "weights": settings["model_weights"][:12]}
    named = {"weights": settings["model_weights"], "normalisation": settings["normalisation"]}
    return {"model": settings["model"], "subject": "face", **{name: value for name, value in named.items() if value}}


def noted(settings: Mapping[str, str]) -> str:
    """A model as the project notes on each photo that it has read."""
    named = vector_parameters(settings)
    return " ".join(filter(None, (named["model"], named.get("weights", "")[:12], named.get("normalisation", ""))))


def people_model(kind: VectorType) -> str:
    """The name by which files of people, the command line's too, know the model of a type of vectors."""
    from ..models.choices import model_name

    model = kind.params["model"]
    return model_name({"model": model.lower() if model == DEFAULT_MODEL else model,
                       "model_weights": kind.params.get("weights", "")})


def _age(kind: VectorType) -> int:
    return int(kind.id)
