"""``runs.jsonl``: a line for every clustering that was written to a folder, and how two of them differ."""

from __future__ import annotations

import importlib.metadata
import json
import platform
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..core.errors import FacesError

LOG = "runs.jsonl"
PEOPLE = "people.json"
DISTRIBUTIONS = ("panoptic_faces", "numpy", "scikit-learn", "scipy", "faiss-cpu", "opencv-python-headless", "pillow")


def versions() -> dict[str, str]:
    """What the figures of a run depend on."""
    found = {"python": platform.python_version()}
    for name in DISTRIBUTIONS:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def new_run(folder: Path) -> tuple[int, Path]:
    """The number and the new folder of the next run: ``run-001``, ``run-002`` …; no run ever takes another's."""
    folder.mkdir(parents=True, exist_ok=True)
    number = max((run_number(path.name) for path in folder.iterdir()), default=0) + 1
    while True:
        made = folder / f"run-{number:03d}"
        try:
            made.mkdir()
            return number, made
        except FileExistsError:
            number += 1


def log_run(folder: Path, line: Mapping[str, Any]) -> None:
    with (folder / LOG).open("a", encoding="utf-8") as file:
        file.write(json.dumps(line, ensure_ascii=False) + "\n")


def read_runs(folder: Path) -> list[dict[str, Any]]:
    """The runs of a folder, oldest first; raises FacesError ``no_runs``."""
    try:
        lines = (folder / LOG).read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise FacesError("no_runs", folder=str(folder)) from error
    found = []
    for line in lines:
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def compare_runs(folder: Path, first: int, second: int) -> dict[str, Any]:
    """What differs between two runs, and how far they agree on the faces that both have.

    ``differences``: parameter → the two values. ``agreement``: figures of the second run with the first taken for
    the truth, see ``core.evaluate``; unassigned faces count as people of one. Raises FacesError ``run_unknown``.
    """
    from ..core.evaluation import evaluate

    by_number = {run["run"]: run for run in read_runs(folder)}
    for number in (first, second):
        if number not in by_number:
            raise FacesError("run_unknown", got=number, allowed=", ".join(map(str, by_number)))
    one, other = by_number[first], by_number[second]
    left, right = (_people(folder / run["folder"]) for run in (one, other))
    common = sorted(left.keys() & right.keys())
    figures = evaluate([right[face] for face in common], [left[face] for face in common]) if common else {}
    parameters = sorted(one["parameters"].keys() | other["parameters"].keys())
    return {"runs": [first, second], "faces": len(common),
            "differences": {name: [one["parameters"].get(name), other["parameters"].get(name)] for name in parameters
                            if one["parameters"].get(name) != other["parameters"].get(name)},
            "counts": {name: [one["counts"].get(name), other["counts"].get(name)] for name in one["counts"]},
            "agreement": figures}


def named_boxes(run: Path) -> dict[Path, list[tuple[str, list[int]]]]:
    """The names and boxes on each photo of a run, given by its folder or its people.json, for ``xmp.write_people``.

    Raises FacesError ``run_unreadable``.
    """
    file = run / PEOPLE if run.is_dir() else run
    try:
        written = json.loads(file.read_text(encoding="utf-8"))
        found: dict[Path, list[tuple[str, list[int]]]] = defaultdict(list)
        for person in written["people"]:
            for face in person["faces"]:
                found[Path(face["photo"])].append((person["name"], face["box"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FacesError("run_unreadable", file=str(file)) from error
    return dict(sorted(found.items()))


def run_number(name: str) -> int:
    """The number of a run's folder; 0 for any other name."""
    return int(name[4:]) if name.startswith("run-") and name[4:].isdigit() else 0


def _people(run: Path) -> dict[str, int]:
    """The number of each face's person in a run; faces of nobody get numbers of their own."""
    written = json.loads((run / PEOPLE).read_text(encoding="utf-8"))
    found = {face["face"]: number for number, person in enumerate(written["people"]) for face in person["faces"]}
    first = len(written["people"])
    return found | {face["face"]: first + number for number, face in enumerate(written["unassigned"])}
