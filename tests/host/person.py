"""A user of the page, whose tags are their own and not the plugin's."""

from __future__ import annotations

from collections.abc import Iterable

from panoptic_faces.launch import Panoptic


class Person:
    """Tags images in one property of tags, which is made where it is missing."""

    def __init__(self, panoptic: Panoptic, name: str = "Personnes") -> None:
        self.panoptic = panoptic
        if name not in {row[3] for row in panoptic.get("/property")}:
            panoptic.post("/commit/upsert", {"properties": [{"id": -1, "name": name, "type": "multi_tags",
                                                             "mode": "sha1"}]})
        self.property = next(row[0] for row in panoptic.get("/property") if row[3] == name)

    def tag_id(self, name: str, parent: str | None = None) -> int:
        known = {row[3]: row[0] for row in self.panoptic.get("/tags") if row[1] == self.property}
        if name not in known:
            parents = [self.tag_id(parent)] if parent else []
            made = self.panoptic.post("/commit/upsert", {"tags": [{"id": -1, "property_id": self.property,
                                                                   "value": name, "parents": parents, "color": 1}]})
            return int(made["tags"][0]["id"])
        return int(known[name])

    def rename(self, old: str, new: str) -> None:
        row = next(row for row in self.panoptic.get("/tags") if row[1] == self.property and row[3] == old)
        self.panoptic.post("/commit/upsert", {"tags": [{"id": row[0], "property_id": self.property, "value": new,
                                                        "parents": row[2], "color": row[4]}]})

    def give(self, sha1s: Iterable[str], *names: str) -> None:
        """Give images exactly these tags."""
        tags = [self.tag_id(name) for name in names]
        self.panoptic.post("/commit/upsert", {"image_values": [
            {"property_id": self.property, "sha1": sha1, "value": tags} for sha1 in sha1s]})
