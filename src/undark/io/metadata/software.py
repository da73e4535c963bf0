"""The tag Software of an EXIF block, set where it is empty."""

from __future__ import annotations

import io
import struct
from typing import Final

from undark.io.metadata.tags import read_tags

__all__ = ["with_software"]

_SOFTWARE: Final = 0x0131
_TEXT: Final = 2
_ROW: Final = 12
_BLANK: Final = b"\0 "


def with_software(block: bytes | None, text: str) -> bytes:
    """An EXIF block whose tag Software is `text`, where it was missing or blank.

    The first directory is laid out anew behind the block; what it points to, a maker's note too,
    keeps its place.

    Args:
        block: TIFF structure, without a leading ``Exif\\0\\0``; none makes a new one.
        text: In ASCII.

    Returns:
        The block; as it was where it names a software already, or cannot be read.
    """
    value = text.encode("ascii", "replace") + b"\0"
    if not block:
        block = b"II*\0" + bytes(4)
        order, rows, after = "<", [], bytes(4)
    else:
        try:
            layout, (main, *_) = read_tags(io.BytesIO(block))
        except ValueError:
            return block
        entry = main.entries.get(_SOFTWARE)
        if layout.big or (entry is not None and entry.data.strip(_BLANK)):
            return block
        order = layout.order
        (count,) = struct.unpack_from(order + "H", block, main.at)
        table = block[main.at + 2 : main.at + 2 + _ROW * count]
        rows = [table[n : n + _ROW] for n in range(0, len(table), _ROW)]
        after = block[main.next_at : main.next_at + 4].ljust(4, b"\0")
    block += bytes(len(block) % 2)
    numbers = [struct.unpack_from(order + "H", row)[0] for row in rows]
    rows = [row for number, row in zip(numbers, rows, strict=True) if number != _SOFTWARE]
    numbers = [number for number in numbers if number != _SOFTWARE]
    where = len(block) + 2 + _ROW * (len(rows) + 1) + 4
    place = sum(number < _SOFTWARE for number in numbers)
    rows.insert(place, struct.pack(order + "HHII", _SOFTWARE, _TEXT, len(value), where))
    head = struct.pack(order + "H", len(rows))
    pointer = struct.pack(order + "I", len(block))
    whole = block[:4] + pointer + block[8:] + head + b"".join(rows) + after + value
    return whole + bytes(len(whole) % 2)
