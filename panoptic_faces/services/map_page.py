"""The map as one page that needs nothing else: pointing at a dot shows the face."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .people_map import colours

# More faces than this would make a page that browsers refuse; the others stay dots without a picture.
PICTURES = 8000

_PAGE = """<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ margin: 0; font: 14px system-ui, sans-serif; color: #222; background: #fff }}
h1 {{ font-size: 16px; margin: 8px 12px }}
svg {{ width: 100vw; height: calc(100vh - 40px); display: block }}
circle {{ stroke: #fff; stroke-width: .001 }}
.dim circle {{ opacity: .15 }}
.dim circle.same {{ opacity: 1 }}
#face {{ position: fixed; display: none; padding: 6px; background: #fff; border: 1px solid #888; max-width: 220px;
 pointer-events: none; overflow-wrap: anywhere }}
#face img {{ display: block; width: 160px }}
</style>
</head>
<body>
<h1>{title}</h1>
<svg viewBox="-1.05 -1.05 2.1 2.1" role="img" aria-label="{title}"></svg>
<div id="face"><img alt=""><b></b><br><span></span></div>
<script type="application/json" id="faces">{data}</script>
<script>
const data = JSON.parse(document.getElementById("faces").textContent);
const svg = document.querySelector("svg"), card = document.getElementById("face");
const radius = Math.min(0.015, 0.3 / Math.sqrt(data.faces.length + 1));
data.faces.forEach(([x, y, person, photo, picture], index) => {{
  const dot = document.createElementNS("http://www.w3.org/2000/svg", "circle");
  for (const [name, value] of Object.entries({{cx: x, cy: -y, r: radius, "data-face": index,
    fill: person < 0 ? "#bbb" : data.colours[person]}})) dot.setAttribute(name, value);
  dot.addEventListener("mouseenter", () => {{
    card.querySelector("img").src = picture ? "data:image/jpeg;base64," + picture : "data:,";
    card.querySelector("b").textContent = person < 0 ? data.nobody : data.people[person];
    card.querySelector("span").textContent = photo;
    card.style.display = "block";
    const place = dot.getBoundingClientRect();
    card.style.left = Math.min(place.right + 8, innerWidth - 240) + "px";
    card.style.top = Math.max(0, Math.min(place.top, innerHeight - card.offsetHeight - 8)) + "px";
    svg.querySelectorAll("circle").forEach((other, place) =>
      other.classList.toggle("same", person >= 0 && data.faces[place][2] === person));
    svg.classList.toggle("dim", person >= 0);
  }});
  dot.addEventListener("mouseleave", () => {{ card.style.display = "none"; svg.classList.remove("dim"); }});
  svg.append(dot);
}});
</script>
</body>
</html>
"""


def map_page(points: NDArray[np.float32], people: Sequence[int], names: Sequence[str], photos: Sequence[str],
             pictures: Sequence[bytes | None], *, title: str, nobody: str, language: str) -> bytes:
    """The page; people: (n,) index into names, −1 = nobody; pictures: (n,) JPEG thumbnails."""
    faces = [[round(float(x), 4), round(float(y), 4), int(person), photo,
              base64.b64encode(picture).decode("ascii") if picture and index < PICTURES else ""]
             for index, ((x, y), person, photo, picture) in enumerate(
                 zip(points, people, photos, pictures, strict=True))]
    data = json.dumps({"faces": faces, "people": list(names), "colours": colours(len(names)), "nobody": nobody},
                      ensure_ascii=False, separators=(",", ":"))
    # Inside a script element only this could end it.
    return _PAGE.format(language=language, title=html.escape(title), data=data.replace("<", "\\u003c")).encode()
