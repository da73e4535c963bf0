"""TIFF: grey and RGB pixels of every depth in and out, with all descriptive tags kept.

Pillow has no 16-bit RGB, so tifffile reads and writes; OpenCV, which carries a whole libtiff,
reads the deep ones with LZW compression, for which tifffile needs another package. What is left
(palettes, print colours, 8 bits with other compressions) is Pillow's, in `undark.io.decode`.
"""

from __future__ import annotations

import io
import logging
import os
import struct
from dataclasses import dataclass
from typing import Any, BinaryIO

import cv2
import numpy as np
from numpy.typing import NDArray

from undark.errors import DamagedError, UnsupportedError
from undark.io.exif import (
    Directory,
    Entry,
    Layout,
    TagFile,
    block_from_tags,
    descriptive_tags,
    directory_bytes,
    read_tags,
)

__all__ = ["TiffInfo", "check_extent", "inspect_tiff", "is_raw", "read_pixels", "write_tiff"]

# tifffile reports what it meets by logging; without a handler that would land on stderr.
logging.getLogger("tifffile").addHandler(logging.NullHandler())

_ICC, _XMP = 34675, 700
_UNDEFINED, _RATIONAL, _SHORT = 7, 5, 3
_CFA, _LINEAR_RAW, _DNG_VERSION = 32803, 34892, 50706
_NONE, _LZW, _ZIP = 1, 5, (8, 32946)
_FLOAT_PREDICTOR = 3
_GRAY_OR_RGB = (0, 1, 2)
# Level 1 halves the time of level 6 and costs 3 % in size on noisy 16-bit pixels.
_LEVEL = 1


@dataclass(frozen=True, slots=True)
class TiffInfo:
    """What the tags of a TIFF's one picture say.

    Attributes:
        width: Columns as stored.
        height: Rows as stored.
        plain: Grey or RGB samples that `read_pixels` takes; else Pillow reads it.
        premultiplied: Colours are already multiplied by alpha.
        orientation: 1..8.
        page: Index of the picture in the file.
        icc: Colour profile.
        exif: The descriptive tags as an EXIF block.
        xmp: XMP packet.
        dpi: Horizontal and vertical resolution in pixels per inch.
        tags: All tags.
        directory: Those of the picture.
    """

    width: int
    height: int
    plain: bool
    premultiplied: bool
    orientation: int
    page: int
    icc: bytes | None
    exif: bytes | None
    xmp: bytes | None
    dpi: tuple[float, float] | None
    tags: TagFile
    directory: Directory


def is_raw(tags: TagFile) -> bool:
    """Whether these are the tags of a camera RAW file: DNG, or a colour filter array somewhere."""
    return any(
        _DNG_VERSION in item.entries or item.numbers(262, tags.layout) in ((_CFA,), (_LINEAR_RAW,))
        for item in tags.walk()
    )


def inspect_tiff(file: BinaryIO) -> TiffInfo:
    """Read the tags, find the one picture and check that all of its pixels are in the file.

    Raises:
        DamagedError: The structure is broken or pixels are missing.
        UnsupportedError: There are several pictures, or samples of a kind not taken.
    """
    try:
        tags = read_tags(file)
    except ValueError as error:
        raise DamagedError(f"damaged: {error}") from error
    layout = tags.layout
    pages = [
        (index, item)
        for index, item in enumerate(tags.directories)
        # Reduced copies and transparency masks belong to another page.
        if not item.numbers(254, layout, (0,))[0] & 0b101 and item.numbers(255, layout) != (2,)
    ] or [(0, tags.directories[0])]
    if len(pages) > 1:
        raise UnsupportedError(f"holds {len(pages)} pictures; save the one you want on its own")
    page, directory = pages[0]

    def number(tag: int, default: int = 0) -> int:
        return next(iter(directory.numbers(tag, layout)), default)

    width, height = number(256), number(257)
    if not width or not height:
        raise DamagedError("damaged: its size is missing")
    if not (directory.numbers(273, layout) or directory.numbers(324, layout)):
        raise DamagedError("damaged: its pixels are missing")
    check_extent(file, directory, tags)
    kinds = set(directory.numbers(339, layout, (1,)))
    depths = set(directory.numbers(258, layout, (1,)))
    deep = (kinds == {1} and depths == {16}) or (kinds == {3} and depths <= {16, 32, 64})
    if len(depths) > 1 or not (deep or (kinds <= {1, 4} and max(depths) <= 8)):
        bits = "/".join(str(item) for item in sorted(depths))
        raise UnsupportedError(
            f"TIFF with {bits}-bit samples of this kind is not taken; save it with 8 or 16 bits"
        )
    entries = directory.entries
    simple = number(262, 1) in _GRAY_OR_RGB and _is_zipped(directory, layout)
    return TiffInfo(
        width,
        height,
        deep or (simple and kinds == {1} and depths == {8}),
        1 in directory.numbers(338, layout),
        number(274, 1) if 1 <= number(274, 1) <= 8 else 1,
        page,
        entries[_ICC].data if _ICC in entries else None,
        block_from_tags(tags, directory),
        entries[_XMP].data if _XMP in entries else None,
        _dpi(directory, tags),
        tags,
        directory,
    )


def _is_zipped(directory: Directory, layout: Layout) -> bool:
    """Whether tifffile can decode it without another package."""
    compression = directory.numbers(259, layout, (_NONE,))[0]
    predictor = directory.numbers(317, layout, (1,))[0]
    return compression in (_NONE, *_ZIP) and predictor != _FLOAT_PREDICTOR


def check_extent(file: BinaryIO, directory: Directory, tags: TagFile) -> None:
    """Check that the strips or tiles of a picture lie within the file.

    Raises:
        DamagedError: The file ends before they do.
    """
    end = file.seek(0, os.SEEK_END)
    for offset_tag, size_tag in ((273, 279), (324, 325)):
        offsets, sizes = (directory.numbers(tag, tags.layout) for tag in (offset_tag, size_tag))
        if any(a + b > end for a, b in zip(offsets, sizes, strict=False)):
            raise DamagedError("cut short: some of its pixels are missing")


def _dpi(directory: Directory, tags: TagFile) -> tuple[float, float] | None:
    values: list[float] = []
    for tag in (282, 283):
        entry = directory.entries.get(tag)
        if entry is None or entry.kind != _RATIONAL or entry.number != 1:
            return None
        top, bottom = struct.unpack(tags.layout.order + "II", entry.data)
        values.append(top / bottom if bottom else 0.0)
    scale = {2: 1.0, 3: 2.54}.get(next(iter(directory.numbers(296, tags.layout, (2,)))), 0.0)
    x, y = (value * scale for value in values)
    return (x, y) if x > 0 and y > 0 else None


def read_pixels(file: BinaryIO, info: TiffInfo) -> NDArray[Any]:
    """The samples as stored: H×W×C, alpha being the last of 2 or 4 channels.

    They are uint8, uint16 or float32; grey where white is 0 is inverted.

    Raises:
        UnsupportedError: A colour model or compression that is not taken.
        DamagedError: The pixels cannot be decoded.
    """
    layout, directory = info.tags.layout, info.directory
    photometric = directory.numbers(262, layout, (1,))[0]
    if photometric not in _GRAY_OR_RGB:
        raise UnsupportedError("only grey and RGB are taken in 16-bit TIFF; save it as RGB")
    samples = _decode(file, info)
    if samples.dtype.kind == "f":
        samples = samples.astype(np.float32, copy=False)
    elif not samples.dtype.isnative:
        samples = samples.astype(samples.dtype.newbyteorder("="))
    colours = 3 if photometric == 2 else 1
    if samples.shape[2] < colours:
        raise DamagedError("damaged: a colour channel is missing")
    if photometric == 0:
        top = 1 if samples.dtype.kind == "f" else int(np.iinfo(samples.dtype.name).max)
        white = np.asarray(top, samples.dtype)
        samples = np.concatenate([white - samples[..., :1], samples[..., 1:]], axis=2)
    extra = samples.shape[2] - colours
    if not extra:
        return samples
    # 1 and 2 are alpha; 0 is a channel of unknown meaning. Without the tag, a channel is alpha.
    meanings = directory.numbers(338, layout, (2,) * extra)
    alpha = next((n for n, value in enumerate(meanings[:extra]) if value in (1, 2)), None)
    picked = [*range(colours), *([] if alpha is None else [colours + alpha])]
    return np.ascontiguousarray(samples[..., picked])


def _decode(file: BinaryIO, info: TiffInfo) -> NDArray[Any]:
    import tifffile

    layout, directory = info.tags.layout, info.directory
    compression = directory.numbers(259, layout, (_NONE,))[0]
    planar = directory.numbers(284, layout, (1,))[0] == 2
    if _is_zipped(directory, layout):
        file.seek(0)
        with tifffile.TiffFile(file) as tiff:
            stored: NDArray[Any] = tiff.pages[info.page].asarray()
        if stored.ndim == 3 and planar:
            stored = np.moveaxis(stored, 0, 2)
        return stored.reshape(info.height, info.width, -1)
    count = directory.numbers(277, layout, (1,))[0]
    half = directory.numbers(258, layout)[0] == 16 and directory.numbers(339, layout, (1,))[0] == 3
    usual = info.page == 0 and count in (1, 3, 4) and not half and not planar
    if compression not in (_NONE, _LZW, *_ZIP) or not usual:
        raise UnsupportedError("this TIFF compression is not taken; save it with ZIP or none")
    file.seek(0)
    decoded = cv2.imdecode(np.frombuffer(file.read(), np.uint8), cv2.IMREAD_UNCHANGED)
    if decoded is None or decoded.shape[:2] != (info.height, info.width):
        raise DamagedError("damaged: its pixels cannot be decoded")
    samples: NDArray[Any] = decoded.reshape(info.height, info.width, -1)
    return samples[..., [2, 1, 0, 3][:count]] if count > 1 else samples


def write_tiff(
    file: BinaryIO,
    channels: list[NDArray[Any]],
    *,
    icc: bytes | None,
    exif: bytes | None,
    xmp: bytes | None,
    dpi: tuple[float, float] | None,
) -> None:
    """Write a TIFF, compressed without loss.

    Args:
        file: Where to; empty, seekable and readable.
        channels: Arrays of the same H×W and type (uint8, uint16 or float32), to be joined along
            the third axis into 1 (grey), 2 (grey and alpha), 3 (RGB) or 4 channels.
        icc: Colour profile.
        exif: EXIF block, whose tags become the file's own.
        xmp: XMP packet.
        dpi: Horizontal and vertical resolution in pixels per inch.
    """
    import tifffile

    planes = [item if item.ndim == 3 else item[..., None] for item in channels]
    samples = planes[0] if len(planes) == 1 else np.concatenate(planes, axis=2)
    count = samples.shape[2]
    tifffile.imwrite(
        file,
        samples if count > 1 else samples[..., 0],
        byteorder="<",
        photometric="rgb" if count > 2 else "minisblack",
        planarconfig="contig" if count > 1 else None,
        extrasamples=["unassalpha"] if count in (2, 4) else None,
        compression="zlib",
        compressionargs={"level": _LEVEL},
        # The float predictor needs another package, and integers gain the most.
        predictor=2 if samples.dtype.kind == "u" else None,
        metadata=None,
        software=False,
    )
    _rewrite_directory(file, icc=icc, exif=exif, xmp=xmp, dpi=dpi)


def _rewrite_directory(
    file: BinaryIO,
    *,
    icc: bytes | None,
    exif: bytes | None,
    xmp: bytes | None,
    dpi: tuple[float, float] | None,
) -> None:
    """Put a directory with all tags at the file's end and let its head point there.

    tifffile writes neither sub-directories nor text beyond ASCII.
    """
    tags = read_tags(file)
    main = tags.directories[0]
    for tag in (282, 283, 296):
        main.entries.pop(tag, None)
    if dpi:
        for tag, value in zip((282, 283), dpi, strict=True):
            main.entries[tag] = Entry(
                _RATIONAL, 1, struct.pack("<II", round(value * 1e4), 10**4), 0
            )
        main.entries[296] = Entry(_SHORT, 1, struct.pack("<H", 2), 0)
    if exif:
        block = read_tags(io.BytesIO(exif))
        kept = descriptive_tags(block, block.directories[0])
        main.entries |= kept.entries
        main.children |= kept.children
    for tag, data in ((_ICC, icc), (_XMP, xmp)):
        if data:
            main.entries[tag] = Entry(_UNDEFINED, len(data), data, 0)
    end = file.seek(0, os.SEEK_END)
    at = end + end % 2
    file.write(bytes(end % 2) + directory_bytes(main, tags.layout, at))
    file.seek(8 if tags.layout.big else 4)
    file.write(struct.pack("<Q" if tags.layout.big else "<I", at))
