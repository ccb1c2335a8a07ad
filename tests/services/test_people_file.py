"""A recogniser in a file: what comes back is what went in, and nothing else is accepted."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from panoptic_faces.core.errors import FacesError
from panoptic_faces.core.people import RECOGNIZERS, Recognizer, recognize, train_recognizer
from panoptic_faces.services.people_file import DESCRIPTION, load_recognizer, save_recognizer

NAMES = ["Élodie", "E\u0301lodie", "李小龙", "O'Brien \"Bob\"", "Famille > Zoé"]


@pytest.fixture
def centres() -> np.ndarray[Any, Any]:
    return np.random.default_rng(0).standard_normal((5, 32)).astype(np.float32)


def trained(centres: np.ndarray[Any, Any], method: str = "centroid", **params: Any) -> Recognizer:
    noise = 0.3 * np.random.default_rng(1).standard_normal((15, 32))
    return train_recognizer(np.repeat(centres, 3, axis=0) + noise, np.repeat(NAMES, 3).tolist(), method=method,
                            seed=7, **params)


@pytest.mark.parametrize(("method", "params"), [(name, {}) for name in RECOGNIZERS] + [("neighbors", {"k": 1})])
def test_a_recogniser_comes_back_as_it_was(tmp_path: Path, centres: Any, method: str, params: dict[str, int]) -> None:
    before = trained(centres, method, **params)
    path = save_recognizer(before, tmp_path / "Équipe de l’été", model="sface")
    assert path == tmp_path / "Équipe de l’été.npz"
    after = load_recognizer(path, model="sface", dimension=32)
    assert (after.method, after.people, after.parameters, after.seed) == (
        before.method, before.people, before.parameters, before.seed)
    asked = np.concatenate([centres, np.random.default_rng(2).standard_normal((50, 32))])
    expected, found = recognize(before, asked), recognize(after, asked)
    assert [found.people[label] for label in found.labels[:5]] == NAMES
    np.testing.assert_array_equal(found.labels, expected.labels)
    np.testing.assert_array_equal(found.probabilities, expected.probabilities)


def test_saving_twice_gives_the_same_bytes_and_leaves_nothing_else(tmp_path: Path, centres: Any) -> None:
    path = save_recognizer(trained(centres), tmp_path / "people.npz", model="sface")
    first = path.read_bytes()
    save_recognizer(trained(centres), path, model="sface")
    assert path.read_bytes() == first
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_save_keeps_the_old_file(tmp_path: Path, centres: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save_recognizer(trained(centres), tmp_path / "people.npz", model="sface")
    before = path.read_bytes()

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    assert refused(lambda: save_recognizer(trained(centres), path, model="other")) == "people_file_write"
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_a_folder_that_does_not_exist_is_told(tmp_path: Path, centres: Any) -> None:
    assert refused(lambda: save_recognizer(trained(centres), tmp_path / "no" / "people.npz", model="sface")
                   ) == "people_file_write"


def refused(call: Any) -> str:
    """The code of the error, whose sentence is one sentence in each language."""
    with pytest.raises(FacesError) as raised:
        call()
    for language in ("en", "fr"):
        assert raised.value.sentence(language)
    return raised.value.code


def test_another_model_or_dimension_is_refused(tmp_path: Path, centres: Any) -> None:
    path = save_recognizer(trained(centres), tmp_path / "people.npz", model="sface")
    assert refused(lambda: load_recognizer(path, model="dlib")) == "people_file_model"
    assert refused(lambda: load_recognizer(path, model="sface", dimension=512)) == "vectors_dimension"
    assert refused(lambda: load_recognizer(tmp_path / "none.npz", model="sface")) == "people_file_missing"


def rewritten(path: Path, **changes: Any) -> Path:
    """The file with other arrays, or with other values in its description; None takes one away."""
    with np.load(path) as data:
        arrays = dict(data.items())
    described = json.loads(arrays[DESCRIPTION].tobytes())
    for name, value in changes.items():
        target: dict[str, Any] = arrays if name.replace("__", ".") in arrays else described
        name = name.replace("__", ".")
        if value is None:
            del target[name]
        else:
            target[name] = value
    if DESCRIPTION in arrays:
        arrays[DESCRIPTION] = np.frombuffer(json.dumps(described).encode(), dtype=np.uint8)
    np.savez(path, **arrays)
    return path


@pytest.mark.parametrize(("changes", "code"), [
    ({"version": 2}, "people_file_version"),
    ({"format": "something else"}, "people_file_damaged"),
    ({"method": "magic"}, "people_file_damaged"),
    ({"people": NAMES[:2]}, "people_file_damaged"),
    ({"people": sorted(NAMES)[::-1]}, "people_file_damaged"),
    ({"people": [*range(5)]}, "people_file_damaged"),
    ({"people": None}, "people_file_damaged"),
    ({"dimension": 16}, "people_file_damaged"),
    ({"dimension": 0}, "people_file_damaged"),
    ({"same": [0.5, -1.0, 3.0]}, "people_file_damaged"),
    ({"same": "abc"}, "people_file_damaged"),
    ({"parameters": []}, "people_file_damaged"),
    ({"learned__centroids": None}, "people_file_damaged"),
    ({"learned__centroids": np.zeros((4, 32))}, "people_file_damaged"),
    ({"learned__centroids": np.full((5, 32), np.nan)}, "people_file_damaged"),
    ({"learned__centroids": np.full((5, 32), "x")}, "people_file_damaged"),
    ({"strangers__own": np.zeros(4)}, "people_file_damaged"),
    ({"strangers__width": np.zeros(())}, "people_file_damaged"),
    ({DESCRIPTION: None}, "people_file_damaged"),
])
def test_a_file_whose_parts_do_not_fit_is_refused(tmp_path: Path, centres: Any, changes: dict[str, Any], code: str
                                                  ) -> None:
    path = save_recognizer(trained(centres), tmp_path / "people.npz", model="sface")
    # A method without parameters takes any; one with parameters shows whether they are looked at.
    if "parameters" in changes:
        path = save_recognizer(trained(centres, "neighbors"), path, model="sface")
    assert refused(lambda: load_recognizer(rewritten(path, **changes), model="sface")) == code


def test_what_is_no_such_file_is_refused_and_never_executed(tmp_path: Path, centres: Any) -> None:
    class Trap:
        def __reduce__(self) -> Any:
            return (Path.touch, (tmp_path / "executed",))

    path = save_recognizer(trained(centres), tmp_path / "people.npz", model="sface")
    whole = path.read_bytes()
    with zipfile.ZipFile(tmp_path / "zip.npz", "w") as archive:
        archive.writestr("readme.txt", "hello")
    (tmp_path / "html.npz").write_text("<!DOCTYPE html>")
    (tmp_path / "empty.npz").write_bytes(b"")
    (tmp_path / "half.npz").write_bytes(whole[: len(whole) // 2])
    at = whole.index(trained(centres).arrays["centroids"].tobytes()) + 3  # an exponent
    (tmp_path / "flipped.npz").write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    with np.load(path) as data:
        np.savez_compressed(tmp_path / "packed.npz", **dict(data.items()))
        np.savez(tmp_path / "trap.npz", **(dict(data.items()) | {"learned.x": np.array([Trap()])}))
    for name in ("zip", "html", "empty", "half", "flipped", "packed", "trap"):
        assert refused(lambda file=tmp_path / f"{name}.npz": load_recognizer(file, model="sface")
                       ) == "people_file_damaged", name
    assert not (tmp_path / "executed").exists()
