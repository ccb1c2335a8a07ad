"""A trained recogniser in one portable file: arrays and one text, no code."""

from __future__ import annotations

import json
import os
import tempfile
import zipfile
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import FacesError
from ..core.people import RECOGNIZERS, Recognizer
from ..core.recognition import Impostors

FORMAT, VERSION = "panoptic_faces people", 1
DESCRIPTION = "description"
LEARNED, STRANGERS = "learned.", "strangers."
SUFFIX = ".npz"


def save_recognizer(recognizer: Recognizer, file: Path | str, *, model: str) -> Path:
    """Write a recogniser to ``file``, whose name ends in ``.npz`` (added where it is missing), and return the path.

    model: the name of the model that made the vectors; a recogniser is of no use with another one's.
    The file appears whole or not at all, and the same recogniser gives the same bytes.
    Raises FacesError ``people_file_write``.
    """
    path = Path(file)
    path = path if path.suffix == SUFFIX else path.with_name(path.name + SUFFIX)
    description = {"format": FORMAT, "version": VERSION, "model": model, "method": recognizer.method,
                   "people": recognizer.people, "dimension": recognizer.dimension, "same": recognizer.same,
                   "parameters": dict(recognizer.parameters), "seed": recognizer.seed}
    text = json.dumps(description, ensure_ascii=False, sort_keys=True).encode("utf-8")
    arrays: dict[str, NDArray[Any]] = {DESCRIPTION: np.frombuffer(text, dtype=np.uint8)}
    arrays |= {LEARNED + name: array for name, array in sorted(recognizer.arrays.items())}
    arrays |= {STRANGERS + one.name: np.asarray(getattr(recognizer.impostors, one.name)) for one in fields(Impostors)}
    try:
        handle, temporary = tempfile.mkstemp(SUFFIX, f".{path.stem}.", path.parent)
        try:
            with os.fdopen(handle, "wb") as stream:
                np.savez(stream, allow_pickle=False, **arrays)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise FacesError("people_file_write", file=str(path), reason=error.strerror or str(error)) from error
    return path


def load_recognizer(file: Path | str, *, model: str, dimension: int | None = None) -> Recognizer:
    """Read a recogniser back, for vectors of ``model`` that have ``dimension`` dimensions (None = not checked).

    Nothing of the file is executed. Raises FacesError: ``people_file_missing``, ``people_file_damaged``,
    ``people_file_version``, ``people_file_model``, ``vectors_dimension``.
    """
    path = Path(file)
    if not path.is_file():
        raise FacesError("people_file_missing", file=str(path))
    try:
        arrays = _arrays(path)
        described = json.loads(arrays.pop(DESCRIPTION).tobytes().decode("utf-8"))
        if described["format"] != FORMAT:
            raise ValueError(described["format"])
        if described["version"] != VERSION:
            raise FacesError("people_file_version", file=path.name, got=described["version"], expected=VERSION)
        if described["model"] != model:
            raise FacesError("people_file_model", file=path.name, got=described["model"], expected=model)
        recognizer = _recognizer(described, arrays)
    except (KeyError, ValueError, TypeError, IndexError, AttributeError, OSError, EOFError, zipfile.BadZipFile,
            UnicodeError, MemoryError, NotImplementedError) as error:
        raise FacesError("people_file_damaged", file=path.name, reason=str(error)) from error
    if dimension is not None and recognizer.dimension != dimension:
        raise FacesError("vectors_dimension", expected=recognizer.dimension, got=dimension)
    return recognizer


def people_in(file: Path) -> list[str]:
    """The names that a file of people holds, of whatever model; raises FacesError ``people_file_damaged``."""
    try:
        described = json.loads(_arrays(file)[DESCRIPTION].tobytes().decode("utf-8"))
        if described["format"] != FORMAT:
            raise ValueError(described["format"])
        return [str(name) for name in described["people"]]
    except (KeyError, ValueError, TypeError, AttributeError, OSError, EOFError, zipfile.BadZipFile, UnicodeError,
            MemoryError, NotImplementedError) as error:
        raise FacesError("people_file_damaged", file=file.name, reason=str(error)) from error


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of the file; only what is stored plainly, so that a small file cannot fill the memory."""
    with zipfile.ZipFile(path) as archive:
        packed = [one.filename for one in archive.infolist() if one.compress_type != zipfile.ZIP_STORED]
    if packed:
        raise ValueError(packed[0])
    with np.load(path, allow_pickle=False) as data:
        arrays = {name: data[name] for name in data.files}
    for name, array in arrays.items():
        if array.dtype.kind not in "fiu" or not np.isfinite(array).all():
            raise ValueError(name)
    return arrays


def _recognizer(described: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Recognizer:
    """Put the recogniser together, and let it look at one face to see that its parts fit."""
    row = RECOGNIZERS[described["method"]]
    people = tuple(described["people"])
    if not people or list(people) != sorted({name for name in people if isinstance(name, str) and name}):
        raise ValueError("people")
    learned = {name.removeprefix(LEARNED): array for name, array in arrays.items() if name.startswith(LEARNED)}
    strangers = {one.name: arrays[STRANGERS + one.name] for one in fields(Impostors)}
    impostors = Impostors(float(strangers["location"]), float(strangers["width"]), float(strangers["comparisons"]),
                          strangers["own_location"], strangers["own_width"], strangers["own"])
    mean, spread, faces = (float(value) for value in described["same"])
    parameters = {one.name: one.check(row.name, described["parameters"][one.name]) for one in row.parameters}
    recognizer = Recognizer(row.name, people, int(described["dimension"]), learned, impostors, (mean, spread, faces),
                            parameters, int(described["seed"]))
    numbers = np.array([impostors.width, impostors.comparisons, mean, spread, faces])
    if recognizer.dimension < 1 or not np.isfinite(numbers).all() or min(impostors.width, spread, faces) <= 0:
        raise ValueError("same")
    one = np.full((1, recognizer.dimension), recognizer.dimension**-0.5, dtype=np.float32)
    shape = (1, len(people))
    likeness, preference = recognizer.score(one)
    if impostors.standardise(likeness).shape != shape or (preference is not None and preference.shape != shape):
        raise ValueError("shape")
    return recognizer
