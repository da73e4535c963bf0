"""Gain maps of Apple's kind, in both of its shapes: a JPEG in a JPEG, an auxiliary image in HEIC.

Both hold the same grey image and say the same in XMP; how bright it makes the photo is in the maker
note of the photo's EXIF, or in that XMP.
"""

from __future__ import annotations

import io
from typing import Any, Final

import numpy as np
import pillow_heif
from PIL import Image

from undark.io.metadata.items import described_by, with_auxiliary
from undark.io.metadata.xmp import properties, with_properties

__all__ = ["APPLE_MAP", "map_of_heif", "with_map_in_heif"]

APPLE_MAP: Final = "urn:com:apple:photo:2020:aux:hdrgainmap"
"""What Apple calls such an image."""

_NAMESPACE: Final = "http://ns.apple.com/HDRGainMap/1.0/"
_AUXILIARY: Final = "http://ns.apple.com/pixeldatainfo/1.0/"
_FIRST_VERSION: Final = "65536"
_QUALITY: Final = 95


def map_of_heif(heif: Any, data: bytes) -> bytes | None:
    """The gain map of an HEIC as a JPEG, upright, with its XMP; None where there is none.

    Args:
        heif: The file as pillow_heif opened it.
        data: The file.
    """
    numbers = heif.info.get("aux", {}).get(APPLE_MAP)
    if not numbers:
        return None
    try:
        image = Image.fromarray(np.asarray(heif.get_aux_image(numbers[0]))).convert("L")
    except (ValueError, RuntimeError, NotImplementedError, TypeError):
        return None  # of a kind that libheif does not give
    if (image.width - image.height) * (heif.size[0] - heif.size[1]) < 0:
        return None  # turned in another way than the photo is
    xmp = described_by(data, numbers[0])
    if "HDRGainMapVersion" not in properties(xmp, _NAMESPACE):
        said = {"HDRGainMapVersion": _FIRST_VERSION}
        xmp = with_properties(xmp, _NAMESPACE, "HDRGainMap", said)
    xmp = with_properties(xmp, _AUXILIARY, "apdi", {"AuxiliaryImageType": APPLE_MAP})
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=_QUALITY, xmp=xmp)
    return buffer.getvalue()


def with_map_in_heif(data: bytes, jpeg: bytes) -> bytes:
    """An HEIC with a gain map that `map_of_heif` would give.

    Raises:
        ValueError: The file is built in another way than libheif does.
    """
    with Image.open(io.BytesIO(jpeg)) as image:
        grey, xmp = image.convert("L"), image.info.get("xmp", b"")
    stored: Any = pillow_heif.from_bytes("L", grey.size, grey.tobytes())  # pyright: ignore[reportUnknownMemberType]
    buffer = io.BytesIO()
    stored.save(buffer, quality=_QUALITY)
    return with_auxiliary(data, buffer.getvalue(), APPLE_MAP, xmp)
