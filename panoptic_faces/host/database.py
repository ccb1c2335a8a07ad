"""The host's databases; every use of its private API is in this file."""

from __future__ import annotations

import functools
import json
import shutil
import sqlite3
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

import msgspec
from panoptic.core.databases.data.models import DeleteCommit, Sha1Value, UpsertCommit
from panoptic.core.databases.entity_schema import OP_CREATE, OP_DELETE
from panoptic.core.databases.media.models import Image, ImageAtlas
from panoptic.core.databases.project.models import UserDefaults
from panoptic.core.plugin.plugin_interface import PluginProjectInterface
from panoptic.core.task.generate_atlas_task import ATLAS_ID, GenerateAtlasTask

from ..i18n import DEFAULT_LANGUAGE, languages

# Largest number of variables of one statement that every SQLite accepts.
MAX_VARIABLES = 900
# Values of one commit, see ``Database.record``.
VALUES_AT_ONCE = 300
# Seconds between two commits: SQLite asks again after 0.1 s at the latest.
LONGEST_TURN = 0.12
DECODER = msgspec.json.Decoder()
_WITH_VALUE = "FROM sha1_values WHERE property_id = ? AND operation != ? AND value IS NOT NULL AND value != 'null'"

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class Guard:
    """What the plugin's threads on one project share: two tabs, a task, or a task that a restart left behind.

    lock: held while something is read and then written. erasures: how often the faces were erased.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.erasures = 0


_GUARDS: defaultdict[Path, Guard] = defaultdict(Guard)


class Database:
    """What the plugin needs of a project beyond the host's public interface, which is ``public``."""

    def __init__(self, public: PluginProjectInterface, plugin_name: str) -> None:
        self.public = public
        self.plugin = plugin_name
        self.folder = Path(public.base_path)
        self.guard = _GUARDS[self.folder.resolve()]
        self._language = DEFAULT_LANGUAGE

    def language(self) -> str:
        """The interface's language, among those in ``locales/``; the last known where the project cannot be read."""
        try:
            with self.public._project_db() as db:
                row = db.get_user_defaults("default", "uiState")
        except (OSError, sqlite3.Error):
            # The host writes to a database to open it; whoever tells the user that it cannot needs a language.
            return self._language
        chosen = (row.data or {}).get("lang", DEFAULT_LANGUAGE) if row else DEFAULT_LANGUAGE
        self._language = chosen if chosen in languages() else "en"
        return self._language

    def remembered(self, key: str) -> dict[str, Any]:
        """What the plugin remembers in this project under a key."""
        with self.public._project_db() as db:
            row = db.get_user_defaults(f"plugin.{self.plugin}", key)
        return dict(row.data or {}) if row else {}

    def remember(self, key: str, data: dict[str, Any]) -> None:
        with self.public._project_db() as db:
            db.set_user_defaults(UserDefaults(user_id=f"plugin.{self.plugin}", key=key, data=data))

    def allocate(self, kind: str, count: int) -> range:
        """New ids of a kind (files, instances, tags…)."""
        if count == 0:
            return range(0)
        with self.public._project_db() as db:
            first = db.allocate(kind, count)
        # The host gives one id as an int and several as a range.
        return first if isinstance(first, range) else range(first, first + 1)

    # ---- reading many rows, which the host's own readers turn into objects one by one

    def living(self, among: Iterable[str]) -> set[str]:
        """Those of the contents (SHA-1) of which the project has an image."""
        query = "SELECT DISTINCT sha1 FROM instances WHERE sha1 IN (SELECT value FROM json_each(?))"
        with self.public._data_reader() as reader:
            return {row[0] for row in reader.fetch_all(query, (_listed(among),))}

    def instances(self, ids: Sequence[int] | None = None) -> dict[int, str | None]:
        """The SHA-1 of images by the id of their instance, oldest first; of all images where no ids are given."""
        among = "WHERE id IN (SELECT value FROM json_each(?))" if ids else ""
        with self.public._data_reader() as reader:
            return dict(reader.fetch_all(f"SELECT id, sha1 FROM instances {among} ORDER BY id",
                                         (_listed(ids),) if ids else ()))

    def files_in(self, folder_id: int) -> dict[str, tuple[int, str]]:
        """Id and SHA-1 of the files of a folder, by name."""
        query = "SELECT name, id, sha1 FROM files WHERE folder_id = ?"
        with self.public._data_reader() as reader:
            return {name: (number, sha1) for name, number, sha1 in reader.fetch_all(query, (folder_id,))}

    def files_of(self, sha1s: Iterable[str]) -> list[tuple[str, str, int]]:
        """SHA-1, name and folder of every file of some contents, oldest first."""
        query = """SELECT sha1, name, folder_id FROM files WHERE sha1 IN (SELECT value FROM json_each(?))
                   ORDER BY id"""
        with self.public._data_reader() as reader:
            return list(reader.fetch_all(query, (_listed(sha1s),)))

    def pixels(self) -> dict[str, int]:
        """How many pixels each image has whose size is known."""
        with self.public._data_reader() as reader:
            return dict(reader.fetch_all("SELECT sha1, width * height FROM files WHERE width * height IS NOT NULL"))

    def values(self, property_id: int, among: Collection[str] | None = None) -> dict[str, Any]:
        """The value of a property of each image that has one. among: of these images only."""
        these = "" if among is None else "AND sha1 IN (SELECT value FROM json_each(?))"
        with self.public._data_reader() as reader:
            rows = reader.fetch_all(f"SELECT sha1, value {_WITH_VALUE} {these}",
                                    (property_id, OP_DELETE, *([] if among is None else [_listed(among)])))
        # SQLite keeps numbers as numbers, everything else as JSON.
        decoded = ((sha1, DECODER.decode(value) if isinstance(value, str) else value) for sha1, value in rows)
        return {sha1: value for sha1, value in decoded if value is not None}

    def with_value(self, property_id: int, texts: Iterable[str] | None = None) -> set[str]:
        """The images that have a value of a property. texts: that have one of these, SHA-1s."""
        these = "" if texts is None else "AND value IN (SELECT json_quote(value) FROM json_each(?))"
        with self.public._data_reader() as reader:
            return {row[0] for row in reader.fetch_all(
                f"SELECT sha1 {_WITH_VALUE} {these}",
                (property_id, OP_DELETE, *([] if texts is None else [_listed(texts)])))}

    def vectors(self, type_id: int, sha1s: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        """SHA-1 and vector, little-endian float32, of those of the images that have one, in no order."""
        with self.public._media_db() as media:
            if len(sha1s) > MAX_VARIABLES:
                wanted = set(sha1s)
                for row in media.conn.execute("SELECT sha1, data FROM vectors WHERE type_id = ?", (type_id,)):
                    if row[0] in wanted:
                        yield row
            elif sha1s:
                marks = ", ".join("?" * len(sha1s))
                yield from media.conn.execute(
                    f"SELECT sha1, data FROM vectors WHERE type_id = ? AND sha1 IN ({marks})", (type_id, *sha1s))

    # ---- renditions

    def rendition_kinds(self) -> list[tuple[int, str, int | None, int | None]]:
        """Id, format, width and height of the sizes in which the project stores every image."""
        with self.public._media_db() as media:
            return [(kind.id, kind.format, kind.width, kind.height)
                    for kind in media.get_image_types() if kind.auto_gen]

    def add_renditions(self, renditions: Iterable[tuple[int, str, bytes]]) -> None:
        """Store sizes of images: kind, SHA-1, bytes."""
        with self.public._media_db() as media:
            media.upsert_images([Image(kind, sha1, data) for kind, sha1, data in renditions])

    def without_rendition(self, sha1s: Iterable[str]) -> list[str]:
        """Those of the images of which the project has stored no size."""
        wanted = list(sha1s)
        with self.public._media_db() as media:
            there = {sha1 for start in range(0, len(wanted), MAX_VARIABLES)
                     for _, sha1 in media.get_image_keys(wanted[start : start + MAX_VARIABLES])}
        return [sha1 for sha1 in wanted if sha1 not in there]

    def largest_rendition(self, sha1: str) -> bytes:
        """The largest size of an image that the project has stored; empty where there is none."""
        with self.public._media_db() as media:
            for kind in sorted(media.get_image_types(), key=lambda kind: -(kind.width or 10**6)):
                images = media.get_images(type_id=kind.id, sha1=sha1)
                if images:
                    return bytes(images[0].data)
        return b""

    def largest_renditions(self, sha1s: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        """SHA-1 and largest size of those of the images of which the project has stored one."""
        with self.public._media_db() as media:
            kinds = [kind.id for kind in sorted(media.get_image_types(), key=lambda kind: -(kind.width or 10**6))]
            query = "SELECT data FROM images WHERE sha1 = ? AND type_id = ?"
            for sha1 in sha1s:
                row = next((row for kind in kinds if (row := media.conn.execute(query, (sha1, kind)).fetchone())), None)
                if row:
                    yield sha1, row[0]

    def with_vector(self, type_id: int) -> set[str]:
        """The SHA-1 of every image that has a vector of a type, without reading the vectors."""
        with self.public._media_db() as media:
            return {row[0] for row in media.conn.execute("SELECT sha1 FROM vectors WHERE type_id = ?", (type_id,))}

    # ---- the sheets of thumbnails from which the page draws its maps

    def draw_sheets(self, images: Iterable[str]) -> None:
        """Have the host draw its sheets anew where one of the images is on none: it does so after imports alone."""
        with self.public._media_db() as media:
            drawn = {sha1 for sheets in media.get_image_atlases(id=ATLAS_ID) for sha1 in sheets.sha1_mapping}
        missing = [sha1 for sha1 in images if sha1 not in drawn]
        if len(self.without_rendition(missing)) < len(missing):
            self.public.add_task(GenerateAtlasTask(_SheetSource(self)))

    # ---- values

    def write_values(self, values: dict[int, dict[str, Any]], commit: UpsertCommit | None = None) -> int | None:
        """Write values of images, property id → SHA-1 → value, in one commit; gives the commit's id."""
        commit = commit or UpsertCommit()
        for property_id, by_sha1 in values.items():
            commit.sha1_values[property_id] = [
                Sha1Value(property_id=property_id, sha1=sha1, value=value, commit_id=0, operation=OP_CREATE)
                for sha1, value in by_sha1.items()]
        done = self.public.apply_upsert_commit(commit)
        return None if done is None else int(done.id)

    def record(self, values: Mapping[int, Mapping[str, Any]]) -> None:
        """Write values of images, property id → SHA-1 → value, in commits so short that the page has its turns between.

        To close what it has read from, the host waits while somebody writes; and for every 450 values of a commit it
        reads its whole table of values, twice, while it writes.
        """
        images = list(dict.fromkeys(sha1 for by_sha1 in values.values() for sha1 in by_sha1))
        step = max(1, VALUES_AT_ONCE // max(1, len(values)))
        for start in range(0, len(images), step):
            some = images[start : start + step]
            begun = time.monotonic()
            self.write_values({property_id: {sha1: by_sha1[sha1] for sha1 in some if sha1 in by_sha1}
                               for property_id, by_sha1 in values.items()})
            time.sleep(min(time.monotonic() - begun, LONGEST_TURN))

    def tag_ids(self, property_id: int) -> dict[str, list[int]]:
        """The tag ids of each image, oldest tag first."""
        by_image: dict[str, list[int]] = {}
        query = "SELECT sha1, tag_id FROM sha1_tag_values WHERE property_id = ? AND operation != ? ORDER BY tag_id"
        with self.public._data_reader() as reader:
            for sha1, tag in reader.fetch_all(query, (property_id, OP_DELETE)):
                by_image.setdefault(sha1, []).append(tag)
        return by_image

    def tag_history(self, property_id: int) -> dict[tuple[str, int], bool]:
        """The image and tag of every tag of a property, taken away since or not: whether it stands and is the plugin's.
        """
        query = """SELECT entity_key, source, op FROM entity_log JOIN commits ON commits.id = commit_id
                   WHERE entity_type = 'sha1_tag_value' AND active = 1 AND json_extract(entity_key, '$[1]') = ?
                   ORDER BY commit_id"""
        last: dict[tuple[str, int], tuple[str, int]] = {}
        with self.public._data_reader() as reader:
            for key, source, operation in reader.fetch_all(query, (property_id,)):
                sha1, _, tag = DECODER.decode(key)
                last[sha1, tag] = (source, operation)
        return {cell: source == self.plugin and operation != OP_DELETE for cell, (source, operation) in last.items()}

    def own_tags(self, property_id: int) -> set[tuple[str, int]]:
        """The image and tag of every tag of a property that the plugin set, and not a person."""
        return {cell for cell, own in self.tag_history(property_id).items() if own}

    # ---- erasing

    def remove_images(self, files: Mapping[int, str]) -> None:
        """Take files (id → SHA-1) and their images out of the project, some at a time: the page has its turns."""
        wanted = list(files.items())
        with self.public._data_writer() as writer:
            # For each file that goes the host looks for its images, through all of them where no index leads there.
            writer.conn.execute("CREATE INDEX IF NOT EXISTS images_of_file ON instances (file_id)")
            try:
                for start in range(0, len(wanted), MAX_VARIABLES):
                    some = dict(wanted[start : start + MAX_VARIABLES])
                    # Media first: what is left when the machine stops in between still tells which media to delete.
                    self.erase_media(list(some.values()))
                    writer.delete_files(list(some))
                    time.sleep(LONGEST_TURN)
            finally:
                writer.conn.execute("DROP INDEX IF EXISTS images_of_file")
        self.public._fire_on_commit()

    def remove_folder(self, folder_id: int) -> None:
        with self.public._data_writer() as writer:
            writer.delete_folders([folder_id])

    def erase_media(self, sha1s: Sequence[str]) -> None:
        """Delete every rendition and vector of some contents."""
        with self.public._media_db() as media:
            for start in range(0, len(sha1s), MAX_VARIABLES):
                media.delete_media_for_sha1s(list(sha1s[start : start + MAX_VARIABLES]))

    def erase_vectors(self, type_id: int) -> None:
        """Delete a type of vectors with its vectors."""
        with self.public._media_db() as media, media.transaction() as tx:
            tx.execute("DELETE FROM vectors WHERE type_id = ?", (type_id,))
            tx.execute("DELETE FROM vector_types WHERE id = ?", (type_id,))

    def erase_sheets(self) -> None:
        """Delete the host's sheets of thumbnails, of all images."""
        with self.public._media_db() as media, media.transaction() as tx:
            tx.execute("DELETE FROM image_atlas")
        if (self.folder / "atlas").exists():
            shutil.rmtree(self.folder / "atlas")

    def erase_values(self, property_ids: Sequence[int]) -> None:
        """Remove properties with every trace of their values and history; not revertable."""
        # Values first: a property that is still there tells a second run that it was not finished.
        with self.public._data_writer() as writer, writer.transaction() as tx:
            for property_id in property_ids:
                for table in ("sha1_values", "sha1_tag_values"):
                    tx.execute(f"DELETE FROM {table} WHERE property_id = ?", (property_id,))
                tx.execute("""DELETE FROM entity_log WHERE
                              (entity_type = 'sha1_value' AND json_extract(entity_key, '$[0]') = :id)
                              OR (entity_type = 'sha1_tag_value' AND json_extract(entity_key, '$[1]') = :id)
                              """, {"id": property_id})
        self.public.apply_delete_commit(DeleteCommit(properties=set(property_ids)))

    def compact_files(self) -> None:
        """Give free pages of the databases back to the disk, so that nothing erased can be read in them."""
        with self.public._data_writer() as data, self.public._media_db() as media:
            for database in (data, media):
                database.conn.execute("PRAGMA secure_delete = ON")
                database.conn.execute("VACUUM")
                database.conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _listed(values: Iterable[Any]) -> str:
    """Any number of values as one variable of a statement, for json_each."""
    return json.dumps(list(values))


class OnDatabase(Protocol):
    _database: Database


Holder = TypeVar("Holder", bound=OnDatabase)


def exclusive(method: Callable[Concatenate[Holder, Arguments], Result]
              ) -> Callable[Concatenate[Holder, Arguments], Result]:
    """Let a method that reads and then writes run alone on its project."""

    @functools.wraps(method)
    def run(self: Holder, /, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        with self._database.guard.lock:
            return method(self, *args, **kwargs)

    return run


class _SheetSource:
    """What the host's task asks of its own project, which plugins do not see."""

    def __init__(self, database: Database) -> None:
        self._database, self._since = database, database.guard.erasures
        self.get_instances = database.public.get_instances
        self.folder = database.folder

    def get_images(self, **filters: Any) -> list[Image]:
        with self._database.public._media_db() as media:
            return list(media.get_images(**filters))

    @exclusive
    def upsert_image_atlas(self, sheets: ImageAtlas) -> None:
        if self._database.guard.erasures != self._since:
            # They may show faces that were erased meanwhile.
            self._database.erase_sheets()
            return
        with self._database.public._media_db() as media:
            media.upsert_image_atlas(sheets)
