"""Whatever is killed in the middle of its work is finished by doing it again, and nobody can tell."""

from __future__ import annotations

import random

import pytest

from .rig import ACTIONS, Rig
from .state import check, contents


@pytest.mark.parametrize("action", ACTIONS)
def test_killed_in_mid_action(rig: Rig, action: str) -> None:
    assert rig.killed(action, step=random.Random(action).randint(2, rig.steps[action] - 1))
    check(rig.project)
    rig.finish(action)


def test_a_killed_erasure_is_undone_by_a_scan(rig: Rig) -> None:
    assert rig.killed("forget_faces", step=rig.steps["forget_faces"] // 2)
    check(rig.project)
    with rig.start() as (server, _):
        rig.open(server)
        rig.act(server, "detect_faces")
    check(rig.project)
    found = contents(rig.project)
    # Names are gone with the faces that bore them.
    for part in ("values", "crops", "vectors", "renditions", "files"):
        assert found[part] == rig.undisturbed["detect_faces"][part], part
