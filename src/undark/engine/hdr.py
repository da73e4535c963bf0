"""Photos that are not encoded for an SDR screen, given to models that know nothing else.

A photo in PQ, HLG or linear light is taken apart, pixel by pixel: light = rendition × headroom. The
rendition is what an SDR screen can show, reference white being 1.0 and encoded by the sRGB curve;
the headroom is how far the brightest of the three channels is above white, 1 where it is not. The
rendition is enhanced as any photo is, and its change, times the headroom, is added to the light. So
below white the photo gets what any photo gets, noise reduction and colour included; above white
each pixel keeps its ratio to white, so that highlights stay as much brighter as they were; and a
pixel that is not changed comes back bit for bit. It is the arithmetic of a gain map, which is the
same ratio stored as a second image.

The primaries are left as they are: models take the numbers of any RGB.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from undark.photo import Photo, from_float, to_float
from undark.pixels import transfer
from undark.pixels.colour import linear_to_srgb, srgb_to_linear

__all__ = ["enhance_rendition", "rendition"]

_BAND_PIXELS: Final = 1 << 18


def rendition(photo: Photo) -> Photo:
    """The photo as an SDR screen shows it, 16 bits with the sRGB curve; others as they are.

    Light above reference white is cut by the factor that brings the brightest channel to white.
    """
    if photo.cicp is None or not photo.cicp.needs_rendition:
        return photo
    pixels = np.empty(photo.pixels.shape, np.uint16)
    for rows in _bands(photo):
        light = transfer.decode(to_float(photo.pixels[rows]), photo.cicp.transfer)
        shown = (light / _headroom(light)).astype(np.float32)
        pixels[rows] = from_float(linear_to_srgb(shown), pixels.dtype)
    return replace(photo, pixels=pixels, alpha=None, cicp=None, icc=None)


def enhance_rendition(photo: Photo, enhance: Callable[[Photo], Photo]) -> Photo:
    """The photo with the change that `enhance` makes to its rendition.

    Args:
        photo: One whose `cicp` says PQ, HLG or linear light.
        enhance: Gives a photo of the same size and type.

    Returns:
        It in the same transfer, type and primaries.
    """
    assert photo.cicp is not None
    code = photo.cicp.transfer
    before = rendition(photo)
    after = enhance(before)
    pixels = np.empty_like(photo.pixels)
    for rows in _bands(photo):
        source = photo.pixels[rows]
        light = transfer.decode(to_float(source), code)
        was, now = (srgb_to_linear(to_float(x.pixels[rows])) for x in (before, after))
        lit = light + (now.astype(np.float64) - was) * _headroom(light)
        encoded = from_float(transfer.encode(lit, code).astype(np.float32), pixels.dtype)
        same = (before.pixels[rows] == after.pixels[rows]).all(axis=-1, keepdims=True)
        pixels[rows] = np.where(same, source, encoded)
    return photo.with_pixels(pixels)


def _headroom(light: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.maximum(light.max(axis=-1, keepdims=True), 1.0)


def _bands(photo: Photo) -> Iterator[slice]:
    step = max(1, _BAND_PIXELS // photo.width)
    for top in range(0, photo.height, step):
        yield slice(top, top + step)
