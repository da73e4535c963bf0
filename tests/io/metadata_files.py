"""Files with metadata of every kind, made byte by byte, for the tests of this room."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Sequence

import numpy as np
from PIL import Image

Row = tuple[int, int, int, bytes]
"""Tag, type, number of values, and these as stored."""

UNITS = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
CODES = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 11: "f", 12: "d"}


def value(kind: int, number: int, order: str = "<", *, count: int = 1) -> bytes:
    """`number`, `count` times, as a TIFF type."""
    if kind in (5, 10):
        return struct.pack(order + ("II" if kind == 5 else "ii"), number * 3, 3) * count
    if kind == 2:
        return f"{number}\0".encode()
    if kind == 7:
        return bytes([number]) * count
    return struct.pack(order + CODES[kind] * count, *[number] * count)


def tiff_block(
    rows: Sequence[Row],
    *,
    order: str = "<",
    pointer: bytes = bytes(4),
    count: int | None = None,
    packed: bool = False,
) -> bytes:
    """A TIFF structure of one directory.

    Args:
        rows: The entries; values longer than 4 bytes lie after the table.
        order: Byte order.
        pointer: What stands after the rows.
        count: How many rows the table claims to have.
        packed: Lay the values before the table, so that it ends the block.
    """
    head = (b"II" if order == "<" else b"MM") + struct.pack(order + "H", 42)
    size = 2 + 12 * len(rows) + len(pointer)
    at = 8 if packed else 8 + size
    values, table = b"", struct.pack(order + "H", len(rows) if count is None else count)
    for tag, kind, number, data in rows:
        field = data.ljust(4, b"\0")
        if len(data) > 4:
            field = struct.pack(order + "I", at + len(values))
            values += data + bytes(len(data) % 2)
        table += struct.pack(order + "HHI", tag, kind, number) + field
    table += pointer
    if packed:
        return head + struct.pack(order + "I", 8 + len(values)) + values + table
    return head + struct.pack(order + "I", 8) + table + values


def orientation_row(kind: int, number: int, order: str = "<", *, count: int = 1) -> Row:
    data = value(kind, number, order, count=count)
    return (0x0112, kind, len(data) // UNITS[kind], data)


def pixels(width: int = 24, height: int = 16) -> np.ndarray:
    """An image of which no turn looks like another: one corner red, one green."""
    array = np.full((height, width, 3), 40, np.uint8)
    array[: height // 2, : width // 2] = (220, 30, 30)
    array[: height // 2, width // 2 :] = (30, 200, 30)
    return array


def image_file(format: str, **options: object) -> bytes:
    """`pixels` as Pillow writes them."""
    buffer = io.BytesIO()
    Image.fromarray(pixels()).save(buffer, format, **options)
    return buffer.getvalue()


def tiff_file(
    rows: Sequence[Row] = (), *, pointer: bytes = bytes(4), palette: bool = False
) -> bytes:
    """`pixels` (or, of a palette, their brightness) as an uncompressed TIFF with these tags too."""
    array = pixels()
    height, width = array.shape[:2]
    samples = array[..., 0] if palette else array
    own: list[Row] = [
        (256, 3, 1, value(3, width)),
        (257, 3, 1, value(3, height)),
        (258, 3, 1, value(3, 8)) if palette else (258, 3, 3, value(3, 8, count=3)),
        (259, 3, 1, value(3, 1)),
        (262, 3, 1, value(3, 3 if palette else 2)),
        (273, 4, 1, value(4, 8)),
        (277, 3, 1, value(3, 1 if palette else 3)),
        (278, 3, 1, value(3, height)),
        (279, 4, 1, value(4, samples.size)),
    ]
    if palette:
        ramp = np.arange(256, dtype="<u2") * 257
        own.append((320, 3, 768, np.tile(ramp, 3).tobytes()))
    data = samples.tobytes()
    at = 8 + len(data)
    values, table = b"", struct.pack("<H", len(own) + len(rows))
    for tag, kind, number, content in sorted([*own, *rows]):
        field = content.ljust(4, b"\0")
        if len(content) > 4:
            field = struct.pack("<I", at + len(values))
            values += content + bytes(len(content) % 2)
        table += struct.pack("<HHI", tag, kind, number) + field
    return b"II*\0" + struct.pack("<I", at + len(values)) + data + values + table + pointer


def segment(mark: int, data: bytes) -> bytes:
    """A segment of a JPEG."""
    return b"\xff" + bytes([mark]) + struct.pack(">H", len(data) + 2) + data


def with_segments(jpeg: bytes, *segments: bytes) -> bytes:
    """A JPEG with these segments at its begin."""
    return jpeg[:2] + b"".join(segments) + jpeg[2:]


def chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def with_chunks(png: bytes, *chunks: bytes) -> bytes:
    """A PNG with these chunks after its header."""
    return png[:33] + b"".join(chunks) + png[33:]


def chunks_of(png: bytes) -> list[tuple[bytes, bytes]]:
    """Kinds and contents of a PNG's chunks."""
    found, at = [], 8
    while at < len(png):
        (size,) = struct.unpack_from(">I", png, at)
        found.append((png[at + 4 : at + 8], png[at + 8 : at + 8 + size]))
        at += 12 + size
    return found


def raw_profile(name: str, data: bytes) -> bytes:
    """A profile in hexadecimal, as ImageMagick puts it into a PNG's text."""
    digits = data.hex()
    lines = "\n".join(digits[at : at + 72] for at in range(0, len(digits), 72))
    return f"\n{name}\n{len(data):8d}\n{lines}\n".encode()


def dataset(number: int, data: bytes, record: int = 2) -> bytes:
    """A field of an IPTC block."""
    return b"\x1c" + bytes([record, number]) + struct.pack(">H", len(data)) + data


def resources(*items: tuple[int, bytes]) -> bytes:
    """Photoshop's image resources, by number and content."""
    return b"".join(
        b"8BIM" + struct.pack(">HHI", number, 0, len(data)) + data + bytes(len(data) % 2)
        for number, data in items
    )


def xmp_packet(inner: str, attributes: str = "") -> bytes:
    """A packet with these properties."""
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
        'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description rdf:about="" {attributes}>{inner}</rdf:Description>'
        "</rdf:RDF></x:xmpmeta>"
    ).encode()
