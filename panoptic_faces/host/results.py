"""Groups and sentences as the page wants them: Python floats only, and never an image in two groups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from panoptic.models.action_models import ActionResult, Notif, NotifType, Score, ScoreList
from panoptic.models.action_models import Group as HostGroup
from starlette.responses import Response

from ..i18n import text
from ..services.organise import Group


class Answer(ActionResult, Response):
    """A result that is an HTTP response already.

    The host would copy any other result item by item, twice, in the thread that answers every request: a second and
    more for 100,000 images.
    """

    def __init__(self, result: ActionResult) -> None:
        ActionResult.__init__(self, **vars(result))
        Response.__init__(self, msgspec.json.encode(result), media_type="application/json")


def shown(groups: Sequence[Group], language: str, value: dict[str, Any] | None = None) -> ActionResult:
    """Groups for the page; the empty ones are left out."""
    return ActionResult(groups=[_group(group, language) for group in groups if group.images], value=value)


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
