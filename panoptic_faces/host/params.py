"""What the page sends, made safe; and what the user sets once."""

import functools
import logging
import os
from collections.abc import Callable, Mapping
from enum import Enum
from pathlib import Path
from typing import Any

from panoptic.models.action_models import ActionResult, FolderPath, NotifType
from pydantic import BaseModel, ValidationError, ValidationInfo, field_validator

from ..core.duplicates import LINKAGES
from ..core.errors import FacesError
from ..core.faces import CLUSTERERS
from ..core.people import RECOGNIZERS
from ..core.projection import METHODS
from ..core.tagging import PARENTS
from ..models.clip import DEVICES
from ..models.images import IMAGE_MODELS
from ..services.faults import obstacle
from ..services.files import SAVE
from .results import Answer, told

logger = logging.getLogger(__name__)

Method = Enum("Method", [(name, name) for name in CLUSTERERS])  # type: ignore[misc]
Linkage = Enum("Linkage", [(name, name) for name in LINKAGES])  # type: ignore[misc]
Save = Enum("Save", [(name, name) for name in SAVE])  # type: ignore[misc]
Recognizer = Enum("Recognizer", [(name, name) for name in RECOGNIZERS])  # type: ignore[misc]
ImageModel = Enum("ImageModel", [(name, name) for name in IMAGE_MODELS])  # type: ignore[misc]
Device = Enum("Device", [(name, name) for name in DEVICES])  # type: ignore[misc]
Parents = Enum("Parents", [(name, name) for name in PARENTS])  # type: ignore[misc]
MapMethod = Enum("MapMethod", [(name, name) for name in METHODS])  # type: ignore[misc]


class Settings(BaseModel):
    """The plugin's settings; the page shows their names, ``locales/`` explains them."""

    weights_folder: FolderPath = FolderPath("")
    offline: bool = False
    max_side: int = 2048
    min_face_size: int = 24
    scan_on_import: bool = False
    vectors_on_import: bool = False
    people: str = ""
    face_model: str = ""
    normalisation: str = ""

    @field_validator("max_side")
    @classmethod
    def _side(cls, value: int) -> int:
        return _within("max_side", value, 256, 8192)

    @field_validator("min_face_size")
    @classmethod
    def _size(cls, value: int) -> int:
        return _within("min_face_size", value, 8, 1000)

    @field_validator("weights_folder", "people", "face_model", "normalisation")
    @classmethod
    def _text(cls, value: str, info: ValidationInfo) -> str:
        words(str(info.field_name), value)
        return value


def checked_settings(current: Settings, changes: Mapping[str, Any]) -> Settings:
    """The settings with some changed; raises FacesError ``setting_wrong``."""
    try:
        return type(current)(**{**current.model_dump(), **changes})
    except ValidationError as error:
        first = error.errors()[0]
        raise FacesError("setting_wrong", name=".".join(map(str, first["loc"])), got=repr(first["input"])[:80],
                         reason=first["msg"]) from error


def _within(name: str, value: int, low: int, high: int) -> int:
    if not low <= value <= high:
        raise FacesError("whole_number", name=name, low=low, high=high, got=value)
    return value


def whole_number(name: str, value: Any, low: int, high: int) -> int:
    """A whole number sent by the page, where an emptied field arrives as ''; raises ``whole_number``."""
    try:
        if isinstance(value, bool) or int(value) != float(value) or not low <= int(value) <= high:
            raise ValueError
    except (TypeError, ValueError, OverflowError):
        raise FacesError("whole_number", name=name, low=low, high=high, got=repr(value)[:80]) from None
    return int(value)


def share(name: str, value: Any) -> float:
    """A number from 0 to 1 sent by the page; raises ``share``."""
    try:
        if isinstance(value, bool) or not 0 <= float(value) <= 1:
            raise ValueError
    except (TypeError, ValueError, OverflowError):
        raise FacesError("share", name=name, got=repr(value)[:80]) from None
    return float(value)


def switch(name: str, value: Any) -> bool:
    """Yes or no sent by the page; raises ``switch``."""
    if not isinstance(value, bool):
        raise FacesError("switch", name=name, got=repr(value)[:80])
    return value


def words(name: str, value: Any) -> str:
    """A text of a few words sent by the page, without outer spaces; raises ``words``."""
    if not isinstance(value, str) or len(value) > 2000:
        raise FacesError("words", name=name, got=repr(value)[:80])
    return value.strip()


def name_of_property(value: Any) -> str:
    """The name of a property to save in, '' = do not save; raises ``property_name``."""
    if not isinstance(value, str) or len(value) > 200:
        raise FacesError("property_name", got=repr(value)[:80])
    return value.strip()


def folder_to_write(value: Any) -> Path:
    """A folder that exists and that the user named; raises ``out_folder``."""
    if not isinstance(value, str) or not value.strip() or not Path(os.path.expanduser(value)).is_dir():
        raise FacesError("out_folder", got=repr(value)[:200])
    return Path(os.path.expanduser(value))


def explained(action: Callable[..., ActionResult]) -> Callable[..., ActionResult]:
    """Let an action's FacesError, and what the system refuses, reach the user as one sentence in the page's language.

    Bugs propagate.
    """

    @functools.wraps(action)
    def run(self: Any, *args: Any, **kwargs: Any) -> ActionResult:
        try:
            return Answer(action(self, *args, **kwargs))
        except Exception as error:
            refused = obstacle(error, self.data.folder)
            if refused is None:
                raise
            logger.warning("%s: %s", action.__name__, refused.code)
            language = self.data.language()
            return Answer(told(NotifType.ERROR, refused.sentence(language), language))

    return run
