"""People who never lived, in the real page: the picture of the README, which anybody may see."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from panoptic_faces.launch import Panoptic

from ..drawn import PEOPLE, draw_people
from .driver import CHROMIUM, Page
from .test_people import provenance


def test_drawn_people_are_told_apart_in_the_page(panoptic: Panoptic, open_project: Callable[..., Panoptic],
                                                 tmp_path: Path) -> None:
    if CHROMIUM is None:
        pytest.skip("needs Debian's package chromium")
    (tmp_path / "drawings").mkdir()
    drawings = draw_people(tmp_path / "drawings")
    open_project(tmp_path / "drawings")
    # PAGE_PICTURES=folder keeps what docs/people.jpg is made of.
    page = Page(panoptic.address, Path(os.environ["PAGE_PICTURES"]) if "PAGE_PICTURES" in os.environ else None)
    try:
        page.open(tmp_path.name)
        page.run("PanopticFaces.detect_faces", menu="Executer")
        # What a project of faces holds is told the first time.
        assert page.notice()
        panoptic.wait()
        page.page.wait_for_timeout(2000)
        # Drawings resemble each other as people do not: 0.54 to 0.76 between two of them.
        found = page.run("PanopticFaces.cluster_faces", method="agglomerative", parameters="threshold=0.8")["groups"]
        page.picture("drawn_people")
    finally:
        page.close()
    people = [group["sha1s"] for group in found if group["score"]]
    assert [len(faces) for faces in people] == [len(drawings) // len(PEOPLE)] * len(PEOPLE)
    crops = provenance(tmp_path)
    assert all(len({crops[face]["photo"].partition("-")[0] for face in faces}) == 1 for faces in people)
