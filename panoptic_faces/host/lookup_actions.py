"""Actions that look images up by their vectors: alike, by words, on a map.

Annotations must be real objects here: the host reads an action's form off them.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from panoptic.core.databases.media.models import VectorType
from panoptic.models.action_models import ActionContext, ActionResult, FilePath

from ..core.errors import FacesError
from ..core.projection import project
from ..i18n import text
from ..services.images import nearest_images, vectors_of_photos
from ..services.scan import Photo
from .params import MapMethod, explained, share, whole_number, words
from .results import shown
from .vector_actions import VectorActions

GRAPH = MapMethod("graph")
NO_FILE = FilePath("")
# The page draws a map to this distance from its middle.
MAP_RADIUS = 100


class LookupActions(VectorActions):
    """What the plugin finds for a picture, a face or some words."""

    face_scanner: Callable[[VectorType], Any]

    @explained
    def find_similar(self, context: ActionContext, vectors: VectorType = None, picture: FilePath = NO_FILE,
                     max_results: int = 200, min_similarity: float = 0.0) -> ActionResult:
        language = self.data.language()
        most = whole_number("max_results", max_results, 1, 1_000_000)
        least = share("min_similarity", min_similarity)
        file = words("picture", picture)
        kind = self.any_kind(vectors)
        if file:
            asked: list[str] = []
            queries = self._query_vector(kind, Path(file))
        elif context.instance_ids:
            asked = self.data.sha1s(context.instance_ids)
            _, queries = self.data.vectors(kind.id, asked)
        else:
            raise FacesError("nothing_asked")
        if not len(queries):
            raise FacesError("no_query_vector")
        inside = set(asked)
        images, found = self.data.vectors(kind.id, [image for image in self.data.sha1s(None) if image not in inside])
        group = nearest_images(images, found, queries, text("group.similar", language), most=most,
                               min_similarity=least)
        return shown([group], language, {"images": len(group.images)})

    @explained
    def search_by_text(self, context: ActionContext, vectors: VectorType = None, text: str = "",
                       min_similarity: float = 0.0) -> ActionResult:
        from ..models.images import is_clip

        language = self.data.language()
        least, asked = share("min_similarity", min_similarity), words("text", text)
        if not asked:
            raise FacesError("text_empty")
        # The page's search box sends the project's first type of vectors, and its form shows no other choice.
        unfit = isinstance(vectors, VectorType) and not is_clip(vectors.params)
        kind = self.clip_kind(None if unfit else vectors)
        _, chosen, found = self.images_among(context, kind)
        group = nearest_images(chosen, found, self.clip_of(kind).embed_texts([asked]), asked, min_similarity=least)
        return shown([group], language, {"images": len(group.images)})

    @explained
    def map_images(self, context: ActionContext, vectors: VectorType = None, method: MapMethod = GRAPH,
                   map_name: str = "") -> ActionResult:
        kind = self.any_kind(vectors)
        name = words("map_name", map_name) or f"{method.value} · {kind.params.get('model', kind.source)}"
        _, chosen, found = self.images_among(context, kind)
        points = project(found, method.value).astype(np.float64)
        points *= MAP_RADIUS / max(float(np.hypot(*points.T).max()), 1e-12)
        return ActionResult(value=self.data.save_map(name, {
            image: (x, y) for image, (x, y) in zip(chosen, points.tolist(), strict=True)}))

    def _query_vector(self, kind: VectorType, file: Path) -> NDArray[np.float32]:
        """The (1, d) vector of a picture file, made as those of the type are; of its largest face for faces."""
        from ..models.images import image_embedder

        photo = Photo("", file.name, file)
        if kind.params.get("subject") != "face":
            (_, vector, error), = vectors_of_photos(image_embedder(kind.params, offline=self.params.offline))([photo])
        else:
            scanner, _ = self.face_scanner(kind)
            scanned = scanner(photo)
            vector, error = next((face.vector for face in scanned.faces), None), scanned.error
        if error is not None:
            raise error
        if vector is None:
            raise FacesError("no_faces_found")
        return vector[None]
