"""Actions on whole images, on the vectors of any plugin.

Annotations must be real objects here: the host reads an action's form off them.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from panoptic.core.databases.media.models import VectorType
from panoptic.models.action_models import ActionContext, ActionResult, NotifType

from ..core.errors import FacesError
from ..i18n import text
from ..services import images as service
from ..services.organise import Group
from .params import Linkage, explained, name_of_property
from .project import Project
from .results import shown, told
from .tags import Tags

COMPLETE = Linkage("complete")


class ImageActions:
    """What the plugin does with whole images."""

    data: Project
    tags: Tags

    @explained
    def compute_clusters(self, context: ActionContext, vectors: VectorType = None, nb_clusters: int = 10,
                         levels: int = 1, save_as: str = "") -> ActionResult:
        language = self.data.language()
        saved = name_of_property(save_as)
        images, chosen, found = self.images_among(context, vectors)
        groups, paths = service.group_images(chosen, found, language, n_clusters=nb_clusters, levels=levels)
        if saved:
            under = self.tags.tree(self.tags.named(saved)).shared(chosen)
            self.tags.write(saved, paths, under.id if under else None)
        inside = set(chosen)
        rest = [image for image in images if image not in inside]
        return shown([*groups, Group(text("group.no_vector", language), rest)], language,
                     {"images": len(chosen), "groups": len(groups)})

    @explained
    def find_duplicates(self, context: ActionContext, vectors: VectorType = None, min_similarity: float = 0.95,
                        linkage: Linkage = COMPLETE, save_as: str = "") -> ActionResult:
        language = self.data.language()
        saved = name_of_property(save_as)
        _, chosen, found = self.images_among(context, vectors)
        groups = service.group_copies(chosen, found, language, min_similarity=min_similarity, linkage=linkage.value,
                                      judge=self.data.judge())
        if saved:
            self.tags.write(saved, {image: (group.name,) for group in groups for image in group.images})
        if not groups:
            return told(NotifType.INFO, text("notif.no_duplicates", language), language)
        return shown(groups, language, {"images": len(chosen), "groups": len(groups)})

    def images_among(self, context: ActionContext, vectors: Any) -> tuple[list[str], list[str], NDArray[np.float32]]:
        """The selection, its images that have a vector of the chosen type, and those (n, d) vectors."""
        kind = self.data.image_vectors(vectors)
        images = self.data.sha1s(context.instance_ids)
        chosen, found = self.data.vectors(kind, images)
        if not chosen:
            raise FacesError("no_image_vectors")
        return images, chosen, found
