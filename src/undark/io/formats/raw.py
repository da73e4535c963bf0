"""Camera RAW in: developed by LibRaw as the camera would, but at 16 bits and without brightening.

Needs the ``raw`` extra (rawpy).
"""

from __future__ import annotations

import io
import os
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from undark.errors import DamagedError, MissingExtraError, UnsupportedError
from undark.io.formats.base import Decoded, check_size
from undark.io.formats.segments import iptc_in
from undark.io.metadata.exif import block_from_tags, has_orientation, orientation_of
from undark.io.metadata.icc import srgb_profile
from undark.io.metadata.iptc import iptc_of
from undark.io.metadata.tags import Directory, Layout, is_mosaic, read_tags
from undark.io.metadata.xmp import without_properties

__all__ = ["read"]

_XMP = 700
_CAMERA_RAW = "http://ns.adobe.com/camera-raw-settings/1.0/"
_SRGB_CURVE = (2.4, 12.92)
_NO_OFFSET = 0xFFFFFFFF
_PANASONIC_COLUMNS, _PANASONIC_ROWS, _PANASONIC_BITS = 0x0002, 0x0003, 0x000A
_PANASONIC_FORMAT, _PANASONIC_OFFSET, _PANASONIC_STRIPS = 0x002D, 0x0118, 8
# Photosites in a block of 12 and of 14 bits, by the file's number of its format.
_PANASONIC_BLOCKS = {5: (10, 9), 6: (14, 11), 7: (10, 9)}


def read(file: BinaryIO) -> Decoded:
    """Develop a camera RAW file: upright sRGB of 16 bits, with the camera's white balance.

    It is as dark as it was taken. Most RAW files are TIFF inside, whose descriptive tags become
    the EXIF block; for the others, the metadata of the embedded JPEG serve.
    """
    _check_whole(file)
    samples = _develop(file)
    exif, xmp, iptc = _metadata(file)
    # LibRaw turns by the tags.
    turns = has_orientation(exif)
    return Decoded(
        samples,
        srgb_profile(),
        exif,
        # How another program is to develop the sensor's data would be done to the result again.
        without_properties(xmp, _CAMERA_RAW),
        orientation=1 if turns else orientation_of(None, xmp),
        iptc=iptc,
    )


def _develop(file: BinaryIO) -> NDArray[np.uint16]:
    """The image, H×W×3.

    Raises:
        MissingExtraError: rawpy is not installed.
        UnsupportedError: LibRaw does not know the camera, or the file is not RAW at all.
        DamagedError: The file is truncated or damaged, or has too many pixels.
    """
    try:
        import rawpy
    except ImportError as error:
        raise MissingExtraError("camera RAW files", "raw") from error
    file.seek(0)
    try:
        with rawpy.imread(file) as raw:
            check_size(raw.sizes.width, raw.sizes.height)
            pixels: NDArray[Any] = raw.postprocess(
                use_camera_wb=True,
                no_auto_bright=True,
                output_bps=16,
                output_color=rawpy.ColorSpace.sRGB,
                gamma=_SRGB_CURVE,
            )
    except rawpy.LibRawFileUnsupportedError as error:
        raise UnsupportedError(
            "is not a camera RAW file that LibRaw knows; try converting it to DNG"
        ) from error
    except rawpy.LibRawError as error:
        raise DamagedError(f"is damaged or truncated: {_said(error)}") from error
    return np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels[..., :3]


def _check_whole(file: BinaryIO) -> None:
    """Refuse a file that ends too soon where LibRaw would show grey, or write on stderr.

    Only what holds the photosites counts, and only as far as its tags make sense: all else is for
    LibRaw to judge.

    Raises:
        DamagedError: The file ends before its photosites do.
    """
    try:
        tags = read_tags(file)
    except ValueError:  # not TIFF inside
        return
    main, end = tags.directories[0], file.seek(0, os.SEEK_END)
    if _PANASONIC_OFFSET in main.entries:
        needed = _panasonic_end(main, tags.layout)
    else:
        directories = [item for item in tags.walk() if is_mosaic(item, tags.layout)]
        needed = max((_needed(item, tags.layout) for item in directories or tags.walk()), default=0)
    if needed > end:
        raise DamagedError("is truncated: some of its pixels are missing")


def _needed(directory: Directory, layout: Layout) -> int:
    """Where the strips or tiles of a directory end, unless their sizes cannot be true."""
    columns, rows, samples = (
        max(directory.numbers(tag, layout, (1,))[:1] or (1,)) for tag in (256, 257, 277)
    )
    # Tiles may reach beyond the sides; a compressed sample may take more than its 16 bits.
    most = max(4 * columns * rows * samples, 1 << 16)
    return max(
        (
            offset + size
            for pair in ((273, 279), (324, 325))
            for offset, size in zip(*(directory.numbers(tag, layout) for tag in pair), strict=False)
            if offset < _NO_OFFSET and size <= most
        ),
        default=0,
    )


def _panasonic_end(main: Directory, layout: Layout) -> int:
    """Where the photosites of a Panasonic file end at the earliest.

    Their place is in a tag of its own since 2008, and their number of bytes in none, but they are
    packed in blocks of 16 bytes (LibRaw, ``panasonic_load_raw`` and those for its later formats).
    """

    def number(tag: int) -> int:
        return (main.numbers(tag, layout) or (0,))[0]

    blocks = _PANASONIC_BLOCKS.get(number(_PANASONIC_FORMAT), (14, 14))
    sites = number(_PANASONIC_COLUMNS) * number(_PANASONIC_ROWS)
    if number(_PANASONIC_FORMAT) == _PANASONIC_STRIPS:  # whose size depends on the image
        return number(_PANASONIC_OFFSET)
    return number(_PANASONIC_OFFSET) + sites // blocks[number(_PANASONIC_BITS) > 12] * 16


def _said(error: Exception) -> str:
    """LibRaw's message, which it gives as bytes."""
    text = error.args[0] if error.args else type(error).__name__
    return text.decode("latin-1") if isinstance(text, bytes) else str(text)


def _metadata(file: BinaryIO) -> tuple[bytes | None, bytes | None, bytes | None]:
    """EXIF block, XMP packet and IPTC block."""
    try:
        tags = read_tags(file)
    except ValueError:
        return _preview_metadata(file)
    main = tags.directories[0]
    xmp = main.entries[_XMP].data if _XMP in main.entries else None
    return block_from_tags(tags, main), xmp, iptc_of(main)


def _preview_metadata(file: BinaryIO) -> tuple[bytes | None, bytes | None, bytes | None]:
    import rawpy
    from PIL import JpegImagePlugin

    file.seek(0)
    try:
        with rawpy.imread(file) as raw:
            preview = raw.extract_thumb()
        if preview.format is not rawpy.ThumbFormat.JPEG:
            return None, None, None
        with JpegImagePlugin.JpegImageFile(io.BytesIO(bytes(preview.data))) as image:
            segments = [(name, bytes(data)) for name, data in image.applist]
            return image.info.get("exif"), image.info.get("xmp"), iptc_in(segments)
    except (rawpy.LibRawError, OSError, SyntaxError):
        return None, None, None
