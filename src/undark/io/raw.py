"""Camera RAW in: developed by LibRaw as the camera would, but at 16 bits and without brightening.

Needs the ``raw`` extra (rawpy).
"""

from __future__ import annotations

import io
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from undark.errors import DamagedError, MissingExtraError, UnsupportedError
from undark.io.exif import block_from_tags, read_tags
from undark.io.tiff import check_extent

__all__ = ["develop", "raw_exif"]

_SRGB_CURVE = (2.4, 12.92)


def develop(file: BinaryIO, *, max_pixels: int) -> NDArray[np.uint16]:
    """The RAW's picture, upright: H×W×3 sRGB, uint16.

    The camera's white balance is used, and the picture is as dark as it was taken.

    Args:
        file: The RAW file.
        max_pixels: Larger pictures are refused before they are decoded.

    Raises:
        MissingExtraError: rawpy is not installed.
        UnsupportedError: LibRaw does not know the camera, or the file is not RAW at all.
        DamagedError: The file is cut short or damaged, or too large.
    """
    try:
        import rawpy
    except ImportError as error:
        raise MissingExtraError("camera RAW files", "raw") from error
    _check_whole(file)
    file.seek(0)
    try:
        with rawpy.imread(file) as raw:
            if raw.sizes.width * raw.sizes.height > max_pixels:
                raise DamagedError(f"its {raw.sizes.width}×{raw.sizes.height} pixels are too many")
            pixels: NDArray[Any] = raw.postprocess(
                use_camera_wb=True,
                no_auto_bright=True,
                output_bps=16,
                output_color=rawpy.ColorSpace.sRGB,
                gamma=_SRGB_CURVE,
            )
    except rawpy.LibRawFileUnsupportedError as error:
        raise UnsupportedError(
            "no camera RAW that LibRaw knows; try converting it to DNG"
        ) from error
    except rawpy.LibRawError as error:
        raise DamagedError(f"damaged or cut short: {_said(error)}") from error
    return np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels[..., :3]


def _check_whole(file: BinaryIO) -> None:
    """Refuse a file that ends too soon, of which LibRaw would tell on stderr."""
    try:
        tags = read_tags(file)
    except ValueError:  # not TIFF inside
        return
    for directory in tags.walk():
        check_extent(file, directory, tags)


def _said(error: Exception) -> str:
    """LibRaw's message, which it gives as bytes."""
    text = error.args[0] if error.args else type(error).__name__
    return text.decode("latin-1") if isinstance(text, bytes) else str(text)


def raw_exif(file: BinaryIO) -> bytes | None:
    """The descriptive tags of a RAW file as an EXIF block, or None where none are found.

    Most RAW files are TIFF inside; for the others, the tags of the embedded JPEG serve.
    """
    try:
        tags = read_tags(file)
        return block_from_tags(tags, tags.directories[0])
    except ValueError:
        return _preview_exif(file)


def _preview_exif(file: BinaryIO) -> bytes | None:
    import rawpy
    from PIL import JpegImagePlugin

    file.seek(0)
    try:
        with rawpy.imread(file) as raw:
            preview = raw.extract_thumb()
        if preview.format is not rawpy.ThumbFormat.JPEG:
            return None
        with JpegImagePlugin.JpegImageFile(io.BytesIO(bytes(preview.data))) as picture:
            return picture.info.get("exif", b"").removeprefix(b"Exif\0\0") or None
    except (rawpy.LibRawError, OSError, SyntaxError):
        return None
