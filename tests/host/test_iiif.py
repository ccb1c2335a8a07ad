"""Photos of a IIIF server, of which the project stores renditions only."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from PIL import Image

from panoptic_faces.launch import Panoptic

from .test_people import provenance


@pytest.fixture
def iiif_server(shared: Path) -> Iterator[str]:
    with Image.open(shared / "data/faces/groups/bbt1.jpg") as opened:
        picture = opened.convert("RGB").resize((2732, 1536))
    file = io.BytesIO()
    picture.save(file, "JPEG")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            address = f"http://{self.headers['host']}"
            body = {"id": f"{address}/group.jpg", "type": "Image", "format": "image/jpeg"}
            manifest = {"@context": "http://iiif.io/api/presentation/3/context.json", "id": f"{address}/manifest.json",
                        "type": "Manifest", "label": {"fr": ["Une troupe"]}, "items": [{
                            "id": f"{address}/canvas/1", "type": "Canvas", "items": [{
                                "type": "AnnotationPage", "items": [{"type": "Annotation", "body": body}]}]}]}
            self.send_response(200)
            self.end_headers()
            self.wfile.write(file.getvalue() if self.path == "/group.jpg" else json.dumps(manifest).encode())

        def log_message(self, *_: object) -> None:
            pass
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_faces_are_found_on_the_stored_rendition_of_a_iiif_photo(
        panoptic: Panoptic, iiif_server: str, tmp_path: Path) -> None:
    panoptic.open_project(tmp_path / "project", tmp_path.name)
    panoptic.post("/import/iiif", {"url": f"{iiif_server}/manifest.json"})
    panoptic.wait()
    assert len(panoptic.get("/instances")) == 1
    panoptic.act("detect_faces")
    task = panoptic.wait()[-1]
    assert (task["done"], task["failed"]) == (1, 0)
    crops = provenance(tmp_path)
    assert len(crops) == 4
    for crop in crops.values():
        assert crop["photo"] == f"{iiif_server}/group.jpg"
        assert crop["box"][0] + crop["box"][2] <= 1024
    assert [group["name"] for group in panoptic.act("cluster_faces")["groups"]][:4] == [
        "Visage 1", "Visage 2", "Visage 3", "Visage 4"]
