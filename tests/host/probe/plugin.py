"""Every action shows one behaviour of the host."""

from enum import Enum
from typing import Any

import numpy as np
from panoptic.core.plugin.plugin import APlugin
from panoptic.core.task.task import Task
from panoptic.models.action_models import ActionContext, ActionResult, Group, Notif, NotifType, Score
from pydantic import BaseModel, Field, field_validator

from .late import late_annotations


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Settings(BaseModel):
    plain: int = 1
    bounded: int = Field(default=1, ge=0)

    @field_validator("plain")
    @classmethod
    def positive(cls, value: int) -> int:
        if value < 0:
            raise ValueError("plain: zero or more")
        return value


class Failing(Task):  # type: ignore[misc]
    def start(self) -> None:
        raise RuntimeError("this task fails")


class Probe(APlugin):  # type: ignore[misc]
    def __init__(self, name: str, project: Any, plugin_path: str) -> None:
        super().__init__(name=name, project=project, plugin_path=plugin_path)
        self.params = Settings()
        self.deleted: list[str] = []

    def _start(self) -> None:
        self.project.on_folder_delete(lambda folders: self.deleted.append("called"))
        for action in (self.parameters, self.overlapping, self.numpy_score, self.not_a_number, self.whole_number,
                       self.some_left_out, self.failing_task, self.same_property_twice, self.ids, self.state, self.told,
                       late_annotations):
            self.add_action_easy(action, ["group", "execute"])

    def parameters(self, context: ActionContext, number: int = 3, maybe: int | None = None,
                   several: list[str] = (), camelCase: int = 1,  # type: ignore[assignment]
                   colour: Colour = Colour.RED) -> ActionResult:
        """What it does, written to me@example.org.
        @number: how many
        """
        return ActionResult(value={"number": number, "kind": type(number).__name__, "camel": camelCase,
                                   "group": context.group_name})

    def overlapping(self, context: ActionContext) -> ActionResult:
        sha1s = self._sha1s()
        return ActionResult(groups=[Group(sha1s=sha1s, name="first", score=_score(50.0)),
                                    Group(sha1s=sha1s[:2], name="last", score=_score(50.4))])

    def some_left_out(self, context: ActionContext) -> ActionResult:
        return ActionResult(groups=[Group(sha1s=self._sha1s()[:2], name="Élise", score=_score(50.4))])

    def numpy_score(self, context: ActionContext) -> ActionResult:
        return ActionResult(groups=[Group(sha1s=self._sha1s(), name="a", score=_score(np.float32(1)))])

    def not_a_number(self, context: ActionContext) -> ActionResult:
        return ActionResult(value=float("nan"))

    def whole_number(self, context: ActionContext) -> ActionResult:
        return ActionResult(value=1.0)

    def failing_task(self, context: ActionContext) -> ActionResult:
        self.project.add_task(Failing())
        return ActionResult()

    def same_property_twice(self, context: ActionContext) -> ActionResult:
        return ActionResult(value=[self.project.add_property("twice", "text", mode="sha1").id for _ in range(2)])

    def ids(self, context: ActionContext) -> ActionResult:
        with self.project._project_db() as db:
            return ActionResult(value=[type(db.allocate("tags", count)).__name__ for count in (1, 2)])

    def state(self, context: ActionContext) -> ActionResult:
        return ActionResult(value={"module": type(self).__module__, "deleted": self.deleted,
                                   "plain": self.params.plain})

    def told(self, context: ActionContext) -> ActionResult:
        return ActionResult(notifs=[Notif(NotifType.INFO, message="a word")])

    def _sha1s(self) -> list[str]:
        return sorted({instance.sha1 for instance in self.project.get_instances()})


def _score(value: Any) -> Score:
    return Score(min=0.0, max=100.0, max_is_best=True, value=value)
