"""Writes docs/reference.md and docs/reference.fr.md from the tables of the code and the sentences of ``locales/``.

    python scripts/reference.py

A test holds the pages to what this writes.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from enum import Enum
from pathlib import Path
from typing import Any

from panoptic_faces.core.faces import CLUSTERERS, Parameter
from panoptic_faces.core.people import RECOGNIZERS
from panoptic_faces.host.params import Settings
from panoptic_faces.host.plugin import ACTIONS, PanopticFaces
from panoptic_faces.i18n import sentences, text

DOCS = Path(__file__).parents[1] / "docs"
PAGES = {"en": "reference.md", "fr": "reference.fr.md"}
# What the page calls the places of actions.
MENUS = {"en": {"group": "Create Clusters", "execute": "Run"},
         "fr": {"group": "Créer des clusters", "execute": "Executer"}}
HEADS = {
    "en": {
        "title": "Reference", "actions": "Actions", "methods": "Parameters of methods", "settings": "Settings",
        "errors": "Errors", "parameter": "parameter", "default": "default", "meaning": "meaning", "method": "method",
        "allowed": "allowed", "setting": "setting", "code": "code", "sentence": "sentence",
        "origin": "Every action with its parameters, every method, setting and error, as the page and the command line "
                  "say it. Written by `scripts/reference.py`.",
        "errors_note": "`FacesError(code, …)` in Python; the page and the command line show the sentence, the names in "
                       "braces replaced by what was given."},
    "fr": {
        "title": "Référence", "actions": "Actions", "methods": "Paramètres des méthodes", "settings": "Réglages",
        "errors": "Erreurs", "parameter": "paramètre", "default": "défaut", "meaning": "sens", "method": "méthode",
        "allowed": "valeurs admises", "setting": "réglage", "code": "code", "sentence": "phrase",
        "origin": "Toutes les actions avec leurs paramètres, les méthodes, les réglages et les erreurs, tels que la "
                  "page et la ligne de commande les disent. Écrit par `scripts/reference.py`.",
        "errors_note": "`FacesError(code, …)` en Python ; la page et la ligne de commande montrent la phrase, les noms "
                       "entre accolades remplacés par ce qui a été donné."}}


def page(language: str) -> str:
    say = HEADS[language].__getitem__
    lines = [f"# {say('title')}", "", say("origin"), "", f"## {say('actions')}", ""]
    for name, hook in ACTIONS.items():
        lines += [f"### `{name}`", "", f"{text(f'action.{name}', language)} *({MENUS[language].get(hook, hook)})*", ""]
        lines += table([say("parameter"), say("default"), say("meaning")], [
            (f"`{parameter.name}`", shown(parameter.default), text(f"action.{name}.{parameter.name}", language))
            for parameter in list(inspect.signature(getattr(PanopticFaces, name)).parameters.values())[2:]])
    lines += [f"## {say('methods')}", ""]
    rows = [(f"`{row.name}`", f"`{parameter.name}`", shown(parameter.default), allowed(parameter))
            for table_of in (CLUSTERERS, RECOGNIZERS) for row in table_of.values() for parameter in row.parameters]
    lines += table([say("method"), say("parameter"), say("default"), say("allowed")], rows)
    lines += [f"## {say('settings')}", ""]
    lines += table([say("setting"), say("default"), say("meaning")], [
        (f"`{name}`", shown(field.default), text(f"setting.{name}", language))
        for name, field in Settings.model_fields.items()])
    lines += [f"## {say('errors')}", "", say("errors_note"), ""]
    lines += table([say("code"), say("sentence")], [
        (f"`{key.removeprefix('error.')}`", sentence) for key, sentence in sorted(sentences(language).items())
        if key.startswith("error.")])
    return "\n".join(lines)


def table(heads: list[str], rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    if rows:
        yield f"| {' | '.join(heads)} |"
        yield "|---" * len(heads) + "|"
        for row in rows:
            yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"
        yield ""


def shown(default: Any) -> str:
    value = default.value if isinstance(default, Enum) else default
    return f"`{value}`" if value not in (None, "") else "–"


def allowed(parameter: Parameter) -> str:
    return ", ".join(parameter.choices) if parameter.choices else f"{parameter.low:,} … {parameter.high:,}"


def main() -> None:
    for language, name in PAGES.items():
        (DOCS / name).write_text(page(language), encoding="utf-8")


if __name__ == "__main__":
    main()
