"""What phones append to photos, fitted to what a file can hold; and an XMP that promises no more.

A gain map is kept as it is. It says for each place how much brighter than the photo it is on an HDR
screen. Enhancing gives each place a gain of its own, and the HDR rendition is to get the same gain,
so the ratio of the two does not change. (:mod:`undark.engine.hdr` treats light above white so.)

Formats: "Motion Photo format" 1.0 and "Ultra HDR Image Format" 1.1, whose XMP lists what follows
the photo in a directory of items with their lengths.
"""

from __future__ import annotations

import struct
from collections.abc import Collection
from dataclasses import replace
from typing import BinaryIO, Final
from xml.dom.minidom import Document, Element

from undark.io.metadata.boxes import item_types, motion_video, nclx_of, read_meta
from undark.io.metadata.cicp import known_cicp
from undark.io.metadata.mpf import turned_map
from undark.io.metadata.xmp import (
    edited,
    fields_of,
    properties,
    set_field,
    with_properties,
    without_properties,
)
from undark.photo import Appended, Cicp, Photo

__all__ = [
    "APPLE_MAP",
    "GAIN_MAP",
    "VIDEO",
    "appended_losses",
    "around_pixels",
    "fitted_appended",
    "semantics_of",
    "turned",
    "video_box",
]

GAIN_MAP, APPLE_MAP, VIDEO = "gain map", "Apple gain map", "video"

_RDF: Final = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_GOOGLE: Final = "http://ns.google.com/photos/1.0/"
_CAMERA: Final = f"{_GOOGLE}camera/"
_CONTAINER: Final = f"{_GOOGLE}container/"
_ITEM: Final = f"{_CONTAINER}item/"
_MAPS: Final = ("http://ns.adobe.com/hdr-gain-map/1.0/", "http://ns.apple.com/HDRGainMap/1.0/")
_OPLUS: Final = "http://ns.oplus.com/photos/1.0/camera/"
_MOTION: Final = tuple(
    f"M{kind}{name}"
    for kind, names in {
        "otionPhoto": ("", "Version", "PresentationTimestampUs"),
        "icroVideo": ("", "Version", "Offset", "PresentationTimestampUs"),
    }.items()
    for name in names
)
_APPLE_MARK: Final = b"photo:2020:aux:hdrgainmap"
_BOX: Final = 8
_SIGNS: Final = (
    b"ns.google.com",
    b"ns.oplus.com",
    b"hdr-gain-map",
    b"HDRGainMap",
)


def around_pixels(
    file: BinaryIO, icc: bytes | None, gain_map: bytes | None = None
) -> tuple[Appended | None, Cicp | None, tuple[str, ...]]:
    """What a HEIF or AVIF file holds beside what its decoder tells.

    Args:
        file: The file.
        icc: Its colour profile.
        gain_map: Its gain map as far as it was read.

    Returns:
        The gain map and the video of a motion photo; the code points of its colours; lines about
        what is left out.
    """
    meta = read_meta(file)
    video = motion_video(file)
    lost = gain_map is None and (_APPLE_MARK in meta or b"tmap" in item_types(meta))
    return (
        Appended(gain_map, tail=video, video=(0, len(video))) if video or gain_map else None,
        known_cicp(nclx_of(meta), icc, outranks=False),
        ("its gain map is left out: HDR screens show it as others do",) if lost else (),
    )


def video_box(photo: Photo) -> bytes:
    """The box in which HEIF and AVIF files hold a motion photo's video; nothing without one."""
    video = _video(photo.appended)
    if not video:
        return b""
    return struct.pack(">I4s", len(video) + _BOX, b"mpvd") + video


def _video(appended: Appended | None) -> bytes:
    return appended.tail[slice(*appended.video)] if appended else b""


def turned(appended: Appended | None, orientation: int) -> Appended | None:
    """It with its gain map turned as the photo is turned to be seen upright."""
    if appended is None or appended.gain_map is None or orientation == 1:
        return appended
    return replace(appended, gain_map=turned_map(appended.gain_map, orientation))


def appended_losses(photo: Photo, name: str, holds: Collection[str]) -> tuple[str, ...]:
    """Lines about what was appended to `photo` and a format cannot hold.

    Args:
        photo: The photo.
        name: The format's name.
        holds: What it can hold of `GAIN_MAP`, `APPLE_MAP` and `VIDEO`.
    """
    if photo.appended is None:
        return ()
    there = (_kind(photo.appended.gain_map), VIDEO if _video(photo.appended) else None)
    return tuple(
        f"its {what} is left out: {name} cannot hold it"
        for what in there
        if what and what not in holds
    )


def _kind(gain_map: bytes | None) -> str | None:
    if gain_map is None:
        return None
    return APPLE_MAP if _APPLE_MARK in gain_map else GAIN_MAP


def fitted_appended(photo: Photo, holds: Collection[str], *, mime: str, boxed: bool) -> Photo:
    """The photo with what a format can hold of what was appended, and an XMP that says just that.

    Args:
        photo: The photo.
        holds: What the format can hold of `GAIN_MAP`, `APPLE_MAP` and `VIDEO`.
        mime: The format's media type.
        boxed: It holds a video in a box of its own, and not behind all else.
    """
    appended = photo.appended
    if appended:
        if _kind(appended.gain_map) not in holds:
            appended = replace(appended, gain_map=None, gain_map_iso=b"")
        if VIDEO not in holds:
            appended = replace(appended, tail=b"", video=(0, 0))
        elif boxed:
            video = _video(appended)
            appended = replace(appended, tail=video, video=(0, len(video)))
        if appended.gain_map is None and not appended.tail:
            appended = None
    if photo.appended is None and appended is None and photo.xmp is None:
        return photo
    return replace(photo, appended=appended, xmp=_promising(photo.xmp, appended, mime, boxed))


def semantics_of(xmp: bytes | None) -> tuple[str, ...]:
    """What an XMP packet says of the images behind the first one, in order: ``GainMap``, ..."""
    found: list[str] = []

    def look(document: Document) -> bool:
        for item in document.getElementsByTagNameNS(_RDF, "li"):
            fields = fields_of(item, _ITEM)
            if fields.get("Mime", "").startswith("image/") and fields.get("Semantic") != "Primary":
                found.append(fields.get("Semantic", ""))
        return False

    if xmp and b"container/item" in xmp:
        edited(xmp, look)
    return tuple(found)


def _promising(
    packet: bytes | None, appended: Appended | None, mime: str, boxed: bool
) -> bytes | None:
    """A packet that names of maps and videos those that are there, with their lengths."""
    if packet is None or not any(sign in packet.replace(b"\0", b"") for sign in _SIGNS):
        return packet
    if appended is None or appended.gain_map is None:
        for namespace in _MAPS:
            packet = without_properties(packet, namespace)
    if appended is None or not appended.tail:
        packet = without_properties(without_properties(packet, _CAMERA, _MOTION), _OPLUS)
    if appended is None:
        return without_properties(without_properties(packet, _CONTAINER), _ITEM)
    rest = len(appended.tail) - appended.video[0]
    if "MicroVideoOffset" in properties(packet, _CAMERA):
        packet = with_properties(packet, _CAMERA, "GCamera", {"MicroVideoOffset": str(rest)})
    if packet is None:
        return None
    return edited(packet, lambda document: _relist(document, appended, mime, boxed))


def _relist(document: Document, appended: Appended, mime: str, boxed: bool) -> bool:
    """Put the directory of items right."""
    video, rest = len(_video(appended)), len(appended.tail) - appended.video[0]
    before = _BOX if boxed else appended.video[0]
    has_map = appended.gain_map is not None and not boxed
    items: list[Element] = document.getElementsByTagNameNS(_RDF, "li")
    for item in items:
        fields = fields_of(item, _ITEM)
        semantic = fields.get("Semantic", "")
        if not fields:
            continue
        if semantic == "Primary":
            set_field(item, _ITEM, "Mime", mime.replace("heif", "heic"))
            _put(item, "Padding", 0 if has_map else before, fields)
        elif semantic == "GainMap" and appended.gain_map and not boxed:
            _put(item, "Length", len(appended.gain_map), fields)
            _put(item, "Padding", before, fields)
        elif semantic == "MotionPhoto" and video:
            if fields.get("Length") not in (str(video), str(rest)):
                _put(item, "Length", rest, fields)
        elif item.parentNode is not None:
            item.parentNode.removeChild(item)
    return True


def _put(item: Element, name: str, number: int, fields: dict[str, str]) -> None:
    if fields.get(name, "0") != str(number):
        set_field(item, _ITEM, name, str(number))
