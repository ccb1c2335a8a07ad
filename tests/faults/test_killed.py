"""Whatever is killed in the middle of its work is finished by doing it again, and nobody can tell."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from .rig import ACTIONS, Rig, some_photos
from .state import check


@pytest.fixture(scope="session")
def rig(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Rig:
    home = tmp_path_factory.mktemp("faults")
    made = Rig(home, some_photos(shared, home / "photos", 60), shared / "weights")
    made.build()
    return made


@pytest.mark.parametrize("action", ACTIONS)
def test_killed_in_mid_action(rig: Rig, action: str) -> None:
    assert rig.killed(action, step=random.Random(action).randint(2, rig.steps[action] - 1))
    check(rig.project)
    rig.finish(action)
