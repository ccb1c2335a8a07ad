"""Named boxes on photos as XMP: the face regions of the Metadata Working Group and of Microsoft.

Metadata Working Group, "Guidelines for Handling Image Metadata" 2.0 (2010), section 5.9: centre and size as parts of
the picture's sides. Microsoft, "People Tagging Overview": left, top and size. Both speak of the picture as it is
stored, before its EXIF orientation turns it, as digiKam writes and reads them; here boxes are those of the upright
picture.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..core.errors import FacesError

X, RDF = "adobe:ns:meta/", "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
MWG, AREA = "http://www.metadataworkinggroup.com/schemas/regions/", "http://ns.adobe.com/xmp/sType/Area#"
DIMENSIONS = "http://ns.adobe.com/xap/1.0/sType/Dimensions#"
MP, MPRI = "http://ns.microsoft.com/photo/1.2/", "http://ns.microsoft.com/photo/1.2/t/RegionInfo#"
MPREG = "http://ns.microsoft.com/photo/1.2/t/Region#"
PREFIXES = {"x": X, "rdf": RDF, "mwg-rs": MWG, "stArea": AREA, "stDim": DIMENSIONS, "MP": MP, "MPRI": MPRI,
            "MPReg": MPREG, "dc": "http://purl.org/dc/elements/1.1/", "xmp": "http://ns.adobe.com/xap/1.0/",
            "tiff": "http://ns.adobe.com/tiff/1.0/", "exif": "http://ns.adobe.com/exif/1.0/",
            "photoshop": "http://ns.adobe.com/photoshop/1.0/", "digiKam": "http://www.digikam.org/ns/1.0/",
            "lr": "http://ns.adobe.com/lightroom/1.0/", "crs": "http://ns.adobe.com/camera-raw-settings/1.0/"}
# Two boxes that overlap more than this (intersection over union) are one face.
SAME_FACE = 0.4

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Region:
    """A named box: left, top, width, height as parts, 0–1, of the upright picture's sides; the name may be empty."""

    name: str
    box: Box


@dataclass(frozen=True)
class Stored:
    """The sides of a picture as it is stored, in pixels, and its EXIF orientation, 1–8."""

    width: int
    height: int
    orientation: int = 1


def to_stored(box: Box, orientation: int) -> Box:
    """A box of the upright picture → the same box of the picture as it is stored."""
    return _turned(box, orientation)


def to_upright(box: Box, orientation: int) -> Box:
    """A box of the stored picture → the same box of the upright one."""
    return _turned(box, {6: 8, 8: 6}.get(orientation, orientation))


def _turned(box: Box, orientation: int) -> Box:
    """Upright → stored: what undoes the rotation or flip that the orientation asks for."""
    x, y, width, height = box
    right, below = 1 - x - width, 1 - y - height
    return {2: (right, y, width, height), 3: (right, below, width, height), 4: (x, below, width, height),
            5: (y, x, height, width), 6: (y, right, height, width), 7: (below, right, height, width),
            8: (below, x, height, width)}.get(orientation, box)


def with_regions(packet: bytes | None, regions: Iterable[Region], stored: Stored) -> bytes:
    """An XMP packet with the regions of ``packet`` and these.

    A region of ``packet`` stays, with its name, and none of these is added on top of it, unless it has no name. All
    else that the packet says stays. Raises FacesError ``xmp_unreadable``.
    """
    for prefix, space in PREFIXES.items():
        ET.register_namespace(prefix, space)
    root = _parsed(packet) if packet else ET.Element(_tag(X, "xmpmeta"))
    there = read_regions(packet, stored.orientation) if packet else []
    kept = [region for region in there if region.name]
    merged = kept + [region for region in regions if not any(overlap(region.box, old.box) > SAME_FACE for old in kept)]
    merged += [old for old in there if not old.name
               and not any(overlap(old.box, region.box) > SAME_FACE for region in merged)]
    rdf = root if root.tag == _tag(RDF, "RDF") else root.find(_tag(RDF, "RDF"))
    if rdf is None:
        rdf = ET.SubElement(root, _tag(RDF, "RDF"))
    others = _without_faces(rdf)
    description = ET.SubElement(rdf, _tag(RDF, "Description"), {_tag(RDF, "about"): ""})
    description.append(_as_mwg(merged, others, stored))
    description.append(_as_microsoft(merged, stored))
    ET.indent(root, " ")
    body = ET.tostring(root, encoding="unicode")
    return (f'<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n{body}\n<?xpacket end="w"?>').encode()


def read_regions(packet: bytes, orientation: int = 1) -> list[Region]:
    """The face regions of an XMP packet, upright; those of Microsoft only where they are not said twice.

    Raises FacesError ``xmp_unreadable``.
    """
    root = _parsed(packet)
    found: list[Region] = []
    for item in _all(root, MWG, "RegionList"):
        if (_value(item, MWG, "Type") or "Face") == "Face" and (box := _mwg_box(item)):
            found.append(Region(_value(item, MWG, "Name") or "", to_upright(box, orientation)))
    for item in _all(root, MPRI, "Regions"):
        box = _microsoft_box(_value(item, MPREG, "Rectangle") or "")
        if box:
            region = Region(_value(item, MPREG, "PersonDisplayName") or "", to_upright(box, orientation))
            if not any(overlap(region.box, old.box) > SAME_FACE for old in found):
                found.append(region)
    return found


def overlap(one: Box, other: Box) -> float:
    """Intersection over union of two boxes."""
    across = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    down = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    shared = max(0.0, across) * max(0.0, down)
    union = one[2] * one[3] + other[2] * other[3] - shared
    return shared / union if union > 0 else 0.0


def _parsed(packet: bytes) -> ET.Element:
    start = packet.find(b"<x:xmpmeta")
    end = packet.rfind(b"</x:xmpmeta>")
    body = packet[start : end + len(b"</x:xmpmeta>")] if 0 <= start < end else packet
    # An entity could stand for a gigabyte or for another file: XMP knows none.
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body:
        raise FacesError("xmp_unreadable", reason="DOCTYPE")
    try:
        return ET.fromstring(body)
    except (ET.ParseError, ValueError) as error:
        raise FacesError("xmp_unreadable", reason=str(error)) from error


def _tag(space: str, name: str) -> str:
    return f"{{{space}}}{name}"


def _all(root: ET.Element, space: str, name: str) -> list[ET.Element]:
    """The structures in every list of that name, with what rdf:Description wraps around some of them."""
    return [item for holder in root.iter(_tag(space, name)) for item in holder.iter(_tag(RDF, "li"))]


def _value(item: ET.Element, space: str, name: str) -> str | None:
    """A field of a structure, written as an element or as an attribute."""
    for element in (item, *item.findall(_tag(RDF, "Description"))):
        if (told := element.get(_tag(space, name))) is not None:
            return told
        found = element.find(_tag(space, name))
        if found is not None:
            return (found.text or "").strip()
    return None


def _mwg_box(item: ET.Element) -> Box | None:
    for element in (item, *item.findall(_tag(RDF, "Description"))):
        area = element.find(_tag(MWG, "Area"))
        if area is not None:
            try:
                x, y, width, height = (float(_value(area, AREA, name) or "") for name in ("x", "y", "w", "h"))
            except ValueError:
                return None
            return x - width / 2, y - height / 2, width, height
    return None


def _microsoft_box(text: str) -> Box | None:
    try:
        x, y, width, height = (float(part) for part in text.split(","))
    except ValueError:
        return None
    return x, y, width, height


def _without_faces(rdf: ET.Element) -> list[ET.Element]:
    """Take the regions out of a packet; the MWG ones that are no faces (pets, focus, codes) are given back."""
    others: list[ET.Element] = []
    for description in list(rdf):
        for regions in description.findall(_tag(MWG, "Regions")):
            others += [item for item in _all(regions, MWG, "RegionList")
                       if (_value(item, MWG, "Type") or "Face") != "Face"]
            description.remove(regions)
        for info in description.findall(_tag(MP, "RegionInfo")):
            description.remove(info)
        if not len(description) and set(description.attrib) <= {_tag(RDF, "about")}:
            rdf.remove(description)
    return others


def _structure(parent: ET.Element, space: str, name: str) -> ET.Element:
    return ET.SubElement(parent, _tag(space, name), {_tag(RDF, "parseType"): "Resource"})


def _text(parent: ET.Element, space: str, name: str, text: str) -> None:
    ET.SubElement(parent, _tag(space, name)).text = text


def _as_mwg(regions: Sequence[Region], others: Sequence[ET.Element], stored: Stored) -> ET.Element:
    whole = ET.Element(_tag(MWG, "Regions"), {_tag(RDF, "parseType"): "Resource"})
    size = _structure(whole, MWG, "AppliedToDimensions")
    for name, side in (("w", str(stored.width)), ("h", str(stored.height)), ("unit", "pixel")):
        _text(size, DIMENSIONS, name, side)
    bag = ET.SubElement(ET.SubElement(whole, _tag(MWG, "RegionList")), _tag(RDF, "Bag"))
    for region in regions:
        x, y, width, height = to_stored(region.box, stored.orientation)
        item = _structure(bag, RDF, "li")
        if region.name:
            _text(item, MWG, "Name", _clean(region.name))
        _text(item, MWG, "Type", "Face")
        area = _structure(item, MWG, "Area")
        for name, value in (("x", x + width / 2), ("y", y + height / 2), ("w", width), ("h", height)):
            _text(area, AREA, name, f"{value:.6f}")
        _text(area, AREA, "unit", "normalized")
    bag.extend(others)
    return whole


def _as_microsoft(regions: Sequence[Region], stored: Stored) -> ET.Element:
    whole = ET.Element(_tag(MP, "RegionInfo"), {_tag(RDF, "parseType"): "Resource"})
    bag = ET.SubElement(ET.SubElement(whole, _tag(MPRI, "Regions")), _tag(RDF, "Bag"))
    for region in regions:
        item = _structure(bag, RDF, "li")
        _text(item, MPREG, "Rectangle", ", ".join(f"{part:.6f}" for part in to_stored(region.box, stored.orientation)))
        if region.name:
            _text(item, MPREG, "PersonDisplayName", _clean(region.name))
    return whole


def _clean(name: str) -> str:
    """A name without the control characters that XML cannot hold."""
    return "".join(sign for sign in name if sign >= " " and sign not in "\ufffe\uffff")
