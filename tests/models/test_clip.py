"""CLIP on a tiny model that learns, in this session, a small world of coloured shapes."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from panoptic_faces.core.errors import FacesError
from panoptic_faces.core.tagging import assign_tags, tag_texts

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import torch

from panoptic_faces.models.clip import Clip
from panoptic_faces.models.images import IMAGE_MODELS, _clip, as_loaded, image_embedder
from panoptic_faces.models.weights import checksum

from .shapes import CAPTIONS, drawings


@pytest.fixture(scope="session")
def clip(clip_files: tuple[Path, Path]) -> Clip:
    return Clip(*(str(file) for file in clip_files), device="cpu")


def test_the_model_learnt_its_small_world(clip: Clip) -> None:
    pictures, kinds = drawings(10, 1)
    near = clip.embed(pictures) @ clip.embed_texts(CAPTIONS).T
    assert (near.argmax(axis=1) == kinds).mean() > 0.8


def test_vectors_have_length_one_and_do_not_depend_on_the_batch(clip: Clip, clip_files: tuple[Path, Path]) -> None:
    pictures, _ = drawings(1, 2)
    vectors = clip.embed(pictures)
    assert vectors.shape == (len(pictures), 32) and vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    single = Clip(*(str(file) for file in clip_files), device="cpu", batch_size=1)
    np.testing.assert_allclose(single.embed(pictures), vectors, atol=1e-5)
    assert clip.embed([]).shape == (0, 32) and clip.embed_texts([]).shape == (0, 32)


def test_a_text_has_one_vector_whatever_it_stands_beside(clip: Clip) -> None:
    once = clip.embed_texts(["a red circle", "a blue bar"])
    again = clip.embed_texts(["a green pole", "a blue bar", "something new", "a red circle"])
    np.testing.assert_array_equal(again[[3, 1]], once)


def test_the_name_tells_the_weights(clip: Clip, clip_files: tuple[Path, Path], tmp_path: Path) -> None:
    config, weights = clip_files
    other = tmp_path / "other.pt"
    changed = torch.load(weights, weights_only=True)
    changed["logit_scale"] += 1
    torch.save(changed, other)
    assert clip.name.startswith("clip/tiny-shapes/")
    assert Clip(str(config), str(other), device="cpu").name != clip.name


def test_weights_that_a_tag_brings_are_those_of_the_first_vectors(
        monkeypatch: pytest.MonkeyPatch, clip_files: tuple[Path, Path], tmp_path: Path) -> None:
    import open_clip

    config, weights = clip_files
    fetched = tmp_path / "fetched.pt"
    fetched.write_bytes(weights.read_bytes())
    # What open_clip does for any tag, but for the way of the file to this machine.
    monkeypatch.setitem(open_clip.pretrained._PRETRAINED, "tiny-shapes", {"shapes": {"file": str(fetched)}})
    made = IMAGE_MODELS["clip"](str(config), "shapes", "cpu")
    first = image_embedder(made)
    kept = as_loaded(made, first)
    assert kept["weights"] == checksum(weights) and image_embedder(kept) is first
    changed = torch.load(weights, weights_only=True)
    changed["logit_scale"] += 1
    torch.save(changed, fetched)
    _clip.cache_clear()
    image_embedder(made)  # nobody has vectors of it yet
    with pytest.raises(FacesError) as error:
        image_embedder(kept)
    assert error.value.code == "weights_changed" and "shapes" in str(error.value)
    _clip.cache_clear()


def test_images_go_to_the_tag_that_they_show(clip: Clip) -> None:
    pictures, kinds = drawings(12, 3)
    names = ["shape", *CAPTIONS]
    parents: list[list[int]] = [[], *([0] for _ in CAPTIONS)]
    texts = tag_texts(names, parents, parent_tags="ignore")
    assert [text for _, text in texts] == CAPTIONS
    found = assign_tags(clip.embed(pictures), clip.embed_texts([text for _, text in texts]), min_strength=0)
    assert (found.tags == kinds).mean() > 0.8


def test_what_shows_no_tag_is_left_out_more_often(clip: Clip) -> None:
    pictures, kinds = drawings(12, 4)
    wanted = [caption for caption in CAPTIONS if "red" in caption or "blue" in caption]
    shown = np.array([CAPTIONS[kind] in wanted for kind in kinds])
    found = assign_tags(clip.embed(pictures), clip.embed_texts(wanted), min_strength=0.9)
    assert (found.tags[shown] >= 0).mean() > (found.tags[~shown] >= 0).mean() + 0.3


def test_a_text_finds_its_pictures(clip: Clip) -> None:
    pictures, kinds = drawings(10, 5)
    near = (clip.embed(pictures) @ clip.embed_texts(["a yellow circle"]).T)[:, 0]
    assert (kinds[np.argsort(-near)[:10]] == CAPTIONS.index("a yellow circle")).mean() >= 0.7


@pytest.mark.parametrize("given, code", [
    ({"model": "No-Such-Model"}, "clip_model"),
    ({"model": "ViT-B-32", "pretrained": "no-such-weights"}, "clip_pretrained"),
    ({"device": "abacus"}, "device"),
    ({"batch_size": 0}, "batch_size"),
])
def test_a_wrong_parameter_gets_a_sentence(given: dict[str, Any], code: str) -> None:
    with pytest.raises(FacesError) as error:
        Clip(**{"device": "cpu", **given})
    assert error.value.code == code and str(error.value)


@pytest.mark.parametrize("content", [b"<!DOCTYPE html><p>Not found</p>", b""])
def test_a_file_that_holds_no_weights_gets_a_sentence(clip_files: tuple[Path, Path], tmp_path: Path, content: bytes
                                                      ) -> None:
    broken = tmp_path / "broken.pt"
    broken.write_bytes(content)
    with pytest.raises(FacesError) as error:
        Clip(str(clip_files[0]), str(broken), device="cpu")
    assert error.value.code == "clip_weights" and "broken.pt" in str(error.value)


@pytest.mark.parametrize("failure, code", [
    (RuntimeError("operator torchvision::nms does not exist"), "torchvision_broken"),
    (ImportError("No module named 'open_clip'"), "clip_missing"),
])
def test_a_library_that_cannot_be_imported_gets_a_sentence_with_a_remedy(
        monkeypatch: pytest.MonkeyPatch, failure: Exception, code: str) -> None:
    class Broken:
        def find_spec(self, name: str, *_: object) -> None:
            if name == "open_clip":
                raise failure

    monkeypatch.delitem(sys.modules, "open_clip")
    monkeypatch.setattr(sys, "meta_path", [Broken(), *sys.meta_path])
    with pytest.raises(FacesError) as error:
        Clip()
    assert error.value.code == code and "pip install" in str(error.value)
