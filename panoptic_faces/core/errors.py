"""The one error that users are meant to read."""

from __future__ import annotations

import re
from typing import Any

# The longest of what was given, and of any other value, that a sentence repeats, in characters.
GIVEN, MOST = 80, 1000
# Line breaks and other control characters, and the marks that turn the direction of what follows.
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]+")


class FacesError(Exception):
    """A mistake or an obstacle that one sentence explains.

    ``code`` names a sentence under ``error.<code>`` in ``locales/``; ``values`` fill it in. ``str()`` gives
    the English sentence, :meth:`sentence` any other language.
    """

    def __init__(self, code: str, **values: Any) -> None:
        super().__init__(code)
        self.code = code
        self.values = values

    def sentence(self, language: str) -> str:
        from ..i18n import text

        return text(f"error.{self.code}", language, **{name: _shown(value, GIVEN if name == "got" else MOST)
                                                       for name, value in self.values.items()})

    def __str__(self) -> str:
        return self.sentence("en")


def _shown(value: Any, most: int) -> Any:
    """A value as part of one line that stays readable, the middle of a long text left out."""
    if not isinstance(value, str):
        return value
    line = _UNSEEN.sub(" ", value)
    return line if len(line) <= most else f"{line[: most // 2]}…{line[-most // 2 + 1 :]}"
