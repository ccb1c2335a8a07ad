"""Names of people as names of files, on every system."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

# Windows keeps these for devices, with any ending.
DEVICES = {"CON", "PRN", "AUX", "NUL", *(f"{port}{digit}" for port in ("COM", "LPT") for digit in "0123456789¹²³")}
FORBIDDEN = set('<>:"/\\|?*')
# A name may hold 255 bytes on Linux and a whole path 260 letters on Windows.
MAX_BYTES = 80


def safe_name(name: str) -> str:
    """A file name that every system takes: letters, digits, marks and common signs of ``name``, others as _."""
    kept = "".join(sign if _is_plain(sign) else "_" for sign in unicodedata.normalize("NFC", name))
    kept = _cut(" ".join(kept.split()).strip(" .") or "_", MAX_BYTES)
    return f"_{kept}" if kept.split(".")[0].strip().upper() in DEVICES else kept


def safe_names(names: Iterable[str]) -> list[str]:
    """The file name of each name; no two are the same, not even where case or the spelling of accents is ignored."""
    found: list[str] = []
    taken: set[str] = set()
    for name in names:
        candidate, number = safe_name(name), 1
        while _key(candidate) in taken:
            number += 1
            mark = f" ({number})"
            candidate = _cut(safe_name(name), MAX_BYTES - len(mark)) + mark
        taken.add(_key(candidate))
        found.append(candidate)
    return found


def _is_plain(sign: str) -> bool:
    return sign not in FORBIDDEN and (unicodedata.category(sign)[0] in "LMN" or sign in " .,;!'’()[]{}&@#%+=~^_-–—")


def _key(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold()


def _cut(name: str, size: int) -> str:
    return name.encode()[:size].decode(errors="ignore").rstrip(" .") or "_"


def safe_cell(text: str) -> str:
    """A text that no spreadsheet takes for a formula: those that begin like one get an apostrophe in front."""
    # Where Japanese or Chinese is spoken, the wide signs begin formulas too.
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "\r", "\n")) else text
