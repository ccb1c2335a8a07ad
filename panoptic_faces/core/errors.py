"""The one error that users are meant to read."""

from __future__ import annotations

from typing import Any


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

        return text(f"error.{self.code}", language, **self.values)

    def __str__(self) -> str:
        return self.sentence("en")
