"""What phones append to a JPEG: more images, a video, a maker's trailer; and the index of images.

Formats: ITU-T T.81, annex B (markers); CIPA DC-007 (MPF, the index); ISO 21496-1 and "Ultra HDR
Image Format" 1.1 (gain maps); "Motion Photo format" 1.0 (videos). Samsung's trailer ends in a
directory (``SEFH`` ... ``SEFT``) whose offsets count backwards, so it may stand anywhere at the
end.
"""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Iterator
from typing import Final

from PIL import Image

from undark.io.metadata.boxes import box_end
from undark.photo import Appended

__all__ = ["append_parts", "split_parts", "turned_map"]

_SOI: Final = b"\xff\xd8\xff"
_APP2, _SOS, _EOI = 0xE2, 0xDA, 0xD9
_APPLICATION: Final = range(0xE0, 0xF0)
_STANDALONE: Final = (0x01, *range(0xD0, 0xD9))
_NEXT_MARKER: Final = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_ISO: Final = b"urn:iso:std:iso:ts:21496:-1\0"
_MAP_MARKS: Final = (b"ns.adobe.com/hdr-gain-map/", _ISO, b"photo:2020:aux:hdrgainmap")
_MPF: Final = b"MPF\0"
_PRIMARY_ATTRIBUTES: Final = 0x030000
_ENTRIES, _THUMBNAIL = 0xB002, 0x01
_QUALITY: Final = 95
_MAX_MAP: Final = 1 << 26
_TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def split_parts(data: bytes, semantics: tuple[str, ...]) -> tuple[Appended | None, int]:
    """What follows the first image of a JPEG file, and how many images of it are left out.

    A gain map and a video are kept; other images (of the other eye, a depth) would show another
    light than the photo, and are not. Previews, which many cameras write, are not counted.

    Args:
        data: The whole file.
        semantics: What the photo's XMP says of the images that follow, in order: ``GainMap``, ...
    """
    end = _image_end(data, 0)
    if end is None or end >= len(data):
        return None, 0
    stop = _samsung_start(data)
    images: list[bytes] = []
    previews = _previews(data)
    unseen = 0
    while (found := _next_image(data, end, stop)) is not None:
        images.append(data[found[0] : found[1]])
        unseen += found[0] in previews
        end = found[1]
    maps = [
        number
        for number, image in enumerate(images)
        if (_is_map(image) or semantics[number : number + 1] == ("GainMap",)) and _is_whole(image)
    ]
    tail = data[end:]
    start = tail.find(b"ftyp") - 4
    video = (start, box_end(tail, start)) if start >= 0 else (0, 0)
    if video[1] <= video[0]:
        tail, video = b"", (0, 0)
    lost = max(0, len(images) - unseen - bool(maps))
    # One that the XMP names, and that is cut off.
    lost += not maps and "GainMap" in semantics[len(images) :]
    if not maps and not tail:
        return None, lost
    said = next((part for kind, part in _segments(data) if kind == _APP2 and _ISO in part), b"")
    return (
        Appended(images[maps[0]] if maps else None, said if maps else b"", tail, video),
        lost,
    )


def _previews(data: bytes) -> set[int]:
    """Where an MPF index says that previews (large thumbnails) begin."""
    for kind, part in _segments(data):
        if kind == _APP2 and part[4:8] == _MPF:
            order = "<" if part[8:10] == b"II" else ">"
            try:
                return set(_thumbnails(part[8:], order, data.index(part) + 8))
            except struct.error:
                break
    return set()


def _thumbnails(index: bytes, order: str, base: int) -> Iterator[int]:
    (at,) = struct.unpack_from(order + "I", index, 4)
    (count,) = struct.unpack_from(order + "H", index, at)
    for row in range(count):
        tag, _, size, place = struct.unpack_from(order + "HHII", index, at + 2 + 12 * row)
        if tag == _ENTRIES:
            for entry in range(place, place + size, 16):
                kind, _, offset = struct.unpack_from(order + "III", index, entry)
                if kind >> 16 & 0xFF == _THUMBNAIL:
                    yield base + offset


def _next_image(data: bytes, start: int, stop: int) -> tuple[int, int] | None:
    """Where the next whole image lies, if it comes before a video or a maker's trailer."""
    at, video = data.find(_SOI, start, stop), data.find(b"ftyp", start, stop)
    if at < 0 or 0 <= video < at:
        return None
    end = _image_end(data, at)
    return None if end is None else (at, end)


def _segments(data: bytes, start: int = 0) -> Iterator[tuple[int, bytes]]:
    """Marker and whole bytes of each segment before the scan."""
    at = start + 2
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] not in (_SOS, _EOI):
        if data[at + 1] == 0xFF or data[at + 1] in _STANDALONE:
            at += 1 if data[at + 1] == 0xFF else 2
            continue
        size = int.from_bytes(data[at + 2 : at + 4], "big") + 2
        yield data[at + 1], data[at : at + size]
        at += size


def _image_end(data: bytes, start: int) -> int | None:
    """Where the JPEG at `start` ends, behind its EOI; None where it has no end."""
    at = start + 2
    while (found := _NEXT_MARKER.search(data, at)) is not None:
        at, marker = found.start(), data[found.start() + 1]
        if marker == _EOI:
            return at + 2
        at += 2
        if marker not in _STANDALONE:
            at += max(2, int.from_bytes(data[at : at + 2], "big"))
    return None


def _is_map(image: bytes) -> bool:
    return any(mark in part for _, part in _segments(image) for mark in _MAP_MARKS)


def _is_whole(image: bytes) -> bool:
    """Whether it can be decoded, and so turned and stored in another way."""
    try:
        with Image.open(io.BytesIO(image)) as found:
            if found.width * found.height > _MAX_MAP:
                return False
            found.load()
    except (OSError, SyntaxError, ValueError, struct.error, Image.DecompressionBombError):
        return False
    return True


def _samsung_start(data: bytes) -> int:
    """Where Samsung's trailer begins; the file's end where there is none."""
    if not data.endswith(b"SEFT") or len(data) < 20:
        return len(data)
    directory = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    if directory < 0 or data[directory : directory + 4] != b"SEFH":
        return len(data)
    count = min(int.from_bytes(data[directory + 8 : directory + 12], "little"), 1000)
    offsets = [
        int.from_bytes(data[at : at + 4], "little")
        for at in range(directory + 16, directory + 12 + 12 * count, 12)
    ]
    return max(0, directory - max(offsets, default=0))


def append_parts(data: bytes, appended: Appended) -> bytes:
    """An encoded JPEG with what is to follow it, and an index of its images where there are two."""
    if appended.gain_map is None:
        return data + appended.tail
    at = 2
    for kind, part in _segments(data):
        if kind not in _APPLICATION:
            break
        at += len(part)
    head, rest = data[:at] + appended.gain_map_iso, data[at:]
    size = len(_index(0, 0, 0))
    whole = len(head) + size + len(rest)
    # Offsets count from the index's byte order mark, behind its marker, length and name.
    index = _index(whole, len(appended.gain_map), whole - (len(head) + 8))
    return b"".join([head, index, rest, appended.gain_map, appended.tail])


def _index(first: int, second: int, offset: int) -> bytes:
    """An MPF segment for two images of these sizes (CIPA DC-007, 5.2)."""
    entries = struct.pack(">IIIHH", _PRIMARY_ATTRIBUTES, first, 0, 0, 0)
    entries += struct.pack(">IIIHH", 0, second, offset, 0, 0)
    table = struct.pack(">HHI4s", 0xB000, 7, 4, b"0100") + struct.pack(">HHII", 0xB001, 4, 1, 2)
    table += struct.pack(">HHII", 0xB002, 7, len(entries), 8 + 2 + 3 * 12 + 4)
    content = _MPF + b"MM\0*" + struct.pack(">IH", 8, 3) + table + bytes(4) + entries
    return b"\xff\xe2" + struct.pack(">H", len(content) + 2) + content


def turned_map(jpeg: bytes, orientation: int) -> bytes:
    """A gain map turned as the photo is, with all that it says of itself.

    Args:
        jpeg: The map.
        orientation: 2 to 8, as in EXIF.
    """
    with Image.open(io.BytesIO(jpeg)) as image:
        turned = image.transpose(_TURNS[orientation])
    buffer = io.BytesIO()
    turned.save(buffer, "JPEG", quality=_QUALITY, subsampling=0)
    said = b"".join(
        part
        for kind, part in _segments(jpeg)
        if kind in _APPLICATION[1:] and part[4:8] != _MPF and part[4:10] != b"Exif\0\0"
    )
    encoded = buffer.getvalue()
    start = 2 + next(len(part) for _, part in _segments(encoded))  # behind Pillow's JFIF header
    return encoded[:start] + said + encoded[start:]
