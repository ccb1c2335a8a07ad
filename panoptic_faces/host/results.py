"""Groups and sentences as the page wants them: Python floats only, and never an image in two groups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from panoptic.models.action_models import ActionResult, Notif, NotifType, Score, ScoreList
from panoptic.models.action_models import Group as HostGroup

from ..i18n import text
from ..services.organise import Group


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
