"""What Panoptic does that this plugin works around: docs/panoptic.md lists each with what could then be removed.

Every test describes the host as it is today. One that fails says that the host has changed, not that it broke.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from panoptic.core.databases.data.models import Sha1Value, UpsertCommit
from panoptic.core.databases.entity_schema import OP_CREATE
from panoptic.core.plugin.plugin_interface import PluginProjectInterface
from panoptic.core.project.project import Project as HostProject
from PIL import Image

from panoptic_faces.core.errors import FacesError
from panoptic_faces.launch import Panoptic, free_port, running

from ..drawn import draw_people
from .driver import CHROMIUM, Page

pytestmark = pytest.mark.expected_to_change
PHOTOS = 4


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Panoptic]:
    """A Panoptic with four drawn pictures and the plugin of the folder ``probe``."""
    home = tmp_path_factory.mktemp("quirks")
    (home / "photos").mkdir()
    for number in range(PHOTOS):
        Image.new("RGB", (40, 40), (60 * number, 0, 0)).save(home / "photos" / f"{number}.png")
    environment = {"HOME": str(home), "USERPROFILE": str(home), "PANOPTIC_DB": str(home / "panoptic.db")}
    with running(free_port(), environment, home / "server.log") as (server, _):
        server.request("POST", "/plugins", {"name": "Probe", "source": str(Path(__file__).parent / "probe"),
                                            "source_type": "path"})
        server.request("POST", "/create_project", {"name": "quirks", "path": str(home / "project")})
        server.project = server.request("GET", "/projects")[0]["id"]
        server.request("POST", "/load", {"id": server.project})
        server.wait()
        server.import_folder(home / "photos")
        yield server


@pytest.fixture
def act(host: Panoptic) -> Callable[..., Any]:
    """Run an action of the probe and give its answer."""
    def run(action: str, **inputs: Any) -> Any:
        return host.post("/action_execute", {"function": f"Probe.{action}", "context": {"ui_inputs": inputs}})
    return run


@pytest.fixture(scope="module")
def page(host: Panoptic) -> Iterator[Page]:
    if CHROMIUM is None:
        pytest.skip("needs Debian's package chromium")
    shown = Page(host.address)
    shown.open("quirks")
    yield shown
    shown.close()


@pytest.fixture
def interface(tmp_path: Path) -> Iterator[PluginProjectInterface]:
    """What a plugin is given of an empty project, without a server."""
    with HostProject(tmp_path / "project") as project:
        yield project.make_plugin_interface("Probe")


def described(host: Panoptic, action: str) -> dict[str, Any]:
    return dict(host.get("/actions")[f"Probe.{action}"])


def names(host: Panoptic, action: str) -> set[str]:
    return {param["name"] for param in described(host, action)["params"]}


def test_annotations_as_text_lose_every_parameter(host: Panoptic) -> None:
    assert names(host, "late_annotations") == set()


def test_optional_and_list_parameters_are_dropped(host: Panoptic) -> None:
    assert names(host, "parameters") == {"number", "camelCase", "colour"}


def test_a_description_ends_at_the_first_at_sign(host: Panoptic) -> None:
    assert described(host, "parameters")["description"] == "What it does, written to me"


def test_no_kind_is_checked(act: Callable[..., Any]) -> None:
    assert act("parameters", number="")["value"]["kind"] == "str"


def test_a_wrong_choice_fails_before_the_plugin_is_asked(act: Callable[..., Any]) -> None:
    with pytest.raises(FacesError) as caught:
        act("parameters", colour="green")
    assert caught.value.values["status"] == 500


def test_not_a_number_in_an_answer_is_an_error(act: Callable[..., Any]) -> None:
    assert act("whole_number")["value"] == 1.0
    with pytest.raises(FacesError) as caught:
        act("not_a_number")
    assert caught.value.values["status"] == 500


def test_a_numpy_number_in_an_answer_is_an_error(act: Callable[..., Any]) -> None:
    with pytest.raises(FacesError) as caught:
        act("numpy_score")
    assert caught.value.values["status"] == 500


def test_a_task_that_raises_looks_like_one_that_succeeded(host: Panoptic, act: Callable[..., Any]) -> None:
    act("failing_task")
    state = next(task for task in host.wait() if task["key"] == "Failing")
    assert state["finished"] and not state["failed"] and not state["cancelled"]


def test_a_property_of_the_same_name_is_made_again(act: Callable[..., Any]) -> None:
    first, second = act("same_property_twice")["value"]
    assert first != second


def test_one_new_id_is_a_number_and_several_are_a_range(act: Callable[..., Any]) -> None:
    assert act("ids")["value"] == ["int", "range"]


def test_the_package_is_imported_under_the_name_of_the_plugin(act: Callable[..., Any]) -> None:
    assert act("state")["value"]["module"] == "Probe.plugin"


def test_settings_are_not_validated_and_bounded_ones_have_no_field(host: Panoptic, act: Callable[..., Any]) -> None:
    info = next(plugin for plugin in host.get("/plugins_info") if plugin["name"] == "Probe")
    shown = info.get("baseParams") or info["base_params"]
    assert [param["name"] for param in shown["params"]] == ["plain"]
    host.post("/plugin_params", {"plugin": "Probe", "params": {"plain": -5}})
    assert act("state")["value"]["plain"] == -5


def test_nobody_is_told_that_a_folder_was_deleted(host: Panoptic, act: Callable[..., Any], tmp_path: Path) -> None:
    Image.new("RGB", (40, 40), "green").save(tmp_path / "green.png")
    host.import_folder(tmp_path)
    folders = [row for row in host.get("/folders") if tmp_path.name in str(row)]
    host.request("DELETE", f"/projects/{host.project}/folder?folder_id={folders[0]['id']}")
    assert len(host.get("/instances")) == PHOTOS
    assert act("state")["value"]["deleted"] == []


def test_a_stopped_plugin_has_no_actions(host: Panoptic) -> None:
    host.post("/plugin/stop", {"name": "Probe"})
    assert not [action for action in host.get("/actions") if action.startswith("Probe.")]
    host.post("/plugin/start", {"name": "Probe"})
    host.wait()
    assert "Probe.state" in host.get("/actions")


def test_an_emptied_number_is_an_empty_text_and_capitals_are_lost(page: Page) -> None:
    value = page.run("Probe.parameters", number="", camelCase="7")["value"]
    assert value == {"number": "", "kind": "str", "camel": 1, "group": None}


def test_a_notice_of_any_kind_is_a_window_over_the_page(page: Page) -> None:
    page.run("Probe.told")
    assert "a word" in (page.notice() or "")


def test_an_image_of_two_groups_is_in_the_last_and_badges_are_rounded(page: Page) -> None:
    page.run("Probe.overlapping")
    lines = page.page.locator(".group-line").all_inner_texts()
    assert lines[1:] == [f"first\n50\n{PHOTOS - 2} Images", "last\n50\n2 Images"]
    # The last button of a line with clusters takes them away.
    page.line("All").locator(".opt-btn").last.click()


def test_saved_clusters_lose_their_names_and_the_rest_becomes_one(page: Page, host: Panoptic) -> None:
    page.run("Probe.some_left_out")
    assert "No cluster" in page.lines()
    page.save()
    saved = next(row for row in host.get("/property") if row[3].startswith("Clustering"))
    tags = {row[3] for row in host.get("/tags") if row[1] == saved[0]}
    assert saved[2] == "id" and "Élise" not in tags and len(tags) == 2


def test_every_behaviour_is_in_the_docs() -> None:
    listed = (Path(__file__).parents[2] / "docs/panoptic.md").read_text(encoding="utf-8")
    tests = [name for name in globals() if name.startswith("test_") and name != "test_every_behaviour_is_in_the_docs"]
    assert [name for name in tests if f"`{name}`" not in listed] == []


def test_a_commit_reads_the_whole_table_of_values(interface: PluginProjectInterface) -> None:
    number = interface.add_property("number", "number").id
    values = [Sha1Value(property_id=number, sha1=sha1, value=1, commit_id=0, operation=OP_CREATE) for sha1 in "ab"]
    asked: list[str] = []
    with interface._data_writer() as writer:
        writer.conn.set_trace_callback(asked.append)
        writer.apply_upsert_commit("test", UpsertCommit(sha1_values={number: values}))
        writer.conn.set_trace_callback(None)
        plans = [row[3] for query in asked if "FROM sha1_values WHERE" in query
                 for row in writer.conn.execute(f"EXPLAIN QUERY PLAN {query}")]
    assert plans.count("SCAN sha1_values") == 2


def test_who_has_read_waits_for_who_writes(interface: PluginProjectInterface) -> None:
    reader = interface._data_reader()
    reader.start()
    reader.get_properties()
    closing = Thread(target=reader.close)
    with interface._data_writer() as writer:
        with writer.transaction():
            closing.start()
            closing.join(0.5)
            assert closing.is_alive()
        closing.join()


def test_no_index_leads_from_a_file_to_its_images(interface: PluginProjectInterface) -> None:
    with interface._data_reader() as reader:
        (plan,) = reader.fetch_all("EXPLAIN QUERY PLAN SELECT 1 FROM instances WHERE file_id = 1")
    assert plan[3] == "SCAN instances"


def test_images_that_a_plugin_adds_are_on_no_sheet_of_thumbnails(open_project: Callable[..., Panoptic], tmp_path: Path
                                                                 ) -> None:
    (tmp_path / "drawings").mkdir()
    draw_people(tmp_path / "drawings", 1)
    panoptic = open_project(tmp_path / "drawings")
    photos = {row[2] for row in panoptic.get("/instances")}
    panoptic.act("detect_faces")
    panoptic.wait()
    assert len(panoptic.get("/instances")) > len(photos)
    assert panoptic.get("/atlas/0")["sha1_mapping"].keys() == photos
