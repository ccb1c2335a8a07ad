"""Actions on whole images, on the vectors of any plugin.

Annotations must be real objects here: the host reads an action's form off them.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np
from panoptic.core.databases.media.models import VectorType
from panoptic.models.action_models import ActionContext, ActionResult, NotifType, PropertyId

from ..core.errors import FacesError
from ..i18n import languages, text
from ..services import images as service
from ..services.organise import Group
from ..services.saving import names_again
from ..services.tags import Path, TagTree
from .lookup_actions import LookupActions
from .params import Linkage, Parents, explained, name_of_property, share, switch, words
from .results import Saved, ShownNames, shown, told

COMPLETE = Linkage("complete")
USE = Parents("use")


class ImageActions(LookupActions):
    """What the plugin does with whole images."""

    names: ShownNames

    @explained
    def compute_clusters(self, context: ActionContext, vectors: VectorType = None, nb_clusters: int = 10,
                         levels: int = 1, save_as: str = "") -> ActionResult:
        language = self.data.language()
        saved = name_of_property(save_as)
        images, chosen, found = self.images_among(context, self.image_kind(vectors))
        groups, paths = service.group_images(chosen, found, language, n_clusters=nb_clusters, levels=levels,
                                             within="" if saved else self.names.of(images))
        self.names.keep(groups, images)
        done = None
        if saved:
            tree = self.tags.tree(self.tags.named(saved))
            under = tree.shared(chosen)
            groups, paths = self._named_again(groups, paths, saved, tree, under.id if under else None)
            done = self._saved(saved, paths, chosen, tree, under.id if under else None, one=True)
        inside = set(chosen)
        rest = [image for image in images if image not in inside]
        return shown([*groups, Group(text("group.no_vector", language), rest)], language,
                     {"images": len(chosen), "groups": len(groups)}, done)

    @explained
    def find_duplicates(self, context: ActionContext, vectors: VectorType = None, min_similarity: float = 0.95,
                        linkage: Linkage = COMPLETE, turned: bool = False, save_as: str = "") -> ActionResult:
        from ..models.images import is_visual

        language = self.data.language()
        saved, poses = name_of_property(save_as), switch("turned", turned)
        kind = self.image_kind(vectors)
        if poses and not is_visual(kind.params):
            raise FacesError("turned_visual")
        _, chosen, found = self.images_among(context, kind)
        groups = service.group_copies(chosen, found, language, min_similarity=min_similarity, linkage=linkage.value,
                                      turned=poses, pixels=self.data.pixels, sharpness=self.data.sharpness)
        done = None
        if saved:
            kinds = {text(key, code, number="") for key in ("group.copies", "group.duplicates") for code in languages()}
            paths: dict[str, Path] = {image: (group.name,) for group in groups for image in group.images}
            tree = self.tags.tree(self.tags.named(saved))
            groups, paths = self._named_again(groups, paths, saved, tree, None, kinds)
            done = self._saved(saved, paths, chosen, tree, one=True)
        if not groups:
            return told(NotifType.INFO, text("notif.no_duplicates", language), language)
        return shown(groups, language, {"images": len(chosen), "groups": len(groups)}, done)

    @explained
    def cluster_by_tags(self, context: ActionContext, tags: PropertyId = None, vectors: VectorType = None,
                        parent_tags: Parents = USE, prefix: str = "", min_strength: float = 0.5,
                        multiple: bool = False, examples: bool = False, save_as: str = "") -> ActionResult:
        language = self.data.language()
        saved, several, learn = name_of_property(save_as), switch("multiple", multiple), switch("examples", examples)
        least = share("min_strength", min_strength)
        before = words("prefix", prefix)
        kind = self.clip_kind(vectors)
        tree = self.tags.tree(self.tags.meant(tags, refusal="tags_property"))
        order, names = sorted(tree.tags), tree.displayed()
        if not order:
            raise FacesError("tags_none")
        place = {tag: position for position, tag in enumerate(order)}
        images, chosen, found = self.images_among(context, kind)
        carried = np.array([[tag in held for tag in order] for held in (
            set(tree.carried.get(image, ())) for image in chosen)]) if learn else None
        groups, rest, given = service.group_by_tags(
            chosen, found, [names[tag] for tag in order],
            [[place[above] for above in tree.tags[tag].parents if above in place] for tag in order],
            self.clip_of(kind).embed_texts, examples=carried, parent_tags=parent_tags.value,
            prefix=before + " " if before and "{}" not in before else before, min_strength=least, multiple=several)
        done = None
        if saved and given:
            layers = [{image: tree.path(order[held[depth]]) for image, held in given.items() if len(held) > depth}
                      for depth in range(max(map(len, given.values())))]
            done = self._saved(saved, layers[0], chosen, self.tags.tree(self.tags.named(saved)), further=layers[1:])
        inside = set(chosen)
        rest += [image for image in images if image not in inside]
        return shown([*groups, Group(text("group.no_tag", language), rest)], language,
                     {"images": len(chosen), "groups": len(groups), "untagged": len(rest)}, done)

    def _named_again(self, groups: list[Group], paths: dict[str, Path], saved: str, tree: TagTree, under: int | None,
                     apart: Collection[str] = ()) -> tuple[list[Group], dict[str, Path]]:
        """Groups, and the paths of their images, under the names that they were saved under before."""
        names = names_again(paths, tree, under, self.tags.own(saved), apart=apart)
        return ([replace(group, name=names[paths[group.images[0]]][-1]) for group in groups],
                {image: names[path] for image, path in paths.items()})

    def _saved(self, name: str, paths: dict[str, Path], images: list[str], read: TagTree, under: int | None = None,
               *, further: Sequence[dict[str, Path]] = (), one: bool = False) -> Saved | None:
        """Save groups, and tell what moved since they were saved before."""
        changes = self.tags.write(name, paths, under, images=images, read=read, further=further, again=True,
                                  one=one)
        return Saved(name, changes) if changes else None
