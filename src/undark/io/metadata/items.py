"""Items of HEIF files: what belongs to an auxiliary image, and such an image added.

Libheif's writer knows no auxiliary images but alpha, so one that was encoded as a file of its own
is moved into another file here. Format: ISO/IEC 14496-12, 8.11 (items), ISO/IEC 23008-12, 6.5.8.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Final

from undark.io.metadata.boxes import boxes

__all__ = ["described_by", "with_auxiliary"]

_FILE, _IDAT = 0, 1
_HIDDEN: Final = 1
_ESSENTIAL: Final = (b"hvcC", b"av1C")
Extent = tuple[int, int]


@dataclass(slots=True)
class _Meta:
    """The items of a ``meta`` box.

    Attributes:
        start: Where the box begins in the file.
        end: Where it ends.
        children: Its boxes by kind; the content of each.
        primary: The item that is shown.
        places: Construction method and extents of each item.
    """

    start: int
    end: int
    children: dict[bytes, bytes]
    primary: int
    places: dict[int, tuple[int, list[Extent]]] = field(default_factory=lambda: {})


def _parsed(data: bytes) -> _Meta:
    """The items of a file.

    Raises:
        ValueError: It has none, or they make no sense.
    """
    end = 0
    for kind, start, after in boxes(data):
        if kind == b"meta":
            children = {name: data[at:to] for name, at, to in boxes(data, start + 4, after)}
            try:
                head = children[b"pitm"]
                primary = int.from_bytes(head[4 : 6 if head[0] == 0 else 8], "big")
                places = _places(children[b"iloc"])
            except (KeyError, IndexError, struct.error) as error:
                raise ValueError("items that make no sense") from error
            return _Meta(end, after, children, primary, places)
        end = after
    raise ValueError("no items")


def _places(iloc: bytes) -> dict[int, tuple[int, list[Extent]]]:
    version, sizes = iloc[0], int.from_bytes(iloc[4:6], "big")
    wide = 4 if version == 2 else 2
    offsets, lengths, bases = (sizes >> shift & 15 for shift in (12, 8, 4))
    indexes = sizes & 15 if version else 0
    at = 6

    def number(size: int) -> int:
        nonlocal at
        at += size
        if at > len(iloc):
            raise IndexError
        return int.from_bytes(iloc[at - size : at], "big")

    found: dict[int, tuple[int, list[Extent]]] = {}
    for _ in range(number(wide)):
        item = number(wide)
        method = number(2) & 15 if version else _FILE
        number(2)
        base = number(bases)
        extents: list[Extent] = []
        for _ in range(number(2)):
            number(indexes)
            start = number(offsets)
            extents.append((base + start, number(lengths)))
        found[item] = (method, extents)
    return found


def described_by(data: bytes, item: int) -> bytes | None:
    """The XMP packet that describes an item of a HEIF file, if there is one."""
    try:
        meta = _parsed(data)
    except ValueError:
        return None
    references = meta.children.get(b"iref", b"")
    kinds = _kinds(meta.children.get(b"iinf", b""))
    wide = 4 if references[:1] == b"\1" else 2
    for kind, at, end in boxes(references, 4):
        numbers = [int.from_bytes(references[n : n + wide], "big") for n in range(at, end, wide)]
        source = numbers[0] if numbers else 0
        # The second number counts those that follow; it is of two bytes in either version.
        targets = [
            int.from_bytes(references[n : n + wide], "big") for n in range(at + wide + 2, end, wide)
        ]
        if kind == b"cdsc" and item in targets and kinds.get(source) == b"mime":
            method, extents = meta.places.get(source, (_FILE, []))
            held = meta.children.get(b"idat", b"") if method == _IDAT else data
            return b"".join(held[first : first + size] for first, size in extents) or None
    return None


def _kinds(iinf: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    for kind, at, _ in boxes(iinf, 6 if iinf[:1] == b"\0" else 8):
        if kind == b"infe" and iinf[at] >= 2:
            wide = 2 if iinf[at] == 2 else 4
            number = int.from_bytes(iinf[at + 4 : at + 4 + wide], "big")
            found[number] = iinf[at + 6 + wide : at + 10 + wide]
    return found


def with_auxiliary(data: bytes, image: bytes, kind: str, xmp: bytes) -> bytes:
    """A HEIF file with the image of another file as an auxiliary image of its own.

    Args:
        data: The file, whose item numbers fit 16 bits, as libheif writes them.
        image: A file with one image of one coded item.
        kind: URN of what the auxiliary image is.
        xmp: XMP packet of the auxiliary image.

    Raises:
        ValueError: One of the files is built in another way.
    """
    meta, other = _parsed(data), _parsed(image)
    coded = b"".join(image[at : at + size] for at, size in other.places[other.primary][1])
    aux = max(meta.places) + 1
    said = aux + 1
    children = dict(meta.children)
    children[b"iinf"] = _listed(
        children[b"iinf"],
        [
            struct.pack(">HH4s", aux, 0, _kinds(other.children[b"iinf"])[other.primary]) + b"\0",
            struct.pack(">HH4s", said, 0, b"mime") + b"\0application/rdf+xml\0\0",
        ],
    )
    children[b"iref"] = children.get(b"iref", bytes(4)) + b"".join(
        _box(name, struct.pack(">HHH", source, 1, target))
        for name, source, target in ((b"auxl", aux, meta.primary), (b"cdsc", said, aux))
    )
    children[b"iprp"] = _with_properties(children[b"iprp"], aux, other, kind)

    def built(shift: int) -> bytes:
        places = {
            item: (method, [(at + shift * (method == _FILE), size) for at, size in extents])
            for item, (method, extents) in meta.places.items()
        }
        at = len(data) + shift + 8
        places[aux] = (_FILE, [(at, len(coded))])
        places[said] = (_FILE, [(at + len(coded), len(xmp))])
        children[b"iloc"] = _located(places)
        return _box(b"meta", bytes(4) + b"".join(_box(*child) for child in children.items()))

    # How far all that follows is shifted depends on the size, and not on the numbers in it.
    box = built(len(built(0)) - (meta.end - meta.start))
    return b"".join([data[: meta.start], box, data[meta.end :], _box(b"mdat", coded + xmp)])


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", len(content) + 8, kind) + content


def _listed(iinf: bytes, entries: list[bytes]) -> bytes:
    wide = 2 if iinf[0] == 0 else 4
    count = int.from_bytes(iinf[4 : 4 + wide], "big") + len(entries)
    # Version 2 of an entry, hidden: neither is a picture to show.
    rows = b"".join(_box(b"infe", struct.pack(">I", 2 << 24 | _HIDDEN) + row) for row in entries)
    return iinf[:4] + count.to_bytes(wide, "big") + iinf[4 + wide :] + rows


def _located(places: dict[int, tuple[int, list[Extent]]]) -> bytes:
    rows = b"".join(
        struct.pack(">HHHH", item, method, 0, len(extents))
        + b"".join(struct.pack(">II", *extent) for extent in extents)
        for item, (method, extents) in places.items()
    )
    return struct.pack(">IHH", 1 << 24, 0x4400, len(places)) + rows


def _with_properties(iprp: bytes, aux: int, other: _Meta, kind: str) -> bytes:
    parts = {name: iprp[at:to] for name, at, to in boxes(iprp)}
    count = sum(1 for _ in boxes(parts[b"ipco"]))
    source = other.children[b"iprp"]
    held = {name: source[at:to] for name, at, to in boxes(source)}[b"ipco"]
    # The other file has one image, so all of its properties are that image's.
    added = [(name, held[at:to]) for name, at, to in boxes(held)]
    added.append((b"auxC", bytes(4) + kind.encode() + b"\0"))
    ipma = parts[b"ipma"]
    wide = bool(ipma[3] & 1)
    marks = [
        (count + number) | (name in (*_ESSENTIAL, b"auxC")) << (15 if wide else 7)
        for number, (name, _) in enumerate(added, start=1)
    ]
    if ipma[0] or (not wide and count + len(added) > 127):
        raise ValueError("items numbered in another way than libheif does")
    row = struct.pack(">HB", aux, len(added))
    row += b"".join(mark.to_bytes(2 if wide else 1, "big") for mark in marks)
    total = int.from_bytes(ipma[4:8], "big") + 1
    return _box(b"ipco", parts[b"ipco"] + b"".join(_box(*item) for item in added)) + _box(
        b"ipma", ipma[:4] + total.to_bytes(4, "big") + ipma[8:] + row
    )
