"""Camera RAW in: developed by LibRaw as the camera would, but at 16 bits and without brightening.

Needs the ``raw`` extra (rawpy).
"""

from __future__ import annotations

import io
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from undark.errors import DamagedError, MissingExtraError, UnsupportedError
from undark.io.formats.base import MAX_PIXELS, Decoded
from undark.io.formats.segments import iptc_in
from undark.io.metadata.exif import block_from_tags, has_orientation, orientation_of
from undark.io.metadata.icc import srgb_profile
from undark.io.metadata.iptc import iptc_of
from undark.io.metadata.tags import check_extent, read_tags
from undark.io.metadata.xmp import without_properties

__all__ = ["read"]

_XMP = 700
_CAMERA_RAW = "http://ns.adobe.com/camera-raw-settings/1.0/"
_SRGB_CURVE = (2.4, 12.92)


def read(file: BinaryIO) -> Decoded:
    """Develop a camera RAW file: upright sRGB of 16 bits, with the camera's white balance.

    It is as dark as it was taken. Most RAW files are TIFF inside, whose descriptive tags become
    the EXIF block; for the others, the metadata of the embedded JPEG serve.
    """
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
    _check_whole(file)
    file.seek(0)
    try:
        with rawpy.imread(file) as raw:
            if raw.sizes.width * raw.sizes.height > MAX_PIXELS:
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
            "is not a camera RAW file that LibRaw knows; try converting it to DNG"
        ) from error
    except rawpy.LibRawError as error:
        raise DamagedError(f"is damaged or truncated: {_said(error)}") from error
    return np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels[..., :3]


def _check_whole(file: BinaryIO) -> None:
    """Refuse a file that ends too soon, about which LibRaw would write on stderr."""
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
