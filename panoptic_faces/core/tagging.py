"""Images to the tags of a vocabulary, by the similarity of image vectors and text vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

from .errors import FacesError
from .neighbors import unit_vectors
from .types import NOISE

PARENTS = ("use", "combine", "ignore")
# A tag's own statistics count as much as those of all tags together when it has so many images.
SHRINK = 20
# How many examples count as much as the text.
TEXT_WEIGHT = 2


@dataclass(frozen=True, eq=False)
class Tagging:
    """n images and t tags.

    tags: (n,) int64, the best tag of each image, ``NOISE`` (−1) where none is strong enough.
    strengths: (n, t) float32, 0–1, see :func:`assign_tags`.
    assigned: (n, t) bool; every tag that the image gets: the best one, or all strong ones where asked.
    """

    tags: NDArray[np.int64]
    strengths: NDArray[np.float32]
    assigned: NDArray[np.bool_]

    def members(self, tag: int) -> NDArray[np.int64]:
        """Images whose best tag this is, the strongest first; ties by index."""
        found = np.flatnonzero(self.tags == tag)
        return found[np.argsort(-self.strengths[found, tag], kind="stable")]


def tag_texts(names: Sequence[str], parents: Sequence[Sequence[int]], *, parent_tags: str = "use",
              prefix: str = "") -> list[tuple[int, str]]:
    """The texts that stand for the tags of a vocabulary, as (tag, text) pairs in the order of the tags.

    names: name of each tag. parents: positions of the parents of each tag. parent_tags: ``use``: a parent is
    a tag like any other; ``combine``: only tags without children, their ancestors' names added, nearest
    first ("cat, animal"); ``ignore``: only tags without children, by their own name. prefix: put before each
    text; where it holds ``{}``, the text goes there ("a photo of a {} in a book").

    Raises FacesError ``parent_tags``.
    """
    if parent_tags not in PARENTS:
        raise FacesError("parent_tags", allowed=", ".join(PARENTS), got=repr(parent_tags))
    inner = {parent for above in parents for parent in above}
    texts = []
    for tag, name in enumerate(names):
        if parent_tags != "use" and tag in inner:
            continue
        words = [name]
        if parent_tags == "combine":
            words += [names[ancestor] for ancestor in _ancestors(tag, parents)]
        text = ", ".join(words)
        texts.append((tag, prefix.replace("{}", text) if "{}" in prefix else prefix + text))
    return texts


def _ancestors(tag: int, parents: Sequence[Sequence[int]]) -> list[int]:
    found: list[int] = []
    layer = list(parents[tag])
    while layer:
        fresh = [each for each in dict.fromkeys(layer) if each not in found and each != tag]
        found += fresh
        layer = [above for each in fresh for above in parents[each]]
    return found


def assign_tags(images: ArrayLike, texts: ArrayLike, *, min_strength: float = 0.5, multiple: bool = False,
                examples: ArrayLike | None = None) -> Tagging:
    """Give each image the tag that its content is nearest to, where the match stands out.

    images: (n, d), texts: (t, d) vectors of one model. multiple: every tag that is strong enough, instead of
    the best only. examples: (n, t) bool, the tags that images already carry: such an image keeps its tags,
    and its vector stands for them beside the text, the more the more examples there are.

    A strength says how surprising a similarity is, in the same words for any model: the probability that
    the best of t tags that have nothing to do with the image would be less similar. So with ``min_strength``
    0.9 about one image in ten that shows none of the tags gets one all the same. What unrelated images and
    texts look like is read from the images of the other tags: their median and lower spread, shrunk to those
    of all tags. The nearest tag is by similarity, by strength where there are examples.

    Raises FacesError: ``min_strength``, ``examples_shape``, and those of ``unit_vectors``.
    """
    try:
        least = float(min_strength)
    except (TypeError, ValueError) as error:
        raise FacesError("min_strength", got=repr(min_strength)) from error
    if not 0 <= least <= 1:
        raise FacesError("min_strength", got=repr(min_strength))
    words = unit_vectors(texts)
    unit = unit_vectors(images, dimension=words.shape[1] if len(words) else None)
    shape = (len(unit), len(words))
    carried = np.zeros(shape, dtype=bool) if examples is None else np.asarray(examples, dtype=bool)
    if carried.shape != shape:
        raise FacesError("examples_shape", expected=str(shape), got=str(carried.shape))
    if 0 in shape:
        return Tagging(np.full(len(unit), NOISE), np.zeros(shape, np.float32), np.zeros(shape, bool))
    similarity = unit.astype(np.float64) @ words.T.astype(np.float64)
    surprise = _standardised(similarity)
    rank = similarity
    if carried.any():
        surprise = rank = _with_examples(unit, surprise, carried)
    # The best of t independent draws is below a value with the t-th power of one draw's probability.
    strengths: NDArray[np.float64] = np.asarray(ndtr(surprise)) ** len(words)
    strengths[carried] = 1
    tagged = carried.any(axis=1, keepdims=True)
    best = np.argmax(np.where(tagged & ~carried, -np.inf, rank), axis=1)
    line = np.arange(len(unit))
    strong = strengths >= least
    tags = np.where(strong[line, best], best, NOISE)
    assigned = carried.copy()
    if multiple:
        assigned |= strong
    else:
        assigned[line[tags >= 0], tags[tags >= 0]] = True
    return Tagging(tags, strengths.astype(np.float32), assigned)


def _standardised(similarity: NDArray[np.float64]) -> NDArray[np.float64]:
    """How many spreads above those of unrelated pairs each similarity is."""
    n, t = similarity.shape
    best = similarity.argmax(axis=1)
    unrelated = np.ones((n, t), dtype=bool)
    if t > 1:
        unrelated[np.arange(n), best] = False
    middle, spread = _middle(similarity[unrelated])
    standard = np.empty_like(similarity)
    for tag in range(t):
        own = similarity[unrelated[:, tag], tag]
        weight = len(own) / (len(own) + SHRINK)
        at, width = _middle(own) if len(own) else (middle, spread)
        level = weight * at + (1 - weight) * middle
        standard[:, tag] = (similarity[:, tag] - level) / max(weight * width + (1 - weight) * spread, 1e-6)
    return standard


def _middle(values: NDArray[np.float64]) -> tuple[float, float]:
    """Median and lower half-width: pairs that belong together are on the other side."""
    low, middle = np.quantile(values, [0.1587, 0.5])
    return float(middle), float(middle - low)


def _with_examples(unit: NDArray[np.float32], surprise: NDArray[np.float64], carried: NDArray[np.bool_]
                   ) -> NDArray[np.float64]:
    counts = carried.sum(axis=0)
    known = np.flatnonzero(counts)
    # Sorted by content first, so that the order of the images cannot change the sums.
    order = np.lexsort(unit.T[::-1])
    centres = carried[order][:, known].T.astype(np.float64) @ unit[order].astype(np.float64)
    centres /= np.maximum(np.linalg.norm(centres, axis=1, keepdims=True), 1e-12)
    shown = _standardised(unit.astype(np.float64) @ centres.T)
    share = counts[known] / (counts[known] + TEXT_WEIGHT)
    joint = surprise.copy()
    joint[:, known] = ((1 - share) * surprise[:, known] + share * shown) / np.hypot(1 - share, share)
    return joint
