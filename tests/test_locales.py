"""Every sentence exists in every language, with the same gaps to fill, and is used."""

from __future__ import annotations

import re
import string
from pathlib import Path

from panoptic_faces.host.project import ROLES
from panoptic_faces.i18n import languages, sentences, text

PACKAGE = Path(__file__).parents[1] / "panoptic_faces"
SOURCE = "\n".join(file.read_text(encoding="utf-8") for file in PACKAGE.rglob("*.py"))


def gaps(sentence: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name is not None}


def test_languages_say_the_same_things() -> None:
    assert set(languages()) >= {"en", "fr"}
    for language in languages():
        assert sentences(language).keys() == sentences("en").keys()
        for key, sentence in sentences("en").items():
            assert gaps(sentences(language)[key]) == gaps(sentence), key


def test_every_error_has_its_sentence_and_every_sentence_its_error() -> None:
    said = {key.removeprefix("error.") for key in sentences("en") if key.startswith("error.")}
    assert set(re.findall(r'FacesError\(\s*"(\w+)"', SOURCE)) <= said
    assert {code for code in said if f'"{code}"' not in SOURCE} == set()


def test_french_is_set_as_french() -> None:
    for key, sentence in sentences("fr").items():
        assert "'" not in sentence and '"' not in sentence, key
        assert not re.search(r"\w[:;!?](\s|$)", sentence), key
        assert not re.search("(?<=.) [:;!?»]|« ", sentence), key


def test_every_role_has_a_name() -> None:
    for role in ROLES:
        assert text(f"property.{role}", "fr") != text(f"property.{role}", "en")
