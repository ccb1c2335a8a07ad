"""The documentation keeps up with the product: every action, setting and script is in it, in both languages."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from panoptic_faces.host.params import Settings
from panoptic_faces.host.plugin import ACTIONS

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("readme", ["README.md", "README.fr.md"])
def test_every_action_is_explained(readme: str) -> None:
    words = (ROOT / readme).read_text(encoding="utf-8")
    assert [name for name in ACTIONS if f"`{name}`" not in words] == []


def test_every_setting_is_explained() -> None:
    words = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [name for name in Settings.model_fields if f"`{name}`" not in words] == []


def test_the_reference_is_what_the_code_says() -> None:
    written = runpy.run_path(str(ROOT / "scripts/reference.py"))
    for language, name in written["PAGES"].items():
        assert (ROOT / "docs" / name).read_text(encoding="utf-8") == written["page"](language)
        assert f"docs/{name}" in (ROOT / ("README.md" if language == "en" else "README.fr.md")).read_text("utf-8")


def test_the_commands_of_the_readme_exist() -> None:
    for script in ("scripts/run", "scripts/test"):
        assert script in (ROOT / "README.md").read_text(encoding="utf-8")
        assert (ROOT / script).stat().st_mode & 0o100
