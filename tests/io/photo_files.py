"""Files and metadata as cameras write them, for the tests of this room."""

from __future__ import annotations

import io
import struct

import numpy as np
from PIL import Image


def _directory(at: int, rows: list[tuple[int, int, int, bytes]], order: str) -> bytes:
    """An IFD whose values follow it: rows of tag, type, number and bytes."""
    table, tail = struct.pack(order + "H", len(rows)), b""
    base = at + 2 + 12 * len(rows) + 4
    for tag, kind, number, data in rows:
        value = data.ljust(4, b"\0")
        if len(data) > 4:
            value = struct.pack(order + "I", base + len(tail))
            tail += data + bytes(len(data) % 2)
        table += struct.pack(order + "HHI", tag, kind, number) + value
    return table + bytes(4) + tail


def build_exif(
    orientation: int, size: tuple[int, int], *, order: str = ">", note: int = 40
) -> bytes:
    """An EXIF block as cameras write them: maker's note, GPS, and a thumbnail at the end."""

    def short(value: int) -> bytes:
        return struct.pack(order + "H", value)

    def long(value: int) -> bytes:
        return struct.pack(order + "I", value)

    width, height = size
    maker_note = (b"MAKER-NOTE" * (note // 10 + 1))[:note]
    exif_rows = [
        (0x829A, 5, 1, struct.pack(order + "II", 1, 30)),
        (0x927C, 7, note, maker_note),
        (0xA002, 4, 1, long(width)),
        (0xA003, 3, 1, short(height)),
        (0xA434, 2, 8, b"35mm f2\0"),
    ]
    gps_rows = [(1, 2, 2, b"N\0"), (2, 5, 3, struct.pack(order + "6I", 52, 1, 30, 1, 0, 1))]
    head = (b"MM" if order == ">" else b"II") + short(42) + long(8)
    main_size = len(_directory(8, [(0, 2, 6, b"Maker\0")] + [(0, 3, 1, b"")] * 3, order))
    exif_at = 8 + main_size
    gps_at = exif_at + len(_directory(exif_at, exif_rows, order))
    thumb_at = gps_at + len(_directory(gps_at, gps_rows, order))
    thumbnail = b"\xff\xd8THUMBNAIL\xff\xd9"
    main_rows = [
        (0x010F, 2, 6, b"Maker\0"),
        (0x0112, 3, 1, short(orientation)),
        (0x8769, 4, 1, long(exif_at)),
        (0x8825, 4, 1, long(gps_at)),
    ]
    main = bytearray(_directory(8, main_rows, order))
    main[2 + 12 * 4 : 2 + 12 * 4 + 4] = long(thumb_at)
    thumb_rows = [(0x0201, 4, 1, long(thumb_at + 30)), (0x0202, 4, 1, long(len(thumbnail)))]
    thumb = _directory(thumb_at, thumb_rows, order)
    return b"".join(
        [
            head,
            bytes(main),
            _directory(exif_at, exif_rows, order),
            _directory(gps_at, gps_rows, order),
            thumb,
            thumbnail,
        ]
    )


XMP = (
    b'<?xpacket begin=""?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org'
    b'/1999/02/22-rdf-syntax-ns#"><rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/"'
    b' tiff:Orientation="1" dc:title="Nacht"/></rdf:RDF></x:xmpmeta>'
)


def clean_exif(width: int, height: int) -> bytes:
    """As `build_exif`, upright and without its thumbnail."""
    block = build_exif(1, (width, height))
    thumb_at = struct.unpack_from(">I", block, 8 + 2 + 48)[0]
    return block[: 8 + 2 + 48] + bytes(4) + block[8 + 2 + 52 : thumb_at]


def saved(picture: Image.Image, format: str, **options: object) -> bytes:
    """The bytes of a picture that Pillow wrote."""
    buffer = io.BytesIO()
    picture.save(buffer, format, **options)
    return buffer.getvalue()


def picture(mode: str) -> Image.Image:
    """A ramp, 30×20, in one of Pillow's modes."""
    ramp = Image.fromarray(np.add.outer(np.arange(20) * 5, np.arange(30) * 4).astype(np.uint8))
    return ramp if mode == "L" else ramp.convert("RGB").convert(mode)
