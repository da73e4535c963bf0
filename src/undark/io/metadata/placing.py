"""Where texts and IPTC go in a format that has no place of its own for them: into XMP.

Mapping: IPTC Photo Metadata Standard (2023), which gives each field of IIM its property in XMP, and
the keywords that the PNG specification defines (third edition, 11.3.3.1).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Final, NamedTuple
from xml.sax.saxutils import escape, quoteattr

from undark.io.metadata.iptc import iptc_text
from undark.io.metadata.xmp import is_sound, with_packet, without_properties
from undark.photo import Photo, Text

__all__ = ["MAX_COMMENT", "Room", "placed"]

MAX_COMMENT: Final = 65533
"""Bytes that the comment of a JPEG can have."""

_DC: Final = "http://purl.org/dc/elements/1.1/"
_XMP: Final = "http://ns.adobe.com/xap/1.0/"
_EXIF: Final = "http://ns.adobe.com/exif/1.0/"
_RIGHTS: Final = "http://ns.adobe.com/xap/1.0/rights/"
_PHOTOSHOP: Final = "http://ns.adobe.com/photoshop/1.0/"
_CORE: Final = "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/"
_PREFIXES: Final = {
    _DC: "dc",
    _XMP: "xmp",
    _EXIF: "exif",
    _RIGHTS: "xmpRights",
    _PHOTOSHOP: "photoshop",
    _CORE: "Iptc4xmpCore",
}
_NO_XML: Final = re.compile(r"[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_DATE: Final = re.compile(r"(\d{4})-?(\d{2})-?(\d{2})(T\S+)?")


class _Property(NamedTuple):
    """A property of XMP: its namespace, its name, and "" (simple), "Alt", "Bag" or "Seq"."""

    namespace: str
    name: str
    form: str = ""


_TITLE: Final = _Property(_DC, "title", "Alt")
_CREATOR: Final = _Property(_DC, "creator", "Seq")
_DESCRIPTION: Final = _Property(_DC, "description", "Alt")
_COPYRIGHT: Final = _Property(_DC, "rights", "Alt")
_DATED: Final = (_Property(_PHOTOSHOP, "DateCreated"), _Property(_XMP, "CreateDate"))

_BY_KEYWORD: Final = {
    "title": _TITLE,
    "author": _CREATOR,
    "description": _DESCRIPTION,
    "copyright": _COPYRIGHT,
    "creation time": _DATED[1],
    "software": _Property(_XMP, "CreatorTool"),
    "disclaimer": _Property(_RIGHTS, "UsageTerms", "Alt"),
    "comment": _Property(_EXIF, "UserComment", "Alt"),
}
_BY_NUMBER: Final = {
    5: _TITLE,
    10: _Property(_PHOTOSHOP, "Urgency"),
    15: _Property(_PHOTOSHOP, "Category"),
    20: _Property(_PHOTOSHOP, "SupplementalCategories", "Bag"),
    25: _Property(_DC, "subject", "Bag"),
    40: _Property(_PHOTOSHOP, "Instructions"),
    55: _DATED[0],
    80: _CREATOR,
    85: _Property(_PHOTOSHOP, "AuthorsPosition"),
    90: _Property(_PHOTOSHOP, "City"),
    92: _Property(_CORE, "Location"),
    95: _Property(_PHOTOSHOP, "State"),
    100: _Property(_CORE, "CountryCode"),
    101: _Property(_PHOTOSHOP, "Country"),
    103: _Property(_PHOTOSHOP, "TransmissionReference"),
    105: _Property(_PHOTOSHOP, "Headline"),
    110: _Property(_PHOTOSHOP, "Credit"),
    115: _Property(_PHOTOSHOP, "Source"),
    116: _COPYRIGHT,
    120: _DESCRIPTION,
    122: _Property(_PHOTOSHOP, "CaptionWriter"),
}


class Room(NamedTuple):
    """What of it a format can hold.

    Attributes:
        name: Of the format, for people.
        iptc: An IPTC block.
        texts: Texts of any keyword.
        comment: A comment.
        xmp: An XMP packet.
    """

    name: str
    iptc: bool
    texts: bool
    comment: bool
    xmp: bool


def placed(photo: Photo, room: Room) -> tuple[Photo, tuple[str, ...]]:
    """A photo as a format can hold it, and a line about each thing that it cannot.

    What has a natural place in XMP goes there, unless the packet has such a property already.
    """
    lines: list[str] = []
    wanted: list[tuple[_Property, str]] = []
    fields = [] if room.iptc else iptc_text(photo.iptc)
    if photo.iptc and not room.iptc:
        found = [(_BY_NUMBER.get(number), text) for number, text in fields]
        known = [(place, text) for place, text in found if place]
        wanted += known
        lines.append(
            f"its IPTC is left out: {room.name} holds none"
            if not (room.xmp and known)
            else f"its IPTC goes into its XMP: {room.name} holds none"
        )
    kept, others = _sorted(photo.texts, room)
    lost: list[str] = []
    for text in others:
        place = _BY_KEYWORD.get(text.keyword.lower())
        if place and room.xmp and text.text:
            wanted.append((place, text.text))
        else:
            lost.append(text.keyword)
    if lost:
        names = ", ".join(_printable(name) for name in dict.fromkeys(lost))
        noun = "text" if len(lost) == 1 else "texts"
        verb = "is" if len(lost) == 1 else "are"
        lines.append(f"its {noun} {names} {verb} left out: {room.name} has no place for it")
    xmp = _with(photo.xmp, wanted) if room.xmp else photo.xmp
    iptc = photo.iptc if room.iptc else None
    return replace(photo, xmp=xmp, iptc=iptc, texts=kept), tuple(lines)


def _sorted(texts: Iterable[Text], room: Room) -> tuple[tuple[Text, ...], list[Text]]:
    """The texts that a format has a place for, and the others."""
    kept: list[Text] = []
    others: list[Text] = []
    for text in texts:
        is_comment = text.keyword.lower() == "comment"
        fits = text.kind == "COM" or len(text.text.encode("utf-8", "replace")) <= MAX_COMMENT
        held = room.texts or (room.comment and is_comment and fits)
        (kept if held else others).append(text)
    return tuple(kept), others


def _printable(name: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in name)[:40]


def _with(packet: bytes | None, wanted: list[tuple[_Property, str]]) -> bytes | None:
    """The packet with properties that it lacks; a broken one is left as it is."""
    if packet and not is_sound(packet):
        return packet
    values: dict[_Property, list[str]] = {}
    for place, text in wanted:
        clean = _NO_XML.sub("", text).strip()
        if place in _DATED:
            date = _DATE.fullmatch(clean)
            clean = "{}-{}-{}".format(*date.groups()) + (date.group(4) or "") if date else ""
        if clean and clean not in values.get(place, []):
            values.setdefault(place, []).append(clean)
    missing = [place for place in values if not _has(packet, place)]
    if not missing:
        return packet
    added = _packet({place: values[place] for place in missing})
    return with_packet(packet, added) if packet else added


def _has(packet: bytes | None, place: _Property) -> bool:
    return without_properties(packet, place.namespace, (place.name,)) != packet


def _packet(values: dict[_Property, list[str]]) -> bytes:
    """A packet of some properties."""
    lines: list[str] = []
    for place, texts in values.items():
        name = f"{_PREFIXES[place.namespace]}:{place.name}"
        language = ' xml:lang="x-default"' if place.form == "Alt" else ""
        items = "".join(f"<rdf:li{language}>{_escaped(text)}</rdf:li>" for text in texts)
        if place.form == "Alt":
            items = f"<rdf:li{language}>{_escaped(chr(10).join(texts))}</rdf:li>"
        value = f"<rdf:{place.form}>{items}</rdf:{place.form}>" if place.form else ""
        lines.append(f"<{name}>{value or _escaped(texts[0])}</{name}>")
    used = {place.namespace for place in values}
    spaces = "".join(f" xmlns:{_PREFIXES[uri]}={quoteattr(uri)}" for uri in sorted(used))
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description rdf:about=""{spaces}>{"".join(lines)}</rdf:Description>'
        '</rdf:RDF></x:xmpmeta>\n<?xpacket end="w"?>'
    ).encode()


def _escaped(text: str) -> str:
    return escape(text, {"\r": "&#13;"})
