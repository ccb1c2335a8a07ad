"""Figures of a file of vectors with labels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from panoptic_faces.core.errors import FacesError
from panoptic_faces.services.evaluate import evaluate_file


def save(folder: Path, **arrays: Any) -> Path:
    file = folder / "faces.npz"
    np.savez(file, **arrays)
    return file


def faces() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    names = np.repeat(["ada", "bo", "cy"], 8)
    return np.repeat(random.normal(size=(3, 64)), 8, axis=0) + 0.3 * random.normal(size=(24, 64)), names


def test_the_figures_are_one_json_object(tmp_path: Path) -> None:
    vectors, names = faces()
    figures = json.loads(json.dumps(evaluate_file(save(tmp_path, emb=vectors, label=names))))
    assert figures["bcubed_f"] == figures["pairwise_f"] == 1
    assert (figures["clusters"], figures["noise"], figures["method"], figures["file"]) == (3, 0, "auto", "faces.npz")
    assert figures["seconds"] > 0


def test_method_parameters_and_photos_are_used(tmp_path: Path) -> None:
    vectors, names = faces()
    file = save(tmp_path, emb=vectors, label=names, photo=np.zeros(24, dtype=int))
    assert evaluate_file(file)["clusters"] == 24
    assert evaluate_file(save(tmp_path, emb=vectors, label=names), "kmeans", {"n_clusters": 2})["clusters"] == 2


def test_a_file_that_is_no_archive(tmp_path: Path) -> None:
    plain = tmp_path / "plain.npy"
    np.save(plain, np.eye(2))
    (tmp_path / "text.npz").write_text("no arrays")
    for file in (plain, tmp_path / "text.npz", tmp_path / "nowhere.npz"):
        with pytest.raises(FacesError) as refused:
            evaluate_file(file)
        assert refused.value.code == "file_unreadable" and file.name in str(refused.value)


def test_missing_arrays_are_named(tmp_path: Path) -> None:
    with pytest.raises(FacesError) as refused:
        evaluate_file(save(tmp_path, emb=np.eye(2)))
    assert refused.value.code == "file_arrays" and refused.value.values["missing"] == "label"


def test_pickled_arrays_are_not_opened(tmp_path: Path) -> None:
    with pytest.raises(FacesError) as refused:
        evaluate_file(save(tmp_path, emb=np.eye(2), label=np.array([{"a": 1}, None], dtype=object)))
    assert refused.value.code == "file_unreadable"
