"""TIFF: grey and RGB of every depth in and out, with all descriptive tags.

Pillow has no 16-bit RGB, so tifffile reads and writes; OpenCV, which carries a whole libtiff,
reads the deep ones with LZW compression, for which tifffile needs another package. Pillow reads
the rest: palettes, print colours, 8 bits with other compressions.
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
import tifffile
from numpy.typing import NDArray
from PIL import TiffImagePlugin

from undark.errors import DamagedError, UnsupportedError
from undark.io.formats.base import Decoded, channels, check_size, quiet
from undark.io.formats.pillow import profile_of, samples_of
from undark.io.metadata.exif import block_from_tags, descriptive_tags, orientation_of
from undark.io.metadata.icc import fitting_icc
from undark.io.metadata.iptc import IPTC_TAG, iptc_of
from undark.io.metadata.tags import (
    Directory,
    Entry,
    Layout,
    TagFile,
    check_extent,
    directory_bytes,
    read_tags,
)
from undark.photo import Encoding, Photo

__all__ = ["read", "write"]

# tifffile reports what it meets by logging; without a handler that would land on stderr.
logging.getLogger("tifffile").addHandler(logging.NullHandler())

_ICC, _XMP, _ORIENTATION = 34675, 700, 274
_UNDEFINED, _RATIONAL, _SHORT = 7, 5, 3
_NONE, _LZW, _ZIP = 1, 5, (8, 32946)
_FLOAT_PREDICTOR = 3
_GRAY_OR_RGB = (0, 1, 2)
# Level 1 halves the time of level 6 and costs 3 % in size on noisy 16-bit pixels.
_LEVEL = 1


def read(file: BinaryIO) -> Decoded:
    """Decode the one image of a TIFF."""
    info = _inspect(file)
    check_size(info.width, info.height)
    if not info.directory.has_next:
        # Decoders want the pointer to a next directory, which some writers leave out.
        file.seek(0)
        file = io.BytesIO(file.read() + bytes(8))
    icc, orientation = info.icc, orientation_of(info.exif, info.xmp)
    if info.plain:
        with quiet():
            samples = _plain_samples(file, info)
        if info.premultiplied and samples.shape[2] in (2, 4):
            samples = _unmultiplied(samples)
    else:
        file.seek(0)
        with quiet():
            image = TiffImagePlugin.TiffImageFile(file)
            if info.page:
                image.seek(info.page)
            if image.getexif().get(_ORIENTATION) in range(2, 9):
                orientation = 1  # Pillow turns it upright.
            image.load()
        samples = samples_of(image, icc)
        icc = profile_of(image, icc)
    return Decoded(
        samples,
        icc,
        info.exif,
        info.xmp,
        Encoding(dpi=info.dpi),
        orientation,
        iptc=info.iptc,
    )


def _unmultiplied(samples: NDArray[Any]) -> NDArray[Any]:
    """Samples whose colours were multiplied by their alpha, the last channel, as they were."""
    top = 1.0 if samples.dtype.kind == "f" else float(np.iinfo(samples.dtype).max)
    row: NDArray[Any]
    for row in samples:
        alpha = row[:, -1:].astype(np.float64)
        colours = np.divide(
            row[:, :-1] * top, alpha, where=alpha > 0, out=np.zeros(row[:, :-1].shape)
        )
        row[:, :-1] = colours if samples.dtype.kind == "f" else np.minimum(np.rint(colours), top)
    return samples


@dataclass(frozen=True, slots=True)
class _Info:
    """What the tags of a TIFF's one image say.

    Attributes:
        width: Columns as stored.
        height: Rows as stored.
        plain: Grey or RGB samples that `_plain_samples` takes; else Pillow reads it.
        premultiplied: Colours are already multiplied by alpha.
        page: Index of the image in the file.
        icc: Colour profile.
        exif: The descriptive tags as an EXIF block.
        xmp: XMP packet.
        iptc: IPTC block.
        dpi: Horizontal and vertical resolution in pixels per inch.
        tags: All tags.
        directory: Those of the image.
    """

    width: int
    height: int
    plain: bool
    premultiplied: bool
    page: int
    icc: bytes | None
    exif: bytes | None
    xmp: bytes | None
    iptc: bytes | None
    dpi: tuple[float, float] | None
    tags: TagFile
    directory: Directory


def _inspect(file: BinaryIO) -> _Info:
    """Read the tags, find the one image and check that all of its pixels are in the file.

    Raises:
        DamagedError: The structure is broken or pixels are missing.
        UnsupportedError: There are several images, or samples of a kind not taken.
    """
    try:
        tags = read_tags(file)
    except ValueError as error:
        raise DamagedError(f"is damaged: {error}") from error
    layout = tags.layout
    if tags.directories[0].missing:
        raise DamagedError("is truncated: some of its tags are missing")
    pages = [
        (index, item)
        for index, item in enumerate(tags.directories)
        # Reduced copies and transparency masks belong to another page.
        if not item.numbers(254, layout, (0,))[0] & 0b101 and item.numbers(255, layout) != (2,)
    ] or [(0, tags.directories[0])]
    if len(pages) > 1:
        raise UnsupportedError(f"holds {len(pages)} images; save the one you want on its own")
    page, directory = pages[0]

    def number(tag: int, default: int = 0) -> int:
        return next(iter(directory.numbers(tag, layout)), default)

    width, height = number(256), number(257)
    if not width or not height:
        raise DamagedError("is damaged: its size is missing")
    if not (directory.numbers(273, layout) or directory.numbers(324, layout)):
        raise DamagedError("is damaged: its pixels are missing")
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
    return _Info(
        width,
        height,
        deep or (simple and kinds == {1} and depths == {8}),
        1 in directory.numbers(338, layout),
        page,
        entries[_ICC].data if _ICC in entries else None,
        block_from_tags(tags, directory),
        entries[_XMP].data if _XMP in entries else None,
        iptc_of(directory),
        _dpi(directory, tags),
        tags,
        directory,
    )


def _is_zipped(directory: Directory, layout: Layout) -> bool:
    """Whether tifffile can decode it without another package."""
    compression = directory.numbers(259, layout, (_NONE,))[0]
    predictor = directory.numbers(317, layout, (1,))[0]
    return compression in (_NONE, *_ZIP) and predictor != _FLOAT_PREDICTOR


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


def _plain_samples(file: BinaryIO, info: _Info) -> NDArray[Any]:
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
        raise DamagedError("is damaged: a colour channel is missing")
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


def _decode(file: BinaryIO, info: _Info) -> NDArray[Any]:
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
        raise DamagedError("is damaged: its pixels cannot be decoded")
    samples: NDArray[Any] = decoded.reshape(info.height, info.width, -1)
    return samples[..., [2, 1, 0, 3][:count]] if count > 1 else samples


def write(photo: Photo, file: BinaryIO, quality: int | None) -> None:
    """Write a TIFF in the photo's own depth, compressed without loss; EXIF becomes its tags."""
    del quality
    planes = [item if item.ndim == 3 else item[..., None] for item in channels(photo, None)]
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
    _rewrite_directory(photo, file)


def _rewrite_directory(photo: Photo, file: BinaryIO) -> None:
    """Put a directory with all tags at the file's end and let its head point there.

    tifffile writes neither sub-directories nor text beyond ASCII.
    """
    tags = read_tags(file)
    main = tags.directories[0]
    for tag in (282, 283, 296):
        main.entries.pop(tag, None)
    if dpi := photo.encoding.dpi:
        for tag, value in zip((282, 283), dpi, strict=True):
            main.entries[tag] = Entry(
                _RATIONAL, 1, struct.pack("<II", round(value * 1e4), 10**4), 0
            )
        main.entries[296] = Entry(_SHORT, 1, struct.pack("<H", 2), 0)
    if photo.exif:
        block = read_tags(io.BytesIO(photo.exif))
        kept = descriptive_tags(block, block.directories[0])
        main.entries |= kept.entries
        main.children |= kept.children
    icc = photo.icc if photo.gray else fitting_icc(photo.icc, gray=False)
    for tag, data in ((_ICC, icc), (_XMP, photo.xmp), (IPTC_TAG, photo.iptc)):
        if data:
            main.entries[tag] = Entry(_UNDEFINED, len(data), data, 0)
    end = file.seek(0, os.SEEK_END)
    at = end + end % 2
    file.write(bytes(end % 2) + directory_bytes(main, tags.layout, at))
    file.seek(8 if tags.layout.big else 4)
    file.write(struct.pack("<Q" if tags.layout.big else "<I", at))
