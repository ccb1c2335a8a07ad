"""What an action answers over HTTP."""

from __future__ import annotations

import json

from fastapi.encoders import jsonable_encoder
from panoptic.models.action_models import NotifType

from panoptic_faces.host.results import Answer, shown, told
from panoptic_faces.services.organise import Group


def test_an_answer_is_what_the_host_would_have_sent() -> None:
    groups = [Group("Été", ["a", "b"], 12.5, (1.0, 0.25), note="…"), Group("rest", ["c"]), Group("empty", [])]
    for result in (shown(groups, "fr", {"images": 3, "share": 0.5}), told(NotifType.ERROR, "Non !", "fr")):
        answer = Answer(result)
        assert json.loads(bytes(answer.body)) == jsonable_encoder(result)
        assert (answer.groups, answer.notifs, answer.value) == (result.groups, result.notifs, result.value)
