"""The segments of a JPEG that hold IPTC, comments, and XMP that is too long for one segment.

Formats: ITU-T T.81, annex B; Adobe XMP Specification, part 3 (2020), 1.1.3.1 "Extended XMP".
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Iterator
from typing import Final

from undark.io.formats.texts import decoded_text
from undark.io.metadata.iptc import from_resources, to_resource
from undark.io.metadata.long_xmp import divided
from undark.io.metadata.xmp import (
    is_sound,
    properties,
    with_packet,
    with_properties,
    without_properties,
)
from undark.photo import Photo, Text

__all__ = [
    "MAX_EXIF",
    "_MAX_SEGMENT",
    "comments_in",
    "iptc_in",
    "text_segments",
    "whole_xmp",
    "xmp_segments",
]

_MAX_SEGMENT: Final = 65533
MAX_EXIF: Final = _MAX_SEGMENT - 6
"""Bytes of an EXIF block that a segment can hold, behind its name (CIPA DC-008)."""

_COMMENT, _APP1, _APP13 = 0xFE, 0xE1, 0xED
_PHOTOSHOP: Final = b"Photoshop 3.0\0"
_XMP: Final = b"http://ns.adobe.com/xap/1.0/\0"
_MORE: Final = b"http://ns.adobe.com/xmp/extension/\0"
_NOTE: Final = "http://ns.adobe.com/xmp/note/"
_HAS_MORE: Final = "HasExtendedXMP"
# Their first segment says of what kind the image or sound is that lies in the others.
_PROMISES: Final = tuple(
    f"http://ns.google.com/photos/1.0/{name}/" for name in ("depthmap", "image", "audio")
)
_NOTE_SIZE: Final = 200
_MAX_XMP: Final = 1 << 27

Segments = Iterable[tuple[str, bytes]]
"""Names and contents of a file's segments, as Pillow lists them."""


def iptc_in(segments: Segments) -> bytes | None:
    """The IPTC block, which may go over several segments."""
    parts = [
        data.removeprefix(_PHOTOSHOP)
        for name, data in segments
        if name == "APP13" and data.startswith(_PHOTOSHOP)
    ]
    return from_resources(b"".join(parts))


def comments_in(segments: Segments) -> tuple[Text, ...]:
    """The comments; texts in UTF-8 or, where they are not, in Latin-1."""
    return tuple(
        Text("Comment", decoded_text(data), "COM", data)
        for name, data in segments
        if name == "COM" and data.strip(b"\0 ")
    )


def whole_xmp(segments: Segments, packet: bytes | None) -> bytes | None:
    """The packet with what its segments of extended XMP add to it.

    Args:
        segments: Of the file.
        packet: The standard packet.
    """
    key = properties(packet, _NOTE).get(_HAS_MORE, "") if packet else ""
    if not (packet and key):
        return packet
    rest = without_properties(packet, _NOTE, (_HAS_MORE,))
    whole = _gathered(segments, key)
    if whole is None or not is_sound(whole):
        for namespace in _PROMISES:
            rest = without_properties(rest, namespace)
        return rest
    # The digest's place is kept for nothing else.
    return with_packet(rest, whole) if rest else whole


def _gathered(segments: Segments, key: str) -> bytes | None:
    """The extended packet of a digest, if all of it is there."""
    parts: dict[int, bytes] = {}
    total = 0
    for name, data in segments:
        body = data.removeprefix(_MORE)
        if name != "APP1" or body == data or body[:32] != key.encode("latin-1", "replace"):
            continue
        if len(body) >= 40:
            total, offset = struct.unpack_from(">II", body, 32)
            parts[offset] = body[40:]
    whole = b"".join(parts[offset] for offset in sorted(parts))
    return whole if 0 < len(whole) == total <= _MAX_XMP else None


def xmp_segments(packet: bytes | None) -> bytes:
    """The standard segment of a packet, and those of what it has no room for.

    Some readers look at the first one only, so that comes first and holds what is short.
    """
    if packet is None:
        return b""
    if len(packet) <= _MAX_SEGMENT - len(_XMP):
        return _segment(_APP1, _XMP + packet)
    if len(packet) > _MAX_XMP or not is_sound(packet):
        return b""
    first, rest = divided(packet, _MAX_SEGMENT - len(_XMP) - _NOTE_SIZE)
    key = hashlib.md5(rest, usedforsecurity=False).hexdigest().upper()
    step = _MAX_SEGMENT - len(_MORE) - 40
    parts = [_XMP + with_properties(first, _NOTE, "xmpNote", {_HAS_MORE: key})]
    parts += [
        _MORE + key.encode() + struct.pack(">II", len(rest), at) + part
        for at, part in _pieces(rest, step)
    ]
    return b"".join(_segment(_APP1, part) for part in parts)


def text_segments(photo: Photo) -> bytes:
    """The segments of a photo's IPTC block and comments."""
    parts: list[bytes] = []
    if photo.iptc:
        resource = to_resource(photo.iptc)
        step = _MAX_SEGMENT - len(_PHOTOSHOP)
        parts += [_segment(_APP13, _PHOTOSHOP + part) for _, part in _pieces(resource, step)]
    for text in photo.texts:
        data = text.data if text.kind == "COM" else text.text.encode("utf-8", "replace")
        parts.append(_segment(_COMMENT, data[:_MAX_SEGMENT]))
    return b"".join(parts)


def _pieces(data: bytes, step: int) -> Iterator[tuple[int, bytes]]:
    return ((at, data[at : at + step]) for at in range(0, len(data), step))


def _segment(mark: int, data: bytes) -> bytes:
    return b"\xff" + bytes([mark]) + struct.pack(">H", len(data) + 2) + data
