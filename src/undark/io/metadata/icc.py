"""Colour profiles: which one fits, sRGB's, and those made of code points or chromaticities.

A made profile is a matrix/TRC profile for display of ICC.1:2022 (version 4.4), section 8.3, whose
curves are parametric. Primaries and curves are those of ITU-T H.273, tables 2 and 3.
"""

from __future__ import annotations

import functools
import io
import struct
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from undark.photo import Cicp

__all__ = [
    "PRIMARIES_NAMES",
    "SRGB_CURVE",
    "built_in_srgb",
    "cicp_in",
    "cicp_profile",
    "fitting_icc",
    "matrix_profile",
    "profile_name",
    "srgb_converter",
    "srgb_profile",
    "to_srgb_matrix",
]

Chromaticities = tuple[tuple[float, float], ...]
"""x and y of red, green, blue and white."""

_D65, _C, _E = (0.3127, 0.3290), (0.310, 0.316), (1 / 3, 1 / 3)
_SMPTE_C = ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), _D65)
_P3 = ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))
_PRIMARIES: Final[dict[int, Chromaticities]] = {
    1: ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060), _D65),
    4: ((0.67, 0.33), (0.21, 0.71), (0.14, 0.08), _C),
    5: ((0.64, 0.33), (0.29, 0.60), (0.15, 0.06), _D65),
    6: _SMPTE_C,
    7: _SMPTE_C,
    8: ((0.681, 0.319), (0.243, 0.692), (0.145, 0.049), _C),
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), _D65),
    10: ((1.0, 0.0), (0.0, 1.0), (0.0, 0.0), _E),
    11: (*_P3, (0.314, 0.351)),
    12: (*_P3, _D65),
    22: ((0.630, 0.340), (0.295, 0.605), (0.155, 0.077), _D65),
}
PRIMARIES_NAMES: Final = {1: "BT.709", 9: "BT.2020", 11: "DCI-P3", 12: "Display P3"}
"""What H.273 calls some primaries, by their number."""
# Encoded to light as (a·x + b)^g where x ≥ d, else c·x: the parameters g, a, b, c, d of ICC.
SRGB_CURVE: Final = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
"""Encoded to light as `matrix_profile` takes it."""
_VIDEO_CURVE: Final = (1 / 0.45, 1 / 1.0993, 0.0993 / 1.0993, 1 / 4.5, 0.0812)
_CURVES: Final[dict[int, tuple[float, ...]]] = {
    **dict.fromkeys((1, 6, 11, 12, 14, 15), _VIDEO_CURVE),
    4: (2.2,),
    5: (2.8,),
    7: (1 / 0.45, 1 / 1.1115, 0.1115 / 1.1115, 1 / 4.0, 0.0913),
    8: (1.0,),
    17: (2.6,),
}
_BRADFORD: Final = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)
_D50: Final = np.array([0.9642, 1.0, 0.8249])


def fitting_icc(icc: bytes | None, *, gray: bool) -> bytes | None:
    """The profile if it describes pixels of this kind (grey or RGB), else None."""
    return icc if icc and icc[16:20] == (b"GRAY" if gray else b"RGB ") else None


def profile_name(icc: bytes | None) -> str:
    """What a colour profile calls itself; empty where there is none, or it does not say."""
    if not icc:
        return ""
    try:
        name = ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(icc)))
    except (ImageCms.PyCMSError, OSError):
        return ""
    return " ".join(name.split())[:100]


def built_in_srgb() -> Any:
    """LittleCMS's own sRGB, as its transforms take it."""
    # Pillow gives its C part no types.
    return ImageCms.createProfile("sRGB")  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]


def srgb_converter(icc: bytes, mode: str) -> Callable[[Image.Image], Image.Image] | None:
    """What makes sRGB (mode RGB) of images of a mode whose profile is `icc`.

    Args:
        icc: The profile.
        mode: RGB, L or CMYK.

    Returns:
        None where the profile is of no use.
    """
    try:
        transform = ImageCms.buildTransform(
            ImageCms.ImageCmsProfile(io.BytesIO(icc)),
            built_in_srgb(),
            mode,
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (ImageCms.PyCMSError, OSError):
        return None

    def convert(image: Image.Image) -> Image.Image:
        return ImageCms.applyTransform(image, transform) or image.convert("RGB")

    return convert


@functools.cache
def srgb_profile() -> bytes:
    """An sRGB profile."""
    return ImageCms.ImageCmsProfile(built_in_srgb()).tobytes()


def cicp_in(icc: bytes | None) -> Cicp | None:
    """The code points that a profile of version 4.4 names (its ``cicp`` tag), if it does."""
    if not icc or len(icc) < 132:
        return None
    for n in range(min(int.from_bytes(icc[128:132], "big"), 100)):
        tag, at, size = struct.unpack_from(">4sII", icc.ljust(144 + 12 * n, b"\0"), 132 + 12 * n)
        if tag == b"cicp" and size >= 12 and icc[at : at + 4] == b"cicp" and len(icc) >= at + 12:
            return Cicp(icc[at + 8], icc[at + 9])
    return None


@functools.lru_cache(maxsize=16)
def cicp_profile(cicp: Cicp, *, gray: bool = False) -> bytes:
    """A profile for samples with these code points; a curve that is unknown is taken for sRGB's.

    Args:
        cicp: The code points; neither PQ nor HLG, which no such profile can say.
        gray: For grey samples.
    """
    name = f"{PRIMARIES_NAMES.get(cicp.primaries, f'H.273 primaries {cicp.primaries}')}"
    return matrix_profile(
        _PRIMARIES.get(cicp.primaries, _PRIMARIES[1]),
        _CURVES.get(cicp.transfer, SRGB_CURVE),
        name if cicp.transfer in (2, 13) else f"{name}, H.273 transfer {cicp.transfer}",
        gray=gray,
    )


def matrix_profile(
    chromaticities: Chromaticities, curve: tuple[float, ...], name: str, *, gray: bool = False
) -> bytes:
    """A matrix/TRC profile for display.

    Args:
        chromaticities: x and y of red, green, blue and white.
        curve: Encoded to light: a gamma, or g, a, b, c, d of (a·x + b)^g where x ≥ d, else c·x.
        name: What programs show of it.
        gray: For grey samples: the curve alone.
    """
    kind = 3 if len(curve) > 1 else 0
    numbers = [value for number in curve for value in _fixed(number)]
    trc = b"para\0\0\0\0" + struct.pack(">HH", kind, 0) + bytes(numbers)
    tags = {
        b"desc": _text(name),
        b"cprt": _text("No copyright, use freely"),
        b"wtpt": _xyz(_D50),
    }
    if gray:
        tags[b"kTRC"] = trc
    else:
        matrix, adapted = _to_d50(chromaticities)
        tags[b"chad"] = b"sf32\0\0\0\0" + b"".join(_fixed(float(v)) for v in adapted.ravel())
        for column, letter in enumerate("rgb"):
            tags[f"{letter}XYZ".encode()] = _xyz(matrix[:, column])
            tags[f"{letter}TRC".encode()] = trc
    return _assembled(tags, b"GRAY" if gray else b"RGB ")


def _assembled(tags: dict[bytes, bytes], space: bytes) -> bytes:
    """Header (ICC.1:2022, 7.2), tag table and tags; equal tags share their bytes."""
    table, data, places = struct.pack(">I", len(tags)), b"", dict[bytes, int]()
    start = 128 + 4 + 12 * len(tags)
    for tag, content in tags.items():
        if content not in places:
            places[content] = start + len(data)
            data += content + bytes(-len(content) % 4)
        table += struct.pack(">4sII", tag, places[content], len(content))
    header = struct.pack(">I4sI4s4s4s", start + len(data), b"", 0x04400000, b"mntr", space, b"XYZ ")
    header += struct.pack(">6H4s", 2024, 1, 1, 0, 0, 0, b"acsp") + bytes(28)
    header += b"".join(_fixed(float(value)) for value in _D50)
    return header.ljust(128, b"\0") + table + data


def _to_d50(chromaticities: Chromaticities) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Linear RGB to XYZ under D50, and the adaptation in it (Bradford, ICC.1:2022 annex E)."""
    white = _from_xy(*chromaticities[3])
    columns = np.stack([_from_xy(*item) for item in chromaticities[:3]], axis=1)
    matrix = columns * np.linalg.solve(columns, white)
    cones = (_BRADFORD @ _D50) / (_BRADFORD @ white)
    adapted = np.linalg.inv(_BRADFORD) @ np.diag(cones) @ _BRADFORD
    return adapted @ matrix, adapted


def _from_xy(x: float, y: float) -> NDArray[np.float64]:
    # XYZ's own blue has no luminance at all: its column is as good in any scale.
    return np.array([x, y, 1 - x - y]) / (y if y > 0 else 1.0)


def to_srgb_matrix(cicp: Cicp) -> NDArray[np.float64]:
    """Linear light of these primaries to linear sRGB, 3×3, for columns of RGB."""
    source, _ = _to_d50(_PRIMARIES.get(cicp.primaries, _PRIMARIES[1]))
    return np.asarray(np.linalg.solve(_to_d50(_PRIMARIES[1])[0], source), np.float64)


def _fixed(value: float) -> bytes:
    """An s15Fixed16Number."""
    return struct.pack(">i", round(value * 65536))


def _xyz(values: NDArray[np.float64]) -> bytes:
    return b"XYZ \0\0\0\0" + b"".join(_fixed(float(value)) for value in values)


def _text(text: str) -> bytes:
    stored = text.encode("utf-16-be")
    return b"mluc\0\0\0\0" + struct.pack(">II4sII", 1, 12, b"enUS", len(stored), 28) + stored
