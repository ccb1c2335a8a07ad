"""An action whose annotations are text, as this import makes them."""

from __future__ import annotations

from panoptic.models.action_models import ActionContext, ActionResult


def late_annotations(context: ActionContext, number: int = 3) -> ActionResult:
    return ActionResult()
