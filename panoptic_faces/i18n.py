"""Every sentence that a user can see, by key and language."""

from __future__ import annotations

import json
import locale
import os
from functools import cache
from pathlib import Path
from typing import Any

DEFAULT_LANGUAGE = "fr"


@cache
def languages() -> tuple[str, ...]:
    """Codes of the languages in ``locales/``, sorted."""
    return tuple(sorted(file.stem for file in _folder().glob("*.json")))


@cache
def sentences(language: str) -> dict[str, str]:
    """Every sentence of a language, by key; of English where the language is unknown."""
    known = language if language in languages() else "en"
    found: dict[str, str] = json.loads((_folder() / f"{known}.json").read_text(encoding="utf-8"))
    return found


def text(key: str, language: str, **values: Any) -> str:
    """The sentence ``key`` in a language, its ``{names}`` replaced by ``values``."""
    return sentences(language)[key].format(**values)


def system_language() -> str:
    """The language of the user's terminal, among those in ``locales/``; English where it is another."""
    wanted = next((os.environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if os.environ.get(name)), None)
    code = (wanted or locale.getlocale()[0] or "en").split("_")[0].split(".")[0].lower()
    return code if code in languages() else "en"


def _folder() -> Path:
    return Path(__file__).parent / "locales"
