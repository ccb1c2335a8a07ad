"""Actions that make vectors of whole images, and what every action on vectors needs.

Annotations must be real objects here: the host reads an action's form off them.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from panoptic.core.databases.media.models import VectorType
from panoptic.models.action_models import ActionContext, ActionResult, NotifType, OwnVectorType

from ..core.errors import FacesError
from ..i18n import text
from ..models import clip, images
from ..services.images import VectorsOf, vectors_of_photos
from .crops import FaceProject
from .params import Device, ImageModel, Settings, explained, words
from .results import told
from .tags import Tags
from .tasks import ComputeVectorsTask

VISUAL = ImageModel(images.VISUAL)
AUTO_DEVICE = Device("auto")


class VectorActions:
    """What the plugin does to have vectors of whole images."""

    project: Any
    params: Settings
    name: str
    data: FaceProject
    tags: Tags
    log: Path

    @explained
    def create_vector_type(self, context: ActionContext, model: ImageModel = VISUAL, architecture: str = clip.MODEL,
                           pretrained: str = clip.PRETRAINED, device: Device = AUTO_DEVICE) -> ActionResult:
        parameters = images.IMAGE_MODELS[model.value](
            words("architecture", architecture), words("pretrained", pretrained), device.value)
        kind = self.data.vector_type(parameters, create=True)
        return ActionResult(value={"id": kind, "source": self.name, "params": parameters})

    @explained
    def compute_vectors(self, context: ActionContext, vectors: OwnVectorType = None) -> ActionResult:
        language = self.data.language()
        kind = self.data.vectors_kind(vectors, refusal="vectors_own", fits=_own_of_images)
        selection = self.data.sha1s(context.instance_ids)
        if not self.data.without_vector(kind.id, selection):
            return told(NotifType.INFO, text("notif.all_vectors", language), language)
        return ActionResult(task_id=self._compute(kind, selection))

    def vectors_of_imported(self, _folder: int | None) -> None:
        """After an import: compute the vectors of what is new where the setting says so."""
        if not self.params.vectors_on_import:
            return
        if not self.data.own_vectors(of_faces=False):
            self.data.vector_type(images.IMAGE_MODELS[images.VISUAL]("", "", ""), create=True)
        for kind in self.data.own_vectors(of_faces=False):
            # A scan that was queued before adds faces until then, so what is missing is told when the task starts.
            self._compute(kind, None)

    def _compute(self, kind: VectorType, selection: list[str] | None) -> Any:
        def embedder() -> VectorsOf:
            loaded = images.image_embedder(kind.params, offline=self.params.offline)
            self.data.describe_vectors(kind, images.as_loaded(kind.params, loaded))
            return vectors_of_photos(loaded)

        task = ComputeVectorsTask(self.data, embedder, kind.id, selection, self.log.with_name("vectors.log"))
        self.project.add_task(task)
        return task.id

    # ---- shared by the actions on vectors

    def clip_of(self, kind: VectorType) -> clip.Clip:
        """The model of a type of CLIP vectors; raises as ``models.images.clip_of``."""
        return images.clip_of(kind.params, offline=self.params.offline)

    def images_among(self, context: ActionContext, kind: VectorType
                     ) -> tuple[list[str], list[str], NDArray[np.float32]]:
        """The selection, its images that have a vector of a type, and those (n, d) vectors."""
        selection = self.data.sha1s(context.instance_ids)
        chosen, found = self.data.vectors(kind.id, selection)
        if not chosen:
            raise FacesError("no_image_vectors")
        return selection, chosen, found

    def image_kind(self, vectors: Any) -> VectorType:
        """The chosen type of vectors of whole images, of any plugin, or the newest."""
        return self.data.vectors_kind(vectors, refusal="no_image_vectors", fits=_of_images)

    def any_kind(self, vectors: Any) -> VectorType:
        """The chosen type of vectors; where none is chosen the newest of whole images, or else of faces."""
        try:
            return self.image_kind(vectors)
        except FacesError:
            return self.data.vectors_kind(vectors, refusal="no_image_vectors", fits=lambda params, own: True)

    def clip_kind(self, vectors: Any) -> VectorType:
        """The chosen type of vectors, or the newest that can be compared with texts."""
        return self.data.vectors_kind(vectors, refusal="no_clip_vectors",
                                      fits=lambda params, own: own and images.is_clip(params))


def _of_images(params: dict[str, Any], own: bool) -> bool:
    return params.get("subject") != "face"


def _own_of_images(params: dict[str, Any], own: bool) -> bool:
    return own and _of_images(params, own)
