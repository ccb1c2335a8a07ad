"""Groups as hierarchical tags."""

from __future__ import annotations

from panoptic_faces.services.tags import ExistingTag, TagTree, natural, place_tags, retagged

TAGS = [ExistingTag(1, "Marie"), ExistingTag(2, "Marie.1", (1,)), ExistingTag(3, "Pierre")]
BY_ID = {tag.id: tag for tag in TAGS}


def allocate(count: int) -> range:
    return range(100, 100 + count)


def test_existing_tags_are_used_again() -> None:
    found, made = place_tags(TAGS, [("Pierre",), ("Irène",), ("Marie",)], None, allocate=allocate)
    assert found == {("Pierre",): 3, ("Irène",): 100, ("Marie",): 1}
    assert made == [ExistingTag(100, "Irène")]


def test_paths_hang_below_a_tag_and_below_each_other() -> None:
    found, made = place_tags(TAGS, [("Marie.1",), ("Marie.2", "profil")], 1, allocate=allocate)
    assert found[("Marie.1",)] == 2
    assert made == [ExistingTag(100, "Marie.2", (1,)), ExistingTag(101, "profil", (100,))]


def test_the_same_name_elsewhere_is_another_tag() -> None:
    assert place_tags(TAGS, [("Marie",)], 3, allocate=allocate)[1] == [ExistingTag(100, "Marie", (3,))]


def test_new_tags_come_in_natural_order() -> None:
    _, made = place_tags([], [(f"Visage {number}",) for number in (10, 9, 1)], None, allocate=allocate)
    assert [tag.name for tag in made] == ["Visage 1", "Visage 9", "Visage 10"]
    assert natural("Visage 10") > natural("Visage 9")


def test_a_finer_tag_replaces_the_one_that_it_refines() -> None:
    current = {"a": [1, 3], "b": []}
    assert retagged(current, {"a": 2, "b": 2}, 1, single=False) == {"a": [3, 2], "b": [2]}
    assert retagged(current, {"a": 2}, None, single=True) == {"a": [2]}
    assert retagged({"a": [2]}, {"a": 2}, None, single=False) == {"a": [2]}


def test_the_most_specific_shared_tag() -> None:
    tree = TagTree(BY_ID, {"a": [2], "b": [2, 3], "c": [1], "d": []})
    assert tree.shared(["a", "b"]) == BY_ID[2]
    assert tree.shared(["a", "c"]) == BY_ID[1]
    assert tree.shared(["a", "d"]) is None
    assert tree.shared([]) is None


def test_a_cycle_of_parents_ends() -> None:
    cycle = {1: ExistingTag(1, "a", (2,)), 2: ExistingTag(2, "b", (1,))}
    assert TagTree(cycle, {"x": [1]}).shared(["x"]) in cycle.values()


def test_who_is_known_at_a_level() -> None:
    tree = TagTree(BY_ID, {"a": [2], "b": [3], "c": []})
    assert tree.names_below(None, ["a", "b", "c"]) == ["Marie", "Pierre", None]
    assert tree.names_below(BY_ID[1], ["a", "b", "c"]) == ["Marie.1", None, None]
