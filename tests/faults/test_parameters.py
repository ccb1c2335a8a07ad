"""Whatever the page, or a program, sends to an action: a valid result or one sentence, and nothing is lost."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from panoptic_faces.core.errors import FacesError
from panoptic_faces.host.params import Settings
from panoptic_faces.host.plugin import ACTIONS
from panoptic_faces.i18n import sentences
from panoptic_faces.launch import PLUGIN, Panoptic

from ..host.person import Person
from .conftest import Guarded

LONG = "é" * 500_000
VALUES: tuple[Any, ...] = ("", None, -1, 10**9, 1.5, True, [1, "a"], {"a": 1}, LONG)
PACKAGE = str(Path(__file__).parents[2] / "panoptic_faces")


@pytest.fixture(scope="module")
def cast(guarded: Guarded, shared: Path, clip_files: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory
         ) -> Iterator[tuple[Panoptic, Path, dict[str, Any]]]:
    """A project with faces, people and vectors of every kind, its folder, and an input that every parameter accepts."""
    place = tmp_path_factory.mktemp("parameters")
    server = guarded.open(place, *sorted((shared / "data/faces/bbt_cast").iterdir())[:3])
    server.act("detect_faces")
    server.wait()
    server.act("cluster_faces", save_as="Personnes")
    person = Person(server)
    clip: dict[str, Any] = {"model": "clip", "architecture": str(clip_files[0]), "pretrained": str(clip_files[1])}
    kinds = [dict(server.act("create_vector_type", **made)["value"]) for made in ({}, clip)]
    for kind in kinds:
        server.act("compute_vectors", vectors=kind)
        server.wait()
    (place / "out").mkdir()
    base = {"people": person.property, "clusters": person.property, "truth": person.property, "tags": person.property,
            "vectors": kinds[1], "folder": str(place / "out"), "text": "a face", "save": "none",
            "architecture": str(clip_files[0]), "pretrained": str(clip_files[1])}
    yield server, place / "project", base


def contents(project: Path) -> dict[str, set[Any]]:
    """Every row of both databases, but for commits and for maps and their thumbnails, which a map replaces; every crop.
    """
    found: dict[str, set[Any]] = {"crops": {path.name for path in (project / "faces").iterdir()}}
    for name in ("data.db", "media.db"):
        with closing(sqlite3.connect(project / name)) as database:
            for table, in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
                if table not in ("commits", "sqlite_sequence", "entity_log", "sequence", "maps", "image_atlas"):
                    found[table] = set(database.execute(f'SELECT * FROM "{table}"').fetchall())
    return found


def lost(before: dict[str, set[Any]], after: dict[str, set[Any]]) -> dict[str, set[Any]]:
    return {name: rows - after.get(name, set()) for name, rows in before.items() if rows - after.get(name, set())}


def is_told(sentence: str, language: str = "fr") -> bool:
    """Whether it is an error of the language's file, in one line, and short."""
    patterns = (re.sub(r"\\\{[^}]*\\\}", ".*", re.escape(words)) for key, words in sentences(language).items()
                if key.startswith("error."))
    return len(sentence) < 1500 and any(re.fullmatch(pattern, sentence) for pattern in patterns)


class Answers:
    """Sends, and judges every answer; what is wrong is kept."""

    def __init__(self, server: Panoptic, project: Path) -> None:
        self.server, self.project = server, project
        self.tried = self.refused = self.by_host = 0
        self.wrong: list[tuple[Any, ...]] = []
        self.rows = contents(project)

    def send(self, action: str, inputs: dict[str, Any], ids: list[int] | None = None) -> None:
        self.tried += 1
        what = (action, json.dumps(inputs, ensure_ascii=True)[-120:], str(ids)[:80])
        refused = False
        try:
            result = self.server.post("/action_execute", {"function": f"{PLUGIN}.{action}", "context": {
                "instance_ids": ids or [], "ui_inputs": inputs}})
            errors = [notif["message"] for notif in result["notifs"] or () if notif["type"] == "error"]
            refused = bool(errors)
            self.refused += refused
            self.wrong += [(*what, "unclear", told[:300]) for told in errors if not is_told(told)]
            self._check_groups(what, result)
        except FacesError as error:
            # The host makes values of an enumeration and types of vectors before it calls the action.
            self.by_host += 1
            if error.values["status"] not in (500, 422) or not self._is_of_the_host(action, inputs, ids):
                self.wrong.append((*what, "raised", str(error)[:300]))
        after = contents(self.project)
        if gone := lost(self.rows, after):
            self.wrong.append((*what, "lost", {name: list(rows)[:2] for name, rows in gone.items()}))
        if refused and after != self.rows:
            self.wrong.append((*what, "changed", {name: list(after[name] ^ self.rows.get(name, set()))[:3]
                                                  for name in after if after[name] != self.rows.get(name)}))
        self.rows = after

    def _is_of_the_host(self, action: str, inputs: dict[str, Any], ids: list[int] | None) -> bool:
        """Ask again for the traceback: nothing of this package may be in it."""
        import urllib.error
        import urllib.request

        body = json.dumps({"function": f"{PLUGIN}.{action}", "context": {"instance_ids": ids or [],
                                                                         "ui_inputs": inputs}}).encode()
        asked = urllib.request.Request(f"{self.server.address}/projects/{self.server.project}/action_execute", body,
                                       {"content-type": "application/json"}, method="POST")
        try:
            with urllib.request.urlopen(asked):
                return False
        except urllib.error.HTTPError as error:
            return PACKAGE not in error.read().decode()

    def judged(self) -> None:
        wrong, self.wrong = self.wrong, []
        assert not wrong, "\n".join(map(str, wrong[:20]))

    def _check_groups(self, what: tuple[Any, ...], result: dict[str, Any]) -> None:
        seen = [sha1 for group in result["groups"] or () for sha1 in group["sha1s"]]
        if len(seen) != len(set(seen)):
            self.wrong.append((*what, "an image in two groups"))


def test_every_parameter_with_every_kind_of_value(cast: tuple[Panoptic, Path, dict[str, Any]], answers: Answers
                                                  ) -> None:
    """The parameters are those that the host offers in its forms, so that a new action is tried too."""
    server, _, base = cast
    described = {name.removeprefix(f"{PLUGIN}."): action["params"] for name, action in server.get("/actions").items()
                 if name.startswith(f"{PLUGIN}.")}
    assert set(described) == set(ACTIONS)
    for action, params in described.items():
        valid = {param["name"]: base[param["name"]] for param in params if param["name"] in base}
        for param in params:
            for value in (*VALUES, f"~nobody_there/<b>\u202e\x00{action}"):
                answers.send(action, {**valid, param["name"]: value})
        answers.send(action, {param["name"]: "" for param in params})
    server.wait()
    print(f"{answers.tried} inputs, {answers.refused} refused by a sentence, {answers.by_host} by the host")
    answers.judged()
    assert answers.refused > answers.tried / 3


@pytest.mark.parametrize("ids", [[10**9], [-1], [0], [10**18, 5, 5, 5], [10**30], "deleted"])
def test_images_that_are_not_there(ids: Any, cast: tuple[Panoptic, Path, dict[str, Any]], answers: Answers) -> None:
    """Ids that never were, that are no more, or that only another project has."""
    server, project, base = cast
    if ids == "deleted":
        ids = [max(row[0] for row in server.get("/instances"))]
        server.post("/commit/delete", {"instances": ids})
        answers.rows = contents(project)
    for action in ACTIONS:
        if action not in ("forget_faces", "create_vector_type"):
            answers.send(action, {name: value for name, value in base.items() if name != "truth"}, ids)
    answers.judged()


def test_properties_of_the_wrong_kind_and_of_nowhere(cast: tuple[Panoptic, Path, dict[str, Any]], answers: Answers
                                                     ) -> None:
    server, project, base = cast
    for dtype in ("text", "number", "checkbox", "date", "url"):
        server.post("/commit/upsert", {"properties": [{"id": -1, "name": dtype, "type": dtype, "mode": "sha1"}]})
    deleted = Person(server, "Deleted").property
    server.post("/commit/delete", {"properties": [deleted]})
    answers.rows = contents(project)
    wrong = [row[0] for row in server.get("/property") if row[0] != base["people"]]
    # In groups of faces and photos together the tags of a photo count as those of its faces, which tag_photos renews.
    tags = {row[0] for row in server.get("/property") if row[1] in ("tag", "multi_tags")}
    for action, name in (("recognize_people", "people"), ("suggest_merges", "people"), ("tag_photos", "people"),
                         ("confirm_people", "people"), ("export_people", "people"), ("evaluate_clusters", "clusters"),
                         ("cluster_by_tags", "tags")):
        for number in (*(each for each in wrong if action != "tag_photos" or each not in tags), deleted, 10**6):
            answers.send(action, {"vectors": base["vectors"], "folder": base["folder"], "save": "none", name: number})
    for action in ("compute_clusters", "find_duplicates", "cluster_by_tags", "compute_vectors", "find_similar",
                   "search_by_text", "map_images"):
        for kind in ({"id": 999, "source": PLUGIN, "params": {}}, {"id": -1, "source": "", "params": {}},
                     {"id": 1, "source": "Other", "params": {"model": "clip/x", "architecture": "../x"}}):
            answers.send(action, {**base, "vectors": kind})
    for dtype in ("text", "number"):
        answers.send("cluster_faces", {"save_as": dtype})
    answers.judged()


def test_every_setting_with_every_kind_of_value(cast: tuple[Panoptic, Path, dict[str, Any]], answers: Answers) -> None:
    server, _, _ = cast
    before = server.get("/plugins_info")
    kept = {param["name"]: param["default_value"] for plugin in before for param in plugin["base_params"]["params"]
            if plugin["name"] == PLUGIN}
    for name in Settings.model_fields:
        for value in (*VALUES, 5):
            try:
                server.post("/plugin_params", {"plugin": PLUGIN, "params": {name: value}})
            except FacesError as error:
                assert error.values["status"] == 422 and is_told(error.values["message"]), (name, value, str(error))
        server.post("/plugin_params", {"plugin": PLUGIN, "params": {name: kept.get(name, "")}})
    assert server.get("/plugins_info") == before


@given(data=st.data())
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_inputs_at_all(data: st.DataObject, cast: tuple[Panoptic, Path, dict[str, Any]], answers: Answers) -> None:
    """Several wrong inputs at once, of actions that write nothing."""
    server, _, base = cast
    texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
    values = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | texts | st.lists(
        st.integers(), max_size=3) | st.dictionaries(texts, st.integers(), max_size=2)
    action = data.draw(st.sampled_from(("cluster_faces", "find_similar", "compute_clusters", "find_duplicates",
                                        "recognize_people", "map_images")))
    names = [param["name"] for param in server.get("/actions")[f"{PLUGIN}.{action}"]["params"]
             if param["name"] not in ("save_as", "to_confirm", "map_name")]
    wrong = {name: data.draw(values) for name in names if data.draw(st.booleans())}
    inputs = {name: base[name] for name in names if name in base} | wrong
    answers.send(action, inputs, data.draw(st.lists(st.integers(-5, 100), max_size=4)))
    answers.judged()


def test_long_texts_leave_nothing_in_memory(cast: tuple[Panoptic, Path, dict[str, Any]], guarded: Guarded) -> None:
    """A hundred megabytes of text, after which the server is no larger than after the first ten."""
    server, _, _ = cast

    def send(times: int) -> float:
        for number in range(times):
            server.post("/action_execute", {"function": f"{PLUGIN}.cluster_faces", "context": {
                "ui_inputs": {"save_as": LONG + str(number)}}})
        return guarded.memory()

    first = send(10)
    assert send(100) - first < 50


@pytest.fixture(scope="module")
def answers(cast: tuple[Panoptic, Path, dict[str, Any]]) -> Answers:
    return Answers(cast[0], cast[1])
