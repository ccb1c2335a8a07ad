"""Groups and sentences as the page wants them: Python floats only, and never an image in two groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from panoptic.models.action_models import ActionResult, Notif, NotifType, Score, ScoreList
from panoptic.models.action_models import Group as HostGroup
from starlette.responses import Response

from ..i18n import text
from ..services.organise import Group
from ..services.saving import Changes


class Answer(ActionResult, Response):
    """A result that is an HTTP response already.

    The host would copy any other result item by item, twice, in the thread that answers every request: a second and
    more for 100,000 images.
    """

    def __init__(self, result: ActionResult) -> None:
        ActionResult.__init__(self, **vars(result))
        Response.__init__(self, msgspec.json.encode(result), media_type="application/json")


@dataclass(frozen=True)
class Saved:
    """The property that groups were saved in again, and what changed there."""

    name: str
    changes: Changes

    def sentence(self, language: str) -> str:
        told_all = text("notif.saved", language, name=self.name, **self.counts())
        moves = text("notif.moves", language, moves=self.changes.named_moves()) if self.changes.moves else ""
        return f"{told_all} {moves}".strip()

    def counts(self) -> dict[str, int]:
        return {"kept": self.changes.kept, "moved": self.changes.moved, "new": self.changes.new,
                "gone": self.changes.gone}


class ShownNames:
    """The names of the groups that the page was shown, by their images, so that the parts of one are named after it.

    Panoptic does not tell an action which group it was called on.
    """

    def __init__(self) -> None:
        self._names: dict[int, str] = {}

    def of(self, images: Sequence[str]) -> str:
        """The name of the group of these images; empty where none was shown."""
        return self._names.get(hash(frozenset(images)), "")

    def keep(self, groups: Sequence[Group], images: Sequence[str]) -> None:
        """Remember the groups that a selection was cut into; those of an earlier cut of everything are forgotten."""
        if not self.of(images):
            self._names = {}
        self._names |= {hash(frozenset(group.images)): group.name for group in groups
                        if group.score is not None and len(group.images) < len(images)}


def shown(groups: Sequence[Group], language: str, value: dict[str, Any] | None = None, saved: Saved | None = None
          ) -> ActionResult:
    """Groups for the page; the empty ones are left out. saved: what a second run changed in a property."""
    result = told(NotifType.INFO, saved.sentence(language), language) if saved else ActionResult()
    result.groups = [_group(group, language) for group in groups if group.images]
    result.value = value if saved is None else {**(value or {}), "saved": saved.counts()}
    return result


def told(kind: NotifType, sentence: str, language: str) -> ActionResult:
    """A sentence in the page's modal window."""
    return ActionResult(notifs=[Notif(kind, name=text("notif.title", language), message=sentence)])


def _group(group: Group, language: str) -> HostGroup:
    made = HostGroup(sha1s=list(group.images), name=group.name)
    if group.score is not None:
        described = f"{text(group.group_score, language)} {group.note}".strip()
        made.score = Score(float(group.score), 0.0, 100.0, described, max_is_best=group.more_is_better)
    if group.image_scores:
        made.scores = ScoreList([float(value) for value in group.image_scores], 0.0, 1.0,
                                text(group.image_score, language), max_is_best=True)
    return made
