"""XMP packets: the little that must change in them on the way."""

from __future__ import annotations

import re

__all__ = ["clean_xmp"]


def clean_xmp(packet: bytes | None, *, width: int, height: int) -> bytes | None:
    """An XMP packet for an upright image of this size, without its embedded thumbnails."""
    if not packet:
        return None
    values = {
        b"tiff:Orientation": 1,
        b"tiff:ImageWidth": width,
        b"tiff:ImageLength": height,
        b"exif:PixelXDimension": width,
        b"exif:PixelYDimension": height,
    }
    for name, value in values.items():
        number = str(value).encode()
        for before, after in ((name + rb"\s*=\s*[\"']", rb"[\"']"), (b"<" + name + b">", b"</")):
            pattern = b"(" + before + rb")\s*\d+\s*(" + after + b")"
            packet = re.sub(pattern, rb"\g<1>" + number + rb"\g<2>", packet)
    return re.sub(rb"<(xmp|xap):Thumbnails>.*?</\1:Thumbnails>", b"", packet, flags=re.DOTALL)
