"""Groups that were saved before: under which names they are saved again, and what moved."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from .tags import Path, TagTree, natural, retagged

# At most so many moves are told by name.
TOLD_MOVES = 5


@dataclass(frozen=True)
class Changes:
    """What saving changed: the number of images that keep their tags, got their first, and lost them all; and how many
    went from which tags to which, most first."""

    kept: int
    new: int
    gone: int
    moves: tuple[tuple[str, str, int], ...]

    @property
    def moved(self) -> int:
        return sum(count for _, _, count in self.moves)

    def named_moves(self) -> str:
        """The moves of most images: « A → B (3), C → B (1) »."""
        told = [f"{old} → {new} ({count})" for old, new, count in self.moves[:TOLD_MOVES]]
        return ", ".join(told + ["…"] * (len(self.moves) > TOLD_MOVES))


def compare_tags(images: Iterable[str], before: Mapping[str, Sequence[int]], after: Mapping[str, Sequence[int]],
                 names: Mapping[int, str]) -> Changes:
    """What changed of the tags of images. before, after: image → tags, none where it is missing; names: of each tag."""
    kept = new = gone = 0
    moves: Counter[tuple[str, str]] = Counter()
    for image in images:
        old, now = set(before.get(image, ())), set(after.get(image, ()))
        kept += bool(old) and old == now
        new += not old and bool(now)
        gone += bool(old) and not now
        if old and now and old != now:
            moves[_named(old - now or old, names), _named(now - old or now, names)] += 1
    ordered = sorted(moves.items(), key=lambda move: (-move[1], natural(move[0][0]), natural(move[0][1])))
    return Changes(kept, new, gone, tuple((old, now, count) for (old, now), count in ordered))


def tags_again(before: Mapping[str, Sequence[int]], layers: Sequence[Mapping[str, int]], tree: TagTree, *,
               under: int | None = None, own: Collection[tuple[str, int]] = (), single: bool = False
               ) -> dict[str, list[int]]:
    """The new tags of each image.

    before: image → tags. layers: image → a tag to give it. under: the tag that the given ones refine. own: image and
    tag of what an earlier run gave, which goes unless it is given again, or is finer than what is given. single: the
    property holds one tag an image.
    """
    after = {image: [tag for tag in has if (image, tag) not in own] for image, has in before.items()}
    for layer in layers:
        finer = {image: [has for has in before.get(image, ()) if tag in tree.with_ancestors([has])]
                 for image, tag in layer.items()}
        after |= retagged(after, {image: tag for image, tag in layer.items() if not finer[image]}, under, single=single)
        after |= {image: list(dict.fromkeys([*after[image], *has])) for image, has in finer.items() if has}
    return after


def names_again(paths: Mapping[str, Path], tree: TagTree, under: int | None, own: Collection[tuple[str, int]], *,
                apart: Collection[str] = ()) -> dict[Path, Path]:
    """The path of names under which each path is saved again, so that what is the same group keeps its name.

    paths: image → names from the top tag down. tree, under: the tags there are, and that below which the paths hang.
    own: image and tag of what an earlier run gave; what a person put under a tag does not name groups. On each level a
    group takes the name of the tag that more than half of its images carry, or that has more than half of its images
    in the group; the largest intersections choose first, and no tag is taken twice. The other groups keep their names,
    or get the next free number where a tag that is not theirs bears it. apart: beginnings of names that say different
    things, so that no group takes the other's.
    """
    found: dict[Path, Path] = {}
    members: dict[Path, list[str]] = {}
    for image, path in paths.items():
        for depth in range(1, len(path) + 1):
            members.setdefault(path[:depth], []).append(image)
    carried = {image: tree.with_ancestors(tag for tag in has if (image, tag) in own)
               for image, has in tree.carried.items()}
    staying = tree.with_ancestors(tag for image, has in tree.carried.items() for tag in has
                                  if image not in paths or (image, tag) not in own)
    tags: dict[Path, int | None] = {(): under}
    below: dict[Path, list[Path]] = {}
    for path in sorted(members, key=lambda path: (len(path), natural(path[-1]))):
        below.setdefault(path[:-1], []).append(path)
    for parent, groups in below.items():
        above = tags.get(parent)
        hanging = () if above is None else (above,)
        siblings = {tag.id: tag.name for tag in tree.tags.values() if tag.parents == hanging
                    and (above is not None or not parent)}
        taken = _taken({path: members[path] for path in groups}, siblings, carried, apart)
        tags |= taken
        # A tag all of whose images leave it in this run is free to be used.
        busy = staying.union(tag for tag in taken.values() if tag is not None)
        used = {name for tag, name in siblings.items() if tag in busy}
        last: dict[str, int] = {}
        for path in groups:
            tag = taken.get(path)
            name = siblings[tag] if tag is not None else _free(_inherited(path, found), used, last)
            used.add(name)
            found[path] = (*found.get(parent, ()), name)
    return found


def _taken(groups: Mapping[Path, Sequence[str]], siblings: Mapping[int, str], carried: Mapping[str, set[int]],
           apart: Collection[str]) -> dict[Path, int | None]:
    """The tag whose images each group mostly has."""
    common = Counter((path, tag) for path, images in groups.items() for image in images
                     for tag in carried.get(image, ()) if tag in siblings)
    sizes = Counter(tag for has in carried.values() for tag in has if tag in siblings)
    taken: dict[Path, int | None] = {}
    given: set[int] = set()
    for (path, tag), count in sorted(common.items(), key=lambda pair: (-pair[1], natural(pair[0][0][-1]), pair[0][1])):
        heads = {natural(path[-1])[0], natural(siblings[tag])[0]} & set(apart)
        mostly = 2 * count > min(len(groups[path]), sizes[tag])
        if mostly and path not in taken and tag not in given and len(heads) < 2:
            taken[path] = tag
            given.add(tag)
    return taken


def _inherited(path: Path, found: Mapping[Path, Path]) -> str:
    """A group's own name, begun by its parent's new name where it began by the old one."""
    parent = path[:-1]
    if parent and path[-1].startswith(parent[-1] + "."):
        return found[parent][-1] + path[-1][len(parent[-1]):]
    return path[-1]


def _free(name: str, used: set[str], last: dict[str, int]) -> str:
    """The name, or its beginning with the next number that is free. last: the last number given to each beginning."""
    if name not in used:
        return name
    head, _ = natural(name)
    last[head] = next(number for number in itertools.count(last.get(head, 0) + 1) if f"{head}{number}" not in used)
    return f"{head}{last[head]}"


def _named(tags: Iterable[int], names: Mapping[int, str]) -> str:
    return " + ".join(sorted(names[tag] for tag in tags if tag in names))
