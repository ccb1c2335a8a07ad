"""People as files: folders, contact sheets, tables, a map and a line in the log of runs."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import FacesError
from ..core.evaluation import evaluate
from ..core.neighbors import unit_vectors
from ..core.projection import project
from ..i18n import text
from .contact_sheet import contact_sheets
from .crops import FaceCrops
from .face_table import FaceRow, csv_bytes, write_whole
from .file_names import safe_name, safe_names
from .files import SAVE
from .map_page import map_page
from .organise import Group
from .people_map import distances_png, map_png
from .run_log import PEOPLE, log_run, new_run, versions
from .scan import in_parallel
from .spreadsheet import workbook

FORMAT = "panoptic_faces people 1"
FACE_COLUMNS = ("person", "rank", "similarity", "face", "photo", "photo_sha1", "x", "y", "width", "height",
                "confidence", "sharpness")
PEOPLE_COLUMNS = ("person", "faces", "photos", "score", "best_face", "folder")


@dataclass(frozen=True)
class _Person:
    name: str
    folder: str
    faces: Sequence[FaceRow]
    similarities: Sequence[float]
    score: float | None


def export_people(groups: Sequence[Group], rest: Sequence[str], faces: Sequence[FaceRow],
                  vectors: NDArray[np.float32], crops: FaceCrops, out: Path, language: str, *, save: str = "crops",
                  parameters: Mapping[str, Any] | None = None, seconds: Mapping[str, float] | None = None,
                  rest_name: str | None = None, seen: Callable[[int, int], None] = lambda done, total: None
                  ) -> dict[str, Any]:
    """Write people to a new folder ``out/run-NNN`` and a line to ``out/runs.jsonl``; nothing that is there changes.

    groups, rest: people and the faces of nobody, by the ids of ``faces``; written from the most typical on.
    faces, vectors: (n,) what is known of each face and its (n, d) vector. crops: has the crop of every face, those
    of photos that are gone excepted. save: what goes into the folder of each person, one of ``SAVE``.
    parameters, seconds: for the log. rest_name: of the faces of nobody. Returns the line of the log.
    Raises FacesError ``save_unknown``, ``links_refused`` or ``out_unwritable``.
    """
    if save not in SAVE:
        raise FacesError("save_unknown", got=save, allowed=", ".join(SAVE))
    started, begun = datetime.now(timezone.utc), time.perf_counter()
    by_id = {face.id: place for place, face in enumerate(faces)}
    nobody = Group(rest_name or text("group.poor_faces", language), list(rest))
    people = _people([*groups, nobody] if rest else groups, len(groups), faces, vectors, by_id)
    order = [by_id[face.id] for person in people for face in person.faces]
    labels = [number if number < len(groups) else -1 for number, person in enumerate(people) for _ in person.faces]
    try:
        number, folder = new_run(out)
        line = {"run": number, "folder": folder.name, "started": started.isoformat(timespec="seconds"),
                "parameters": {**(parameters or {}), "save": save}, "versions": versions(),
                "counts": _counts(people[: len(groups)], rest, faces),
                "scores": _scores(people[: len(groups)], labels, vectors[order])}
        (folder / "sheets" / "people").mkdir(parents=True)
        if save != "none":
            (folder / "people").mkdir()
        jobs = _Jobs(people, len(groups), vectors[order], labels, crops, folder, language, line)
        work = [jobs.spreadsheet, jobs.maps, jobs.tables, jobs.everybody,
                *(lambda person=person: jobs.person(person, save) for person in people)]
        for done, _ in enumerate(in_parallel(lambda job: job(), work), 1):
            seen(done, len(work))
        line["seconds"] = {**(seconds or {}), "export": round(time.perf_counter() - begun, 2)}
        log_run(out, line)
    except OSError as error:
        raise FacesError("out_unwritable", folder=str(out), reason=str(error)) from error
    return line


def _people(groups: Sequence[Group], known: int, faces: Sequence[FaceRow], vectors: NDArray[np.float32],
            by_id: Mapping[str, int]) -> list[_Person]:
    """The groups with their folders; those from number ``known`` on are nobody."""
    folders = safe_names(group.name for group in groups)
    return [_person(group.name, folder, [by_id[image] for image in group.images], faces, vectors, number < known)
            for number, (group, folder) in enumerate(zip(groups, folders, strict=True))]


def _person(name: str, folder: str, members: Sequence[int], faces: Sequence[FaceRow], vectors: NDArray[np.float32],
            is_one: bool) -> _Person:
    """Faces from the nearest to their common centre on; those of nobody have no centre."""
    if not is_one:
        return _Person(name, folder, [faces[member] for member in members], [0.0] * len(members), None)
    unit = unit_vectors(vectors[list(members)])
    centre = unit.mean(axis=0, dtype=np.float64)
    near = np.clip(unit @ (centre / (np.linalg.norm(centre) or 1.0)), 0.0, 1.0)
    order = np.argsort(-near, kind="stable").tolist()
    return _Person(name, folder, [faces[members[place]] for place in order], near[order].tolist(),
                   100 * (1 - float(near.mean())) if len(members) > 1 else None)


def _counts(people: Sequence[_Person], rest: Sequence[str], faces: Sequence[FaceRow]) -> dict[str, int]:
    return {"photos": len({face.photo.path for face in faces}), "faces": len(faces), "people": len(people),
            "people_of_several": sum(len(person.faces) > 1 for person in people), "unassigned": len(rest)}


def _scores(people: Sequence[_Person], labels: Sequence[int], vectors: NDArray[np.float32]) -> dict[str, float]:
    scores = [person.score for person in people if person.score is not None]
    figures = evaluate(np.array(labels, dtype=np.int64), vectors=vectors)
    return {**({"mean_score": round(float(np.mean(scores)), 3)} if scores else {}),
            **{name: round(value, 4) for name, value in figures.items() if name not in ("items", "noise")}}


class _Jobs:
    """The files of a run, each written by itself."""

    def __init__(self, people: Sequence[_Person], groups: int, vectors: NDArray[np.float32], labels: Sequence[int],
                 crops: FaceCrops, folder: Path, language: str, line: Mapping[str, Any]) -> None:
        self._people, self._groups, self._vectors, self._labels = people, groups, vectors, labels
        self._crops, self._folder, self._language, self._line = crops, folder, language, line

    def _say(self, key: str, **values: Any) -> str:
        return text(f"export.{key}", self._language, **values)

    def _thumbnail(self, face: FaceRow) -> bytes | None:
        return self._crops.thumbnail(face.id) if self._crops.has(face.id) else None

    def _face_lines(self) -> list[list[Any]]:
        return [[person.name if number < self._groups else "", rank, round(float(similarity), 4), face.id,
                 face.photo.path, face.photo.sha1, *face.box, round(face.confidence, 4), round(face.sharpness, 1)]
                for number, person in enumerate(self._people)
                for rank, (face, similarity) in enumerate(zip(person.faces, person.similarities, strict=True), 1)]

    def _people_lines(self) -> list[list[Any]]:
        return [[person.name, len(person.faces), len({face.photo.path for face in person.faces}),
                 None if person.score is None else round(person.score, 2), person.faces[0].id, person.folder]
                for person in self._people[: self._groups]]

    def tables(self) -> None:
        write_whole(self._folder / "faces.csv", csv_bytes(FACE_COLUMNS, self._face_lines()))
        write_whole(self._folder / "people.csv", csv_bytes(PEOPLE_COLUMNS, self._people_lines()))

        def described(person: _Person) -> list[dict[str, Any]]:
            return [{"face": face.id, "photo": face.photo.path, "photo_sha1": face.photo.sha1, "box": face.box,
                     "confidence": round(face.confidence, 4), "sharpness": round(face.sharpness, 1),
                     "similarity": round(float(similarity), 4)}
                    for face, similarity in zip(person.faces, person.similarities, strict=True)]

        written = {"format": FORMAT, **self._line,
                   "people": [{"name": person.name, "score": person.score, "folder": person.folder,
                               "faces": described(person)} for person in self._people[: self._groups]],
                   "unassigned": [face for person in self._people[self._groups :] for face in described(person)]}
        write_whole(self._folder / PEOPLE, json.dumps(written, ensure_ascii=False, indent=1).encode())

    def spreadsheet(self) -> None:
        faces = [face for person in self._people for face in person.faces]
        best = [person.faces[0] for person in self._people[: self._groups]]
        titles = [[self._say("column.picture"), *(self._say(f"column.{name}") for name in columns)]
                  for columns in (FACE_COLUMNS, PEOPLE_COLUMNS)]
        parameters = [[f"{part}.{name}" if part != "run" else name, value if isinstance(value, (int, float)) else
                       str(value)] for part, values in (("run", {"run": self._line["run"],
                                                                "started": self._line["started"]}),
                                                       *((part, self._line[part]) for part in
                                                         ("parameters", "counts", "scores", "versions")))
                      for name, value in values.items()]
        sheets = {self._say("sheet.faces"): (titles[0], [[None, *line] for line in self._face_lines()]),
                  self._say("sheet.people"): (titles[1], [[None, *line] for line in self._people_lines()]),
                  self._say("sheet.parameters"): (
                      (self._say("column.parameter"), self._say("column.value")), parameters)}
        shown = (faces, best)
        write_whole(self._folder / "people.xlsx", workbook(
            sheets, lambda sheet, row: self._thumbnail(shown[sheet][row]) if sheet < 2 else None))

    def maps(self) -> None:
        names = [person.name for person in self._people[: self._groups]]
        faces = [face for person in self._people for face in person.faces]
        title = self._say("map", faces=len(faces), people=len(names))
        points = project(self._vectors)
        write_whole(self._folder / "map.html", map_page(
            points, self._labels, names, [face.photo.path for face in faces],
            [self._thumbnail(face) for face in faces], title=title, nobody=self._people[-1].name if faces else "",
            language=self._language))
        write_whole(self._folder / "map.png", map_png(points, self._labels, names, title))
        write_whole(self._folder / "distances.png",
                    distances_png(self._vectors, self._labels, self._say("distances")))

    def everybody(self) -> None:
        people = self._people[: self._groups]
        self._sheets("everybody", self._say("everybody", people=len(people)),
                     [self._thumbnail(person.faces[0]) for person in people],
                     [f"{person.name} ({len(person.faces)})" for person in people])

    def person(self, person: _Person, save: str) -> None:
        score = "" if person.score is None else f" · {self._say('column.score')} {person.score:.1f}"
        self._sheets(f"people/{person.folder}", f"{person.name} ({len(person.faces)}){score}",
                     [self._thumbnail(face) for face in person.faces],
                     [Path(face.photo.path).name for face in person.faces])
        if save == "none":
            return
        folder = self._folder / "people" / person.folder
        folder.mkdir()
        given: set[str] = set()
        for rank, face in enumerate(person.faces, 1):
            photo = Path(face.photo.path)
            name = f"{rank:04d}_{safe_name(photo.stem)}"
            if save == "crops":
                if self._crops.has(face.id):
                    (folder / f"{name}.jpg").write_bytes(self._crops.crop(face.id))
            elif face.photo.path not in given and photo.is_file():
                given.add(face.photo.path)
                _place(photo, folder / f"{name}{photo.suffix}", save)

    def _sheets(self, name: str, title: str, pictures: Sequence[bytes | None], captions: Sequence[str]) -> None:
        for page, sheet in enumerate(contact_sheets(title, pictures, captions), 1):
            (self._folder / "sheets" / f"{name}{f'-{page}' if page > 1 else ''}.jpg").write_bytes(sheet)


def _place(photo: Path, target: Path, save: str) -> None:
    if save == "photos":
        shutil.copy2(photo, target)
        return
    try:
        os.symlink(photo, target)
    except (OSError, NotImplementedError) as error:
        raise FacesError("links_refused", reason=str(error)) from error

