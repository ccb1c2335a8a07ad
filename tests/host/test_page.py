"""The main job in the page, as a person does it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from panoptic_faces.launch import Panoptic

from .driver import CHROMIUM, Page

CLUSTER, DETECT = "PanopticFaces.cluster_faces", "PanopticFaces.detect_faces"


@pytest.fixture
def page(panoptic: Panoptic) -> Iterator[Page]:
    if CHROMIUM is None:
        pytest.skip("needs Debian's package chromium")
    # PAGE_PICTURES=folder keeps pictures of every step for who wants to look.
    shown = Page(panoptic.address, Path(os.environ["PAGE_PICTURES"]) if "PAGE_PICTURES" in os.environ else None)
    yield shown
    shown.close()


def test_scan_cluster_divide_and_save(page: Page, open_project: Callable[..., Panoptic], shared: Path, tmp_path: Path
                                        ) -> None:
    panoptic = open_project(shared / "data/faces/bbt_cast", shared / "data/faces/groups/historical")
    page.open(tmp_path.name)
    assert "detect_faces" in str(page.run(CLUSTER)["notifs"])
    assert "lancez d’abord detect_faces" in (page.notice() or "")

    page.run(DETECT, menu="Executer")
    assert "données biométriques" in (page.notice() or "")
    panoptic.wait()
    page.page.wait_for_timeout(2000)
    page.picture("scanned")
    assert "visages trouvés" in page.tasks()

    result = page.run(CLUSTER)
    page.picture("clusters")
    shown = page.lines()
    people = [group for group in result["groups"] if group["score"]]
    assert list(shown)[:2] == ["All", "Visage 1"] and page.notice() is None
    for group in people[:3]:
        assert shown[group["name"]] == str(round(group["score"]["value"]))
    assert "No cluster" not in shown

    first = next(group for group in people if len(group["sha1s"]) > 2 and group["name"] in shown)
    parts = page.run(CLUSTER, group=first["name"], method="agglomerative", parameters="threshold=0.95")["groups"]
    assert len(parts) > 1
    page.picture("divided")

    page.save()
    page.picture("saved")
    saved = next(row for row in panoptic.get("/property") if row[3] == "Clustering")
    tags = {row[0]: row for row in panoptic.get("/tags") if row[1] == saved[0]}
    children = [tag for tag in tags.values() if tag[2]]
    assert len(children) == len(parts)
    # The host numbers its own tags from 0.
    place = result["groups"].index(first)
    assert {tags[tag[2][0]][3].rpartition(".")[2] for tag in children} == {str(place)}
    assert saved[2] == "sha1"
