"""The Photo: pixels as the file holds them, plus all that must survive the trip.

Pixels keep their native depth (8-bit, 16-bit or float) so that a 100-megapixel photo fits in
memory; everything that computes asks for float32 RGB in [0, 1], a region at a time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from undark.errors import UsageError

__all__ = [
    "Appended",
    "Cicp",
    "Encoding",
    "FloatImage",
    "Photo",
    "Text",
    "area_resize",
    "from_float",
    "is_whole",
    "to_float",
]

FloatImage = NDArray[np.float32]
"""H×W×3 float32 RGB in [0, 1], encoded as the photo is (usually the sRGB curve)."""

_BAND_PIXELS = 1 << 21
_INTEGERS = (np.dtype(np.uint8), np.dtype(np.uint16))


def is_whole(dtype: np.dtype[Any]) -> bool:
    """Whether `dtype` is uint8, or uint16 of either byte order: the integers that pixels can be.

    >>> is_whole(np.dtype(">u2")), is_whole(np.dtype("i2"))
    (True, False)
    """
    return dtype.newbyteorder("=") in _INTEGERS


def to_float(pixels: NDArray[Any]) -> NDArray[np.float32]:
    """Native samples of any shape as float32 in [0, 1].

    The scale comes from the type, never from the values. Floats are clipped to [0, 1] and NaN
    becomes 0.

    Raises:
        UsageError: The type is neither uint8, uint16 nor a float.
    """
    if is_whole(pixels.dtype):
        scale = np.float32(1.0 / np.iinfo(pixels.dtype).max)
        return pixels.astype(np.float32) * scale
    if np.issubdtype(pixels.dtype, np.floating):
        return np.clip(np.nan_to_num(pixels.astype(np.float32), nan=0.0), 0.0, 1.0)
    raise UsageError(f"pixels must be uint8, uint16 or float, not {pixels.dtype}")


def from_float(values: NDArray[np.float32], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Float samples in [0, 1] in the native type `dtype`, clipped and rounded to nearest.

    Raises:
        UsageError: The type is neither uint8, uint16 nor a float.
    """
    dtype = np.dtype(dtype)
    clipped = np.clip(values, 0.0, 1.0)
    if is_whole(dtype):
        return (clipped * np.float32(np.iinfo(dtype).max) + np.float32(0.5)).astype(dtype)
    if np.issubdtype(dtype, np.floating):
        return clipped.astype(dtype)
    raise UsageError(f"pixels must be uint8, uint16 or float, not {dtype}")


def area_resize(pixels: NDArray[Any], height: int, width: int) -> FloatImage:
    """The whole image shrunk by area averaging to `height`×`width`, as float32 in [0, 1].

    Averages in float, so a dark 8-bit image keeps the fractions of a level that decide its
    exposure, and works in bands, so a large photo is never held in float as a whole. An image
    smaller than the target is enlarged bilinearly.

    Args:
        pixels: H×W×3, uint8, uint16 or float.
        height: Rows of the result, at least 1.
        width: Columns of the result, at least 1.
    """
    rows, columns = pixels.shape[:2]
    if rows * columns > _BAND_PIXELS and rows >= 2 * height and columns >= 2 * width:
        # Shrink by a whole factor, band by band, then let the last step see few pixels.
        factor = max(1, min(rows // (2 * height), columns // (2 * width)))
        if factor > 1:
            band = max(1, _BAND_PIXELS // (columns * factor)) * factor
            # Rows that fill no whole factor go with the last band.
            tops = range(0, rows - factor + 1, band)
            parts: list[FloatImage] = []
            for top, bottom in zip(tops, [*tops[1:], rows], strict=True):
                piece = to_float(pixels[top:bottom])
                parts.append(
                    _scaled(piece, piece.shape[0] // factor, columns // factor, cv2.INTER_AREA)
                )
            return _resize(np.concatenate(parts), height, width)
    return _resize(to_float(pixels), height, width)


def _resize(values: FloatImage, height: int, width: int) -> FloatImage:
    rows, columns = values.shape[:2]
    if rows > height or columns > width:
        # A thin image shrinks along one side and grows along the other: average first.
        values = _scaled(values, min(rows, height), min(columns, width), cv2.INTER_AREA)
    if values.shape[:2] != (height, width):
        values = _scaled(values, height, width, cv2.INTER_LINEAR)
    return values


def _scaled(values: FloatImage, height: int, width: int, mode: int) -> FloatImage:
    return np.asarray(cv2.resize(values, (width, height), interpolation=mode), np.float32)


@dataclass(frozen=True, slots=True)
class Encoding:
    """How the source file was encoded, for a result that follows it.

    Attributes:
        quality: 1..100, estimated from a JPEG's tables; None where there is none to follow.
        subsampling: Chroma as Pillow numbers it: 0 is 4:4:4, 1 is 4:2:2, 2 is 4:2:0; None where
            unknown.
        lossless: A format that can be either was lossless (WebP).
        dpi: Horizontal and vertical resolution in pixels per inch.
        png_colour: PNG chunks that say what the samples mean (gAMA, cHRM, sRGB, mDCV), as stored.
        depth: Bits per sample where the file has fewer than the pixels' type (10, 12); else None.
    """

    quality: int | None = None
    subsampling: int | None = None
    lossless: bool = False
    dpi: tuple[float, float] | None = None
    png_colour: bytes = b""
    depth: int | None = None


_PQ, _HLG, _LINEAR = 16, 18, 8


@dataclass(frozen=True, slots=True)
class Cicp:
    """What samples mean, by the code points of ITU-T H.273 (nclx in HEIF and AVIF, cICP in PNG).

    Pixels of a Photo are RGB of full range; the matrix is only for a file that stores them
    otherwise.

    Attributes:
        primaries: ColourPrimaries: 1 is BT.709 (sRGB), 9 BT.2020, 12 Display P3, 2 unknown.
        transfer: TransferCharacteristics: 13 is sRGB's curve, 8 linear, 16 PQ, 18 HLG, 2 unknown.
        matrix: MatrixCoefficients of the file; 0 is RGB.
    """

    primaries: int
    transfer: int
    matrix: int = 0

    @property
    def is_hdr(self) -> bool:
        """Whether it reaches above reference white: PQ or HLG."""
        return self.transfer in (_PQ, _HLG)

    @property
    def needs_rendition(self) -> bool:
        """Whether samples are far from what an SDR screen takes: PQ, HLG or linear light."""
        return self.is_hdr or self.transfer == _LINEAR

    @property
    def is_srgb(self) -> bool:
        """Whether viewers show it as sRGB: its primaries, and a curve of SDR video or stills."""
        return self.primaries in (1, 2) and self.transfer in (1, 2, 6, 13, 14, 15)


@dataclass(frozen=True, slots=True, eq=False)
class Appended:
    """What a phone appended to a photo.

    Attributes:
        gain_map: A whole JPEG, upright, with its own metadata: how much brighter than the photo
            each place is on an HDR screen.
        gain_map_iso: What the photo itself says of it by ISO 21496-1; empty where nothing.
        tail: What follows to the end of the file, as stored.
        video: Where in `tail` a motion photo's video begins and ends; (0, 0) where there is none.
    """

    gain_map: bytes | None = None
    gain_map_iso: bytes = b""
    tail: bytes = b""
    video: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class Text:
    """A text that a file holds beside EXIF, XMP and IPTC: a PNG's, or a JPEG's or GIF's comment.

    Attributes:
        keyword: What it is: "Title", "Author", "prompt", ...; "Comment" for a comment.
        text: The text; of a very long one that a PNG holds compressed, it is left out here.
        kind: How the file stores it: "tEXt", "zTXt", "iTXt" (PNG), "COM" (JPEG), or "" elsewhere.
        data: The bytes of such a chunk or segment, which a file of the same format is given
            again; none where `kind` is "".
    """

    keyword: str
    text: str
    kind: str = ""
    data: bytes = b""


@dataclass(frozen=True, slots=True, eq=False)
class Photo:
    """One image and all that must survive enhancing it.

    Attributes:
        pixels: H×W×3 RGB, upright (orientation already applied), in native depth: uint8,
            uint16 or float32.
        alpha: H×W of the same type, or None. Carried untouched.
        gray: The source was greyscale: the three channels are equal and are written as one.
        icc: ICC profile, as stored.
        exif: EXIF block (TIFF structure, without a leading ``Exif\\0\\0``), orientation reset
            and thumbnail dropped.
        xmp: XMP packet, as stored.
        format: Name of the source's format as Pillow spells it ("JPEG", "PNG", "TIFF", "WEBP",
            "AVIF", "HEIF", "JXL", "BMP", "GIF"), "RAW", or None where there was no file.
        encoding: How the source was encoded.
        cicp: What the samples mean by H.273; None where the source does not say, or where its
            profile does. Where both are there, this one is right.
        appended: Gain map and video that a phone appended to the file.
        iptc: IPTC block (IIM), without what wraps it, and without its preview.
        texts: Comments, and the texts of a PNG.
        notices: Lines for the user: what of the source was left out, or is not as usual.
    """

    pixels: NDArray[Any]
    alpha: NDArray[Any] | None = None
    gray: bool = False
    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    format: str | None = None
    encoding: Encoding = Encoding()
    cicp: Cicp | None = None
    appended: Appended | None = None
    iptc: bytes | None = None
    texts: tuple[Text, ...] = ()
    notices: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check shape and type.

        Raises:
            UsageError: Pixels are not H×W×3 of a known type, or alpha does not match them.
        """
        if self.pixels.ndim != 3 or self.pixels.shape[2] != 3 or 0 in self.pixels.shape:
            raise UsageError(f"pixels must be height×width×3, not {self.pixels.shape}")
        if self.pixels.dtype not in (*_INTEGERS, np.dtype(np.float32)):
            raise UsageError(f"pixels must be uint8, uint16 or float32, not {self.pixels.dtype}")
        if self.alpha is not None and (
            self.alpha.shape != self.pixels.shape[:2] or self.alpha.dtype != self.pixels.dtype
        ):
            raise UsageError("alpha must be height×width and of the pixels' type")

    @property
    def height(self) -> int:
        """Rows."""
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        """Columns."""
        return int(self.pixels.shape[1])

    @property
    def bit_depth(self) -> int:
        """Bits per sample as the file's header says: 8, 16 or 32 (float)."""
        return int(self.pixels.dtype.itemsize * 8)

    def rgb(self, rows: slice = slice(None), columns: slice = slice(None)) -> FloatImage:
        """A region (by default all) as H×W×3 float32 RGB in [0, 1]."""
        return to_float(self.pixels[rows, columns])

    def glance(self, height: int, width: int) -> FloatImage:
        """The whole photo shrunk to `height`×`width` by area averaging, float32 in [0, 1]."""
        return area_resize(self.pixels, height, width)

    def with_pixels(self, pixels: NDArray[Any]) -> Photo:
        """The same photo, its metadata and alpha, with other pixels of the same size."""
        return replace(self, pixels=pixels)
