"""The plugin: its actions, their forms in the user's language, and its settings."""

from pathlib import Path
from typing import Any

from fastapi.exceptions import HTTPException
from panoptic.core.plugin.plugin import APlugin

from ..i18n import sentences, text
from ..services.faults import obstacle
from .archive_actions import ArchiveActions
from .crops import FaceProject
from .database import Database
from .image_actions import ImageActions
from .params import Settings, checked_settings
from .people_actions import PeopleActions
from .results import ShownNames
from .tags import Tags

# Every action by its id, which never changes: users' stored defaults hang on it. Where the page offers it.
ACTIONS = {
    "detect_faces": "execute",
    "cluster_faces": "group",
    "recognize_people": "group",
    "suggest_merges": "group",
    "confirm_people": "execute",
    "tag_photos": "execute",
    "evaluate_clusters": "execute",
    "export_people": "execute",
    "import_faces": "execute",
    "forget_faces": "execute",
    "compute_clusters": "group",
    "find_duplicates": "group",
    "cluster_by_tags": "group",
    "create_vector_type": "vector_type",
    "compute_vectors": "vector",
    "find_similar": "similar",
    "search_by_text": "text_search",
    "map_images": "map",
}


class PanopticFaces(PeopleActions, ArchiveActions, ImageActions, APlugin):
    """Faces, people and clusters."""

    def __init__(self, name: str, project: Any, plugin_path: str) -> None:
        super().__init__(name=name, project=project, plugin_path=plugin_path)
        self.params = Settings()
        database = Database(project, name)
        self.data = FaceProject(database)
        self.tags = Tags(database)
        self.names = ShownNames()
        self.log = Path(self.data_path) / "scan.log"

    def _start(self) -> None:
        self.project.on_import_complete(self.scan_imported)
        self.project.on_import_complete(self.vectors_of_imported)
        language = self.data.language()
        for name, hook in ACTIONS.items():
            described = self.add_action_easy(getattr(self, name), [hook])
            described.description = text(f"action.{name}", language)
            for param in described.params:
                param.description = text(f"action.{name}.{param.name}", language)

    def update_params(self, params: Any) -> Any:
        try:
            changed = checked_settings(self.params, params if isinstance(params, dict) else params.model_dump())
            self.project.save_params(changed.model_dump())
        except Exception as error:
            refused = obstacle(error, self.data.folder)
            if refused is None:
                raise
            # The page shows the words of this exception, and a traceback of any other.
            raise HTTPException(422, refused.sentence(self.data.language())) from error
        self.params = changed
        return self.params

    def get_description(self) -> Any:
        described = super().get_description()
        language = self.data.language()
        described.description = text("plugin.description", language)
        for param in described.base_params.params:
            if f"setting.{param.name}" in sentences(language):
                param.description = text(f"setting.{param.name}", language)
        return described
