"""Groups as hierarchical tags: which tags to use again, which to make, and who carries which."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

Path = tuple[str, ...]


@dataclass(frozen=True)
class ExistingTag:
    """A tag of a property: its id, its name and the ids of its parents."""

    id: int
    name: str
    parents: tuple[int, ...] = ()


@dataclass(frozen=True)
class TagTree:
    """The tags of a property, by id, and the ids that each image carries, oldest tag first."""

    tags: Mapping[int, ExistingTag]
    carried: Mapping[str, Sequence[int]]

    def with_ancestors(self, ids: Iterable[int]) -> set[int]:
        """These tags and all above them."""
        found: set[int] = set()
        waiting = [tag for tag in ids if tag in self.tags]
        while waiting:
            tag = waiting.pop()
            if tag not in found:
                found.add(tag)
                waiting.extend(parent for parent in self.tags[tag].parents if parent in self.tags)
        return found

    def shared(self, images: Iterable[str]) -> ExistingTag | None:
        """The most specific tag that every image carries, itself or by a descendant; None where there is none."""
        common: set[int] | None = None
        for image in images:
            has = self.with_ancestors(self.carried.get(image, ()))
            common = has if common is None else common & has
            if not common:
                return None
        if not common:
            return None
        return self.tags[max(common, key=lambda tag: (len(self.with_ancestors([tag])), tag))]

    def carriers(self, names: Collection[str]) -> set[str]:
        """The images that carry a tag of one of these names, itself or by a descendant; see ``plain``."""
        wanted = {tag.id for tag in self.tags.values() if plain(tag.name) in names}
        if not wanted:
            return set()
        return {image for image, carried in self.carried.items() if self.with_ancestors(carried) & wanted}

    def displayed(self) -> dict[int, str]:
        """The name of each tag; one that several tags bear is preceded by those of the tags above."""
        bearers = Counter(tag.name for tag in self.tags.values())
        return {tag.id: tag.name if bearers[tag.name] == 1 else " > ".join(self.path(tag.id))
                for tag in self.tags.values()}

    def people(self, images: Iterable[str]) -> list[str | None]:
        """Of each image, the name of the most specific tag that it carries, the oldest of several; None for none."""
        names = self.displayed()
        best = (max((tag for tag in self.carried.get(image, ()) if tag in self.tags),
                    key=lambda tag: (len(self.with_ancestors([tag])), -tag), default=None) for image in images)
        return [None if tag is None else names[tag] for tag in best]

    def path(self, tag: int) -> Path:
        """The names from the top down to a tag; of several parents the oldest."""
        names: list[str] = []
        seen: set[int] = set()
        step: int | None = tag
        while step is not None and step in self.tags and step not in seen:
            seen.add(step)
            names.append(self.tags[step].name)
            step = min(self.tags[step].parents, default=None)
        return tuple(reversed(names))

    def children(self, level: ExistingTag | None) -> dict[int, str]:
        """Id and name of the tags just below ``level``; at the top where it is None."""
        return {tag.id: tag.name for tag in self.tags.values()
                if (level.id in tag.parents if level is not None else not tag.parents)}

    def names_below(self, level: ExistingTag | None, images: Iterable[str]) -> list[str | None]:
        """Of each image, the name of the tag just below ``level`` (None: at the top) that it carries.

        An image may carry it by a descendant; of several the oldest counts; None where it carries none.
        """
        below = self.children(level)
        has = (self.with_ancestors(self.carried.get(image, ())) & below.keys() for image in images)
        return [self.tags[min(found)].name if found else None for found in has]


def place_tags(existing: Iterable[ExistingTag], paths: Iterable[Path], under: int | None, *,
               allocate: Callable[[int], Sequence[int]]) -> tuple[dict[Path, int], list[ExistingTag]]:
    """The tag of every path of names, from the top tag down, and the tags that have to be made for it.

    under: the tag below which the paths hang, None for the top. allocate: gives that many new tag ids.
    """
    steps = sorted({path[:depth] for path in paths for depth in range(1, len(path) + 1)},
                   key=lambda step: (len(step), [natural(name) for name in step]))
    known = {(tag.name, tag.parents): tag.id for tag in existing}
    found: dict[Path, int] = {}
    missing: list[Path] = []
    for step in steps:
        parent = found.get(step[:-1]) if len(step) > 1 else under
        above = () if parent is None else (parent,)
        if (len(step) == 1 or parent is not None) and (step[-1], above) in known:
            found[step] = known[step[-1], above]
        else:
            missing.append(step)
    made: list[ExistingTag] = []
    for step, new_id in zip(missing, allocate(len(missing)), strict=True):
        parent = found[step[:-1]] if len(step) > 1 else under
        made.append(ExistingTag(new_id, step[-1], () if parent is None else (parent,)))
        found[step] = new_id
    return found, made


def retagged(current: Mapping[str, Sequence[int]], wanted: Mapping[str, int], under: int | None, *,
             single: bool) -> dict[str, list[int]]:
    """The new tags of each image: its own, without the one that the new tag refines, and the new one.

    single: the property holds one tag an image.
    """
    return {image: [tag] if single else
            [*(old for old in current.get(image, ()) if old not in (under, tag)), tag]
            for image, tag in wanted.items()}


def natural(name: str) -> tuple[str, int]:
    """A sort key that puts « Visage 10 » after « Visage 9 »."""
    head = name.rstrip("0123456789")
    return head, int(name[len(head):] or 0)


def plain(name: str) -> str:
    """A name as two people may type it: without capitals, outer spaces or curled apostrophes."""
    return name.strip().casefold().replace("’", "'")


def mirrored(people: TagTree, own: Collection[tuple[str, int]], photo_of: Mapping[str, str], photos: Iterable[str],
             left_out: Collection[str]) -> dict[str, list[int]]:
    """The new tags of the photos whose tags change, so that each carries the people of its faces.

    people: the tags of faces and photos alike. own: image and tag of what an earlier run gave: it goes where no
    face carries it any more; what a person gave to a photo stays. photo_of: face → photo. left_out: names of
    tags, see ``plain``, that are no people.
    """
    no_people = {tag.id for tag in people.tags.values() if plain(tag.name) in left_out}
    wanted: dict[str, set[int]] = {}
    for face, photo in photo_of.items():
        wanted.setdefault(photo, set()).update(set(people.carried.get(face, ())) - no_people)
    changed: dict[str, list[int]] = {}
    for photo in photos:
        has = set(people.carried.get(photo, ()))
        new = {tag for tag in has if (photo, tag) not in own} | wanted.get(photo, set())
        if new != has:
            changed[photo] = sorted(new)
    return changed
