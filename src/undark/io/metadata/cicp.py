"""What colours mean in a photo, fitted to what a file's format can say of it.

HEIF, AVIF and PNG say it by code points (ITU-T H.273); other formats take a profile, and some
neither. HDR goes where code points go; elsewhere it is tone-mapped.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from undark.io.metadata.icc import (
    PRIMARIES_NAMES,
    cicp_in,
    cicp_profile,
    profile_name,
    to_srgb_matrix,
)
from undark.photo import Cicp, Photo, from_float, to_float
from undark.pixels import transfer
from undark.pixels.colour import linear_to_srgb, srgb_to_linear

__all__ = ["colour_loss", "colours_of", "fitted_colours", "hdr_in", "known_cicp"]

_BAND_PIXELS: Final = 1 << 18
_SRGB: Final = 13
_UNKNOWN: Final = 2
_NAMES: Final = {16: "PQ", 18: "HLG"}


def known_cicp(cicp: Cicp | None, icc: bytes | None, *, outranks: bool) -> Cicp | None:
    """The code points of a file, if they count beside its profile.

    Args:
        cicp: Those of the file.
        icc: Its profile.
        outranks: The file's code points outrank its profile (PNG, third edition, 4.3); where they
            do not (ISO/IEC 23008-12, 6.5.5), they still do for HDR, for which a profile is only
            what older programs take.
    """
    if cicp is not None and cicp.primaries == cicp.transfer == _UNKNOWN:
        cicp = None
    return cicp if cicp is not None and (outranks or not icc or cicp.is_hdr) else None


def hdr_in(icc: bytes | None) -> Cicp | None:
    """The code points that a profile names, where they are of HDR: it cannot be taken for SDR's."""
    inside = cicp_in(icc)
    return inside if inside is not None and inside.is_hdr else None


def _is_held(photo: Photo, *, cicp: bool, icc: bool) -> bool:
    if photo.cicp is None or cicp:
        return True
    inside = cicp_in(photo.icc) if icc else None
    return inside == replace(photo.cicp, matrix=0)


def colours_of(photo: Photo) -> str:
    """What the colours of `photo` are, in a few words; empty where they are sRGB, or not said."""
    if photo.cicp is not None and not photo.cicp.is_srgb:
        primaries = PRIMARIES_NAMES.get(photo.cicp.primaries, "")
        return " ".join(filter(None, (primaries, _NAMES.get(photo.cicp.transfer, ""))))
    name = profile_name(photo.icc)
    return "" if "srgb" in name.lower() else name


def colour_loss(photo: Photo, *, cicp: bool, icc: bool) -> str | None:
    """What happens to the colours of `photo` in a format, in a few words; None where nothing.

    Args:
        photo: The photo.
        cicp: The format holds code points.
        icc: It holds profiles.
    """
    if photo.cicp is None or _is_held(photo, cicp=cicp, icc=icc) or not photo.cicp.is_hdr:
        return None
    return f"its HDR ({_NAMES[photo.cicp.transfer]}) is tone-mapped to SDR"


def fitted_colours(photo: Photo, *, cicp: bool, icc: bool) -> Photo:
    """The photo as a format can hold its colours; itself where it can as it is.

    With code points alone nothing changes. For a format with profiles one is made, PQ and HLG are
    tone-mapped, and for a format with neither the colours are converted to sRGB.

    Args:
        photo: The photo.
        cicp: The format holds code points.
        icc: It holds profiles.
    """
    meant = photo.cicp
    if meant is None or _is_held(photo, cicp=cicp, icc=icc):
        return photo
    if meant.is_hdr:
        photo, meant = _tone_mapped(photo, meant), Cicp(meant.primaries, _SRGB)
    elif not icc and meant.transfer == 8:
        photo = _recoded(photo, lambda values: transfer.decode(values, 8))
        meant = Cicp(meant.primaries, _SRGB)
    if meant.is_srgb:
        return replace(photo, icc=None, cicp=None)
    if icc:
        return replace(photo, icc=cicp_profile(meant, gray=photo.gray), cicp=None)
    matrix = to_srgb_matrix(meant)
    photo = _recoded(photo, lambda values: srgb_to_linear(values).astype(np.float64) @ matrix.T)
    return replace(photo, icc=None, cicp=None)


def _tone_mapped(photo: Photo, meant: Cicp) -> Photo:
    """An HDR photo as an SDR screen can show it best: sRGB's curve in the same primaries."""
    step = max(1, -(-(photo.width * photo.height) // _BAND_PIXELS))
    # Every n-th row and column of a large photo is enough to know how bright it gets.
    sparse = photo.pixels[:: max(1, int(step**0.5)), :: max(1, int(step**0.5))]
    peak = transfer.peak_of(transfer.decode(to_float(sparse), meant.transfer))
    return _recoded(
        photo, lambda values: transfer.tone_map(transfer.decode(values, meant.transfer), peak)
    )


def _recoded(
    photo: Photo, to_linear: Callable[[NDArray[np.float32]], NDArray[np.floating]]
) -> Photo:
    """The photo with sRGB's curve on the linear light that `to_linear` gives of its samples."""
    pixels = np.empty_like(photo.pixels)
    step = max(1, _BAND_PIXELS // photo.width)
    for top in range(0, photo.height, step):
        rows = slice(top, top + step)
        linear = np.clip(to_linear(to_float(photo.pixels[rows])), 0.0, 1.0).astype(np.float32)
        pixels[rows] = from_float(linear_to_srgb(linear), pixels.dtype)
    return photo.with_pixels(pixels)
