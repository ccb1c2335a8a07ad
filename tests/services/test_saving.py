"""Groups that are saved a second time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from panoptic_faces.services.saving import compare_tags, names_again, tags_again
from panoptic_faces.services.tags import ExistingTag, Path, TagTree

TAGS = {1: ExistingTag(1, "Groupe 1"), 2: ExistingTag(2, "Paysages"), 3: ExistingTag(3, "Groupe 3"),
        4: ExistingTag(4, "Paysages.1", (2,))}


def tree(**carried: list[int]) -> TagTree:
    return TagTree(TAGS, carried)


def again(paths: Mapping[str, Path], known: TagTree, under: int | None = None, by_hand: str = "", **settings: Any
          ) -> dict[Path, Path]:
    own = {(image, tag) for image, has in known.carried.items() for tag in has if image not in by_hand}
    return names_again(paths, known, under, own, **settings)


def test_what_moved_is_counted_and_named() -> None:
    names = {tag.id: tag.name for tag in TAGS.values()}
    before = {"a": [1], "b": [1], "c": [2], "d": [3], "e": [1, 2]}
    after = {"a": [1], "b": [2], "c": [3], "f": [1], "e": [1, 3], "g": []}
    changes = compare_tags("abcdefg", before, after, names)
    assert (changes.kept, changes.moved, changes.new, changes.gone) == (1, 3, 1, 1)
    assert changes.moves == (("Paysages", "Groupe 3", 2), ("Groupe 1", "Paysages", 1))
    assert changes.named_moves() == "Paysages → Groupe 3 (2), Groupe 1 → Paysages (1)"


def test_only_the_largest_moves_are_named() -> None:
    names = {number: f"Visage {number}" for number in range(20)}
    changes = compare_tags(map(str, range(9)), {str(number): [number] for number in range(9)},
                           {str(number): [number + 9] for number in range(9)}, names)
    assert changes.named_moves().startswith("Visage 0 → Visage 9 (1), ") and changes.named_moves().endswith(", …")


def test_the_same_groups_keep_their_names_in_whatever_order() -> None:
    known = tree(a=[1], b=[1], c=[2], d=[2], e=[3])
    paths = {"a": ("Groupe 2",), "b": ("Groupe 2",), "c": ("Groupe 1",), "d": ("Groupe 1",), "e": ("Groupe 3",),
             "f": ("Groupe 1",)}
    assert again(paths, known) == {("Groupe 2",): ("Groupe 1",), ("Groupe 1",): ("Paysages",),
                                               ("Groupe 3",): ("Groupe 3",)}


def test_a_group_of_others_does_not_take_a_name_that_is_somebody_elses() -> None:
    # Groupe 1 is of images that this run does not concern, Groupe 3 of nobody any more.
    known = tree(a=[1], b=[1], c=[3])
    paths = {"x": ("Groupe 1",), "c": ("Groupe 2",), "y": ("Groupe 2",), "z": ("Groupe 2",), "w": ("Groupe 2",)}
    assert again(paths, known) == {("Groupe 1",): ("Groupe 2",), ("Groupe 2",): ("Groupe 3",)}
    alone = {"a": ("Groupe 1",), "b": ("Groupe 2",), "c": ("Groupe 2",)}
    assert set(again(alone, known).values()) == {("Groupe 1",), ("Groupe 3",)}


def test_what_a_person_put_somewhere_does_not_name_a_group() -> None:
    known = tree(a=[2], b=[1], c=[1])
    paths = {"a": ("Groupe 1",), "d": ("Groupe 1",), "e": ("Groupe 1",), "b": ("Groupe 2",), "c": ("Groupe 2",)}
    assert again(paths, known)[("Groupe 1",)] == ("Paysages",)
    assert again(paths, known, by_hand="a") == {("Groupe 1",): ("Groupe 2",), ("Groupe 2",): ("Groupe 1",)}
    assert again({"a": ("Groupe 1",)}, tree(a=[1], b=[1]), by_hand="ab") == {("Groupe 1",): ("Groupe 2",)}


def test_levels_are_named_again_below_their_tags() -> None:
    known = tree(a=[4], b=[4], c=[2], d=[1])
    paths = {"a": ("Groupe 1", "Groupe 1.2"), "b": ("Groupe 1", "Groupe 1.2"), "c": ("Groupe 1", "Groupe 1.1"),
             "d": ("Groupe 2", "Groupe 2.1")}
    assert again(paths, known) == {
        ("Groupe 1",): ("Paysages",), ("Groupe 1", "Groupe 1.2"): ("Paysages", "Paysages.1"),
        ("Groupe 1", "Groupe 1.1"): ("Paysages", "Paysages.2"),
        ("Groupe 2",): ("Groupe 1",), ("Groupe 2", "Groupe 2.1"): ("Groupe 1", "Groupe 1.1")}
    assert again({"a": ("Groupe 1",), "b": ("Groupe 1",)}, known, 2) == {("Groupe 1",): ("Paysages.1",)}


def test_numbered_names_of_two_kinds_are_two_things() -> None:
    known = TagTree({1: ExistingTag(1, "Copies exactes 1")}, {"a": [1], "b": [1]})
    paths = {"a": ("Doublons 1",), "b": ("Doublons 1",)}
    assert again(paths, known, apart=("Copies exactes ", "Doublons "))[("Doublons 1",)] == ("Doublons 1",)
    assert again(paths, known)[("Doublons 1",)] == ("Copies exactes 1",)


def test_what_an_earlier_run_gave_goes_and_what_a_person_gave_stays() -> None:
    before = {"a": [1], "b": [3, 2], "c": [1], "d": [2]}
    own = {("a", 1), ("b", 3), ("c", 1)}
    after = tags_again(before, [{"a": 3, "b": 1}], tree(**before), own=own)
    assert after == {"a": [3], "b": [2, 1], "c": [], "d": [2]}
    assert tags_again(before, [{"a": 3}], tree(**before)) == {**before, "a": [1, 3]}


def test_a_finer_tag_is_not_replaced_by_a_coarser() -> None:
    before = {"a": [4], "b": [1]}
    own = {("a", 4), ("b", 1)}
    assert tags_again(before, [{"a": 2, "b": 2}], tree(**before), own=own) == {"a": [4], "b": [2]}
    assert tags_again(before, [{"a": 2, "b": 2}], tree(**before), own=own, single=True) == {"a": [4], "b": [2]}
