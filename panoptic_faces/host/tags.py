"""Tags of images, by the names of properties."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from panoptic.core.databases.data.models import Property, Tag, UpsertCommit
from panoptic.core.databases.entity_schema import OP_CREATE

from ..core.errors import FacesError
from ..i18n import languages, text
from ..services.saving import Changes, compare_tags, tags_again
from ..services.tags import ExistingTag, Path, TagTree, mirrored, place_tags, plain, retagged
from .database import Database, exclusive

TAG_DTYPES = ("tag", "multi_tags")
TAG_COLOURS = 12

# A face that carries one of these tags, of whatever property and in whatever language, is left out of every result.
IGNORED = {plain(text(key, code)) for key in ("tag.not_a_face", "tag.ignore") for code in languages()}

# A face that carries this tag is somebody that the user does not know: no example of anyone.
UNKNOWN = {plain(text("group.unknown", code)) for code in languages()}

# Properties of tags that name nobody.
AUXILIARY = {text(key, code) for key in ("property.to_confirm", "property.different") for code in languages()}


class Tags:
    """The properties of tags of one project."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._host = database.public

    def tree(self, prop: Property | None) -> TagTree:
        """The tags of a property and who carries them; of None, nothing."""
        tags = self._tags(prop) if prop else {}
        if not prop or not tags:
            return TagTree(tags, {})
        return TagTree(tags, {sha1: [tag for tag in carried if tag in tags]
                              for sha1, carried in self._database.tag_ids(prop.id).items()})

    def _tags(self, prop: Property) -> dict[int, ExistingTag]:
        return {tag.id: ExistingTag(tag.id, tag.value, tuple(tag.parents or ()))
                for tag in self._host.get_tags(list_id=prop.tag_list_id)}

    def chosen(self, property_id: Any, refusal: str = "people_property") -> Property:
        """The property of tags on images' contents of that id; else raises FacesError ``refusal``."""
        found = [prop for prop in self._host.get_properties() if prop.id == property_id and _holds_tags(prop)]
        if not found:
            raise FacesError(refusal)
        return found[0]

    def meant(self, property_id: Any, setting: str = "", refusal: str = "people_property") -> Property:
        """The property of tags that is meant: the chosen one; else that of the setting, or the only one there is.

        The page sends its first property, which holds no tags, where none was chosen.
        Raises FacesError ``refusal``.
        """
        there = self._host.get_properties()
        if self.is_chosen(property_id) or (property_id not in (None, "")
                                           and all(prop.id != property_id for prop in there)):
            return self.chosen(property_id, refusal)
        named = self.named(setting) if setting else None
        candidates = [named] if named else [prop for prop in there if _holds_tags(prop)
                                            and prop.name not in AUXILIARY]
        if len(candidates) != 1:
            raise FacesError(refusal)
        return candidates[0]

    def is_chosen(self, property_id: Any) -> bool:
        """Whether that id is of a property that holds tags on images' contents."""
        return any(prop.id == property_id and _holds_tags(prop) for prop in self._host.get_properties())

    def named(self, name: str) -> Property | None:
        """The property of tags on images' contents of that name, None where the name is free.

        Raises FacesError ``save_as_taken`` where a property of that name cannot hold them.
        """
        same = [prop for prop in self._host.get_properties() if prop.name == name]
        fit = [prop for prop in same if _holds_tags(prop) and prop.access != "read"]
        if same and not fit:
            raise FacesError("save_as_taken", name=name)
        return fit[0] if fit else None

    @exclusive
    def ensure(self, name: str) -> Property:
        """The property of tags of that name, made where it is missing."""
        found = self.named(name)
        if found is None:
            found = self._new_property(name)
            self._host.apply_upsert_commit(UpsertCommit(properties={found.id: found}))
        return found

    def own(self, name: str) -> set[tuple[str, int]]:
        """The image and tag of every tag of a property that the plugin gave, and not a person."""
        prop = self.named(name)
        return self._database.own_tags(prop.id) if prop else set()

    def to_confirm(self) -> Property | None:
        """The property of faces that wait to be confirmed, in whatever language it was made."""
        return self._in_any_language("property.to_confirm")

    def different(self) -> Property:
        """The property of groups that are known to be different people, made where it is missing."""
        return (self._in_any_language("property.different")
                or self.ensure(text("property.different", self._database.language())))

    def _in_any_language(self, key: str) -> Property | None:
        names = [text(key, code) for code in (self._database.language(), *languages())]
        return next((found for found in map(self.named, dict.fromkeys(names)) if found), None)

    @exclusive
    def move(self, source: Property, target: Property, names: Mapping[str, str]) -> None:
        """Give images the tags of these names in one property and take all of theirs in another, in one commit."""
        tree = self.tree(target)
        known = {name: tag for tag, name in tree.displayed().items()}
        placed, missing = place_tags((), {(name,) for name in names.values() if name not in known}, None,
                                     allocate=lambda count: self._database.allocate("tags", count))
        commit = UpsertCommit(tags={tag.id: _made(tag, target) for tag in missing})
        ids = {**known, **{path[0]: tag for path, tag in placed.items()}}
        values = retagged(tree.carried, {image: ids[name] for image, name in names.items()}, None,
                          single=target.dtype == "tag")
        self._database.write_values({target.id: values, source.id: dict.fromkeys(names, [])}, commit)

    def ignored(self) -> set[str]:
        """The images that a person said are no faces, or to ignore, by a tag of any property."""
        found: set[str] = set()
        for prop in self._host.get_properties():
            if _holds_tags(prop) and any(plain(tag.name) in IGNORED for tag in self._tags(prop).values()):
                found |= self.tree(prop).carriers(IGNORED)
        return found

    @exclusive
    def mirror(self, prop: Property, photo_of: Mapping[str, str], photos: Iterable[str]) -> int:
        """Give photos the people of their faces, see ``mirrored``; the number of photos that changed.

        photo_of: face → photo, of all faces; those that a person set aside count for nobody.
        """
        history, ignored = self._database.tag_history(prop.id), self.ignored()
        # A tag that no face ever carried, of a group of photos for one, is not this action's to take.
        pictures = set(self._database.instances().values()) - photo_of.keys()
        people = {tag for image, tag in history if image not in pictures}
        own = {cell for cell, ours in history.items() if ours and cell[1] in people}
        counted = {face: photo for face, photo in photo_of.items() if face not in ignored}
        changed = mirrored(self.tree(prop), own, counted, photos, IGNORED)
        if prop.dtype == "tag" and any(len(tags) > 1 for tags in changed.values()):
            raise FacesError("people_property_single", name=prop.name)
        if changed:
            self._database.write_values({prop.id: changed})
        return len(changed)

    @exclusive
    def write(self, name: str, paths: Mapping[str, Path], under: int | None = None, *, images: Sequence[str],
              read: TagTree, further: Sequence[Mapping[str, Path]] = (), again: bool = False,
              one: bool = False) -> Changes | None:
        """Give each image the tag at the end of its path of names, in one commit; what changed since an earlier run.

        paths: image → names from the top tag down. under: the tag below which the paths hang. images: those of the
        run. read: the tags when the groups were made; images whose tags were changed since keep those, and images
        that left the project get none. further: more tags of the images, given where the property holds several.
        again: the tags that an earlier run gave go where this one gives others or none; a person's stay. one: an image
        that a person gave a tag is left as it is.
        The property is made where it is missing, and tags that exist are used again.
        """
        commit = UpsertCommit()
        prop = self.named(name)
        if prop is None:
            prop = self._new_property(name)
            commit.properties[prop.id] = prop
        tree = self.tree(prop)
        living = {image for image in self._database.living(images)
                  if tree.carried.get(image) == read.carried.get(image)}
        own = self._database.own_tags(prop.id) if again and tree.carried else set()
        if one:
            living -= {image for image, has in tree.carried.items()
                       if any((image, tag) not in own and tag != under for tag in has)}
        single = prop.dtype == "tag"
        layers = [{image: path for image, path in layer.items() if image in living}
                  for layer in ([paths] if single else [paths, *further])]
        placed, missing = place_tags(tree.tags.values(), [path for layer in layers for path in layer.values()], under,
                                     allocate=lambda count: self._database.allocate("tags", count))
        for tag in missing:
            commit.tags[tag.id] = _made(tag, prop)
        before: dict[str, Sequence[int]] = {image: tree.carried.get(image, ()) for image in images if image in living}
        after = tags_again(before, [{image: placed[path] for image, path in layer.items()} for layer in layers], tree,
                           under=under, own=own, single=single)
        self._database.write_values({prop.id: {image: has for image, has in after.items()
                                               if set(has) != set(before[image])}}, commit)
        kept = {image: tree.carried[image] for image in images if image in tree.carried}
        names = {**tree.displayed(), **{tag.id: tag.name for tag in missing}}
        return compare_tags(images, kept, {**kept, **after}, names) if kept else None

    def _new_property(self, name: str) -> Property:
        new_id = self._database.allocate("properties", 1)[0]
        return Property(id=new_id, dtype="multi_tags", mode="sha1", name=name, access="write", tag_list_id=new_id,
                        commit_id=0, operation=OP_CREATE)


def _made(tag: ExistingTag, prop: Property) -> Tag:
    return Tag(id=tag.id, list_id=prop.tag_list_id, value=tag.name, parents=list(tag.parents),
               color=tag.id % TAG_COLOURS, commit_id=0, operation=OP_CREATE)


def _holds_tags(prop: Property) -> bool:
    return prop.dtype in TAG_DTYPES and prop.mode == "sha1" and not prop.system_key
