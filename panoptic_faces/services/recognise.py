"""Faces of a table given to people that a file or a folder of portraits makes known."""

from __future__ import annotations

from pathlib import Path

from ..core.errors import FacesError
from ..core.people import Recognizer, recognize, train_recognizer
from ..core.types import NOISE
from .face_table import FaceTable
from .organise import Group


def learn_people(table: FaceTable, folder: Path, *, method: str = "centroid", seed: int = 0) -> Recognizer:
    """Learn from a folder that holds a folder of portraits a person; of a photo the largest face counts.

    Raises FacesError ``people_folder`` where no photo lies in a person's folder, and those of ``train_recognizer``.
    """
    chosen, names = [], []
    last = None
    for index, row in enumerate(table.rows()):
        parts = Path(row.photo.path).relative_to(folder.resolve()).parts
        if len(parts) > 1 and row.photo.path != last:
            chosen.append(index)
            names.append(parts[0])
        last = row.photo.path
    if not chosen:
        raise FacesError("people_folder", folder=str(folder))
    return train_recognizer(table.vectors[chosen], names, method=method, seed=seed)


def recognised(recognizer: Recognizer, table: FaceTable, *, max_false_accepts: float = 0.01
               ) -> tuple[list[Group], list[str]]:
    """The known people among the faces of a table, by name, and the ids of unknown faces."""
    rows = table.rows()
    found = recognize(recognizer, table.vectors, groups=[row.photo_sha1 for row in rows],
                      max_false_accepts=max_false_accepts)
    groups = [Group(name, [row.id for row, label in zip(rows, found.labels, strict=True) if label == number])
              for number, name in enumerate(found.people)]
    return ([group for group in groups if group.images],
            [row.id for row, label in zip(rows, found.labels, strict=True) if label == NOISE])
