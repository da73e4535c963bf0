"""What Pillow does for several formats: 8-bit samples and metadata in, 8-bit files out."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from undark.errors import UnsupportedError
from undark.io.formats.base import Decoded, channels, check_size, converted, quiet
from undark.io.metadata.exif import orientation_of
from undark.io.metadata.icc import fitting_icc, srgb_converter, srgb_profile
from undark.photo import Encoding, Photo

__all__ = [
    "Opener",
    "decoded",
    "dpi_of",
    "image_of",
    "open_image",
    "profile_for",
    "profile_of",
    "samples_of",
    "save",
    "whole_dpi",
]

Opener = Callable[[BinaryIO], ImageFile.ImageFile]
"""A Pillow plugin's class. `Image.open` would apply Pillow's own, lower limit on pixels, and split
phone images (MPO) into their parts."""

_BAND_BYTES: Final = 1 << 23
_GRAY_MODES: Final = ("1", "L", "LA")
_MODES: Final = (*_GRAY_MODES, "P", "PA", "RGB", "RGBA", "RGBX", "YCbCr", "CMYK")


def open_image(file: BinaryIO, opener: Opener) -> ImageFile.ImageFile:
    """The one image of a file, nothing decoded.

    Raises:
        DamagedError: It has too many pixels.
        UnsupportedError: There are several, or it is animated.
    """
    file.seek(0)
    with quiet():
        image = opener(file)
        animated = getattr(image, "is_animated", False)
    check_size(*image.size)
    if animated:
        raise UnsupportedError("is animated or holds several images; save one as PNG")
    return image


def samples_of(image: ImageFile.ImageFile, icc: bytes | None) -> NDArray[Any]:
    """The samples of a Pillow image, band by band, so that only one copy is ever held.

    Args:
        image: Of any mode that undark takes; print colours become sRGB.
        icc: Its profile, which print colours are converted by.

    Raises:
        UnsupportedError: Its mode is not taken.
    """
    if image.mode not in _MODES:
        raise UnsupportedError(f"its colour model ({image.mode}) is not taken; save it as RGB")
    image.load()
    gray = image.mode in _GRAY_MODES
    mode = ("LA" if gray else "RGBA") if image.has_transparency_data else "L" if gray else "RGB"
    convert = srgb_converter(icc, "CMYK") if image.mode == "CMYK" and icc else None
    width, height = image.size
    samples = np.empty((height, width, len(mode)), np.uint8)
    step = max(1, _BAND_BYTES // (4 * width))
    for top in range(0, height, step):
        band: Image.Image = image.crop((0, top, width, min(top + step, height)))
        band = convert(band) if convert else band.convert(mode)
        samples[top : top + step] = np.asarray(band).reshape(-1, width, len(mode))
    return samples


def profile_of(image: ImageFile.ImageFile, icc: bytes | None) -> bytes | None:
    """The profile of the samples that `samples_of` makes of an image with the profile `icc`."""
    return srgb_profile() if icc and image.mode == "CMYK" else icc


def decoded(image: ImageFile.ImageFile, encoding: Encoding | None = None) -> Decoded:
    """An opened image, decoded, with its metadata.

    Args:
        image: As `open_image` gives it.
        encoding: How it was encoded; by default only its resolution is known.
    """
    info: dict[Any, Any] = dict(image.info)
    icc, exif, xmp = info.get("icc_profile"), info.get("exif"), info.get("xmp")
    return Decoded(
        samples_of(image, icc),
        profile_of(image, icc),
        exif,
        xmp,
        encoding or Encoding(dpi=dpi_of(image)),
        orientation_of(exif, xmp),
    )


def dpi_of(image: ImageFile.ImageFile) -> tuple[float, float] | None:
    """Horizontal and vertical resolution in pixels per inch, where the file gives a sound one."""
    try:
        x, y = (float(value) for value in image.info["dpi"])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    return (x, y) if 1 <= x < 1e6 and 1 <= y < 1e6 else None


def image_of(photo: Photo, *, gray: bool = False, alpha: bool = True) -> Image.Image:
    """The photo as an 8-bit Pillow image.

    Args:
        photo: The photo.
        gray: Make a grey photo a grey image, where there is no alpha to go with it.
        alpha: Keep the alpha.
    """
    if photo.gray and gray and (photo.alpha is None or not alpha):
        return Image.fromarray(channels(photo, np.uint8)[0])
    pixels = converted(photo.pixels, np.uint8)
    if photo.alpha is not None and alpha:
        pixels = np.dstack([pixels, converted(photo.alpha, np.uint8)])
    return Image.fromarray(np.ascontiguousarray(pixels))


def save(image: Image.Image, file: BinaryIO, kind: str, **options: Any) -> None:
    """Save `image` to `file` in Pillow's format `kind`; options that are None are left out."""
    # Into memory first: when the disk is full, Pillow would not say so.
    buffer = io.BytesIO()
    image.save(buffer, kind, **{key: value for key, value in options.items() if value is not None})
    file.write(buffer.getbuffer())


def profile_for(photo: Photo, image: Image.Image) -> bytes | None:
    """The photo's profile, if it goes with the image that was made of it."""
    return photo.icc if image.mode == "L" else fitting_icc(photo.icc, gray=False)


def whole_dpi(photo: Photo) -> tuple[int, int] | None:
    """The photo's resolution as 16-bit integers, which JPEG and BMP store."""
    if photo.encoding.dpi is None:
        return None
    x, y = (min(max(round(value), 1), 65535) for value in photo.encoding.dpi)
    return (x, y)
