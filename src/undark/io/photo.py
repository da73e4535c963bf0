"""Photos in, photos out: a file of any format to a Photo, and a Photo to a file of most."""

from __future__ import annotations

import io
import os
import stat
import struct
import zlib
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from undark.errors import (
    DamagedError,
    InputError,
    OutputError,
    UndarkError,
    UnreadableError,
    UnsupportedError,
    UsageError,
)
from undark.io.atomic import write_atomically
from undark.io.formats import FORMATS, format_named, result_format, suffix_format
from undark.io.formats.base import Decoded, TooManyPixelsError, is_opaque, pixel_limit
from undark.io.formats.others import decoded_otherwise
from undark.io.formats.segments import MAX_EXIF
from undark.io.formats.sniff import sniff
from undark.io.metadata.appended import appended_losses, fitted_appended, turned
from undark.io.metadata.cicp import colour_loss, fitted_colours, hdr_in
from undark.io.metadata.exif import bare_block, clean_block, shortened_block
from undark.io.metadata.iptc import clean_iptc
from undark.io.metadata.placing import Room, placed
from undark.io.metadata.xmp import clean_xmp, is_sound
from undark.photo import Encoding, Photo

__all__ = [
    "encode_photo",
    "losses",
    "measure_photo",
    "output_format",
    "read_photo",
    "target_format",
    "write_photo",
]

# What decoders and encoders raise on files that they cannot make sense of.
_DECODER_ERRORS: Final = (
    ArithmeticError,
    EOFError,
    LookupError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
    cv2.error,
)


def read_photo(
    source: str | Path | bytes | BinaryIO,
    *,
    name: str | None = None,
    salvage: bool = False,
    max_pixels: int | None = None,
) -> Photo:
    """Read one photo: upright, in its own depth, with its metadata.

    JPEG, PNG, TIFF, WebP, AVIF, HEIC, JPEG XL, BMP, GIF with one image and camera RAW, recognised
    by content. CMYK becomes sRGB, a palette RGB, 1-bit 8-bit grey. Of several pictures in a HEIC
    or JPEG file the primary one is taken; `Photo.notices` says so. The source is never modified.

    Args:
        source: A path, the file's bytes, or a binary file open for reading.
        name: What to call it in errors; by default the path.
        salvage: Take what is there of a file that is truncated or damaged, where its format
            allows that (JPEG, PNG, BMP); `Photo.notices` says how much that is.
        max_pixels: Refuse a photo of more pixels, by its header.

    Raises:
        UnreadableError: It is missing, a folder, or may not be read.
        DamagedError: It is empty, truncated, damaged, not an image, or has more than 500 million
            pixels.
        UnsupportedError: It is animated, holds several images, is of a kind not taken, or has
            more than `max_pixels`.
        MissingExtraError: It is camera RAW or JPEG XL, and the extra for it is not installed.
    """
    label = name or (str(source) if isinstance(source, (str, Path)) else "the input")
    suffix = Path(source if isinstance(source, (str, Path)) else name or "").suffix.lower()
    try:
        with _opened(source) as file, pixel_limit(max_pixels):
            return _decode(file, sniff(file, suffix), salvage)
    except InputError as error:
        raise type(error)(f"{label}: {error}", argument=error.argument) from error
    except OSError as error:
        raise UnreadableError(f"{label}: cannot be read: {_reason(error)}") from error
    except MemoryError as error:
        raise UnsupportedError(f"{label}: needs more memory than there is") from error
    except Image.DecompressionBombError as error:
        # Some of Pillow's decoders have its own limit built in.
        raise DamagedError(
            f"{label}: is too large, a decompression bomb? {_first_line(error)}"
        ) from error


def measure_photo(path: Path) -> tuple[int, int]:
    """Width and height of a photo as stored, from its header: nothing is decoded.

    Raises:
        InputError: As `read_photo`, as far as the header shows.
    """
    try:
        with _opened(path) as file, pixel_limit(0):
            _decode(file, sniff(file, path.suffix.lower()), salvage=False)
    except TooManyPixelsError as found:
        return found.size
    except InputError as error:
        raise type(error)(f"{path}: {error}", argument=error.argument) from error
    except OSError as error:
        raise UnreadableError(f"{path}: cannot be read: {_reason(error)}") from error
    raise DamagedError(f"{path}: is damaged: it does not say how large it is")


@contextmanager
def _opened(source: str | Path | bytes | BinaryIO) -> Generator[BinaryIO]:
    """The source as an open, seekable file."""
    if isinstance(source, (str, Path)):
        path = Path(source)
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise UnreadableError(
                "is a folder, not a photo"
                if os.access(path, os.R_OK | os.X_OK)
                else "is a folder that may not be read; check its permissions"
            )
        if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode)):
            raise UnreadableError("is a device, not a file")
        with path.open("rb") as file:
            yield file if file.seekable() else io.BytesIO(file.read())
    elif isinstance(source, bytes):
        yield io.BytesIO(source)
    else:
        yield source if source.seekable() else io.BytesIO(source.read())


def _reason(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    if isinstance(error, PermissionError):
        return "no permission to read it"
    return error.strerror or _first_line(error)


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).strip().splitlines()), "") or type(error).__name__


def _understood(file: BinaryIO, kind: str, salvage: bool) -> Decoded:
    """What the format's own decoder makes of a file, else another one, else what can be salvaged.

    Raises:
        DamagedError: None of them can; its argument is "salvage" where that would help.
    """
    try:
        return FORMATS[kind].read(file)
    except DamagedError as error:
        if error.argument == "pixels":  # so many that nothing else is to try it
            raise
        refusal = error
    except (OSError, *_DECODER_ERRORS) as error:
        if isinstance(error, (InputError, UsageError)) or getattr(error, "errno", None) is not None:
            raise
        refusal = DamagedError(f"is damaged or truncated: {_first_line(error)}")
        refusal.__cause__ = error
    if other := decoded_otherwise(file, kind):
        return other
    try:
        viewable = FORMATS[kind].salvage(file)
    except (OSError, InputError, *_DECODER_ERRORS):
        viewable = None
    if viewable and salvage:
        return viewable
    raise DamagedError(str(refusal), argument="salvage" if viewable else "") from refusal


def _decode(file: BinaryIO, kind: str, salvage: bool) -> Photo:
    """A file of a known format as a Photo: upright, grey as RGB, its metadata in order."""
    parts = _understood(file, kind, salvage)
    samples = _upright(parts.samples, parts.orientation)
    height, width, count = samples.shape
    colours = samples[..., :1] if count < 3 else samples[..., :3]
    if count < 3:
        colours = np.repeat(colours, 3, axis=2)
    exif = bare_block(parts.exif)
    return Photo(
        pixels=np.ascontiguousarray(colours),
        alpha=np.ascontiguousarray(samples[..., -1]) if count in (2, 4) else None,
        gray=count < 3,
        icc=parts.icc or None,
        exif=clean_block(exif, width=width, height=height) if exif else None,
        xmp=clean_xmp(parts.xmp, width=width, height=height),
        format=kind,
        encoding=_turned(parts.encoding) if parts.orientation >= 5 else parts.encoding,
        cicp=parts.cicp or hdr_in(parts.icc),
        appended=turned(parts.appended, parts.orientation),
        iptc=clean_iptc(parts.iptc),
        texts=parts.texts,
        notices=parts.notices,
    )


def _upright(samples: NDArray[Any], orientation: int) -> NDArray[Any]:
    """A view of stored samples as the EXIF `orientation` (1 to 8) says they are to be seen."""
    if orientation >= 5:
        samples = samples.swapaxes(0, 1)
    rows = slice(None, None, -1 if orientation in (3, 4, 7, 8) else 1)
    columns = slice(None, None, -1 if orientation in (2, 3, 6, 7) else 1)
    return samples[rows, columns]


def _turned(encoding: Encoding) -> Encoding:
    return replace(encoding, dpi=encoding.dpi[::-1]) if encoding.dpi else encoding


def output_format(photo: Photo) -> tuple[str, str]:
    """The format and the suffix of a result that follows its source.

    Camera RAW becomes 16-bit TIFF; a GIF, and a photo that came from no file, PNG.
    """
    kind = result_format(photo.format)
    return kind, FORMATS[kind].suffix


def encode_photo(photo: Photo, *, format: str | None = None, quality: int | None = None) -> bytes:
    """The photo as the bytes of a file.

    Args:
        photo: The photo.
        format: Format or suffix ("PNG", ".jpg"); by default it follows the source.
        quality: 1 to 100 for formats with loss; by default it follows the source, and is high.

    Raises:
        UsageError: No such format, or the quality is out of range.
        OutputError: The format cannot hold this photo.
    """
    buffer = io.BytesIO()
    _encode(photo, buffer, format_named(format) if format else output_format(photo)[0], quality)
    return buffer.getvalue()


def write_photo(
    photo: Photo,
    destination: str | Path,
    *,
    format: str | None = None,
    quality: int | None = None,
    overwrite: bool = True,
) -> None:
    """Write a photo whole or not at all, with all the metadata that the format can hold.

    Args:
        photo: The photo.
        destination: The file; missing folders are made.
        format: Format or suffix; by default the destination's suffix decides, and where it has
            none, the source's format.
        quality: 1 to 100 for formats with loss; by default it follows the source, and is high.
        overwrite: Replace a file that is there.

    Raises:
        UsageError: No such format, or the quality is out of range.
        OutputError: The file could not be written, or the format cannot hold this photo.
    """
    destination = Path(destination)
    kind = target_format(photo, destination, format)
    try:
        write_atomically(
            destination, lambda file: _encode(photo, file, kind, quality), overwrite=overwrite
        )
    except OutputError as error:
        text = str(error)
        named = text if text.startswith(str(destination)) else f"{destination}: {text}"
        raise OutputError(named, argument=error.argument) from error


def target_format(photo: Photo, destination: Path, format: str | None = None) -> str:
    """The format that `write_photo` would write.

    Raises:
        UsageError: No such format, or undark does not write such files.
    """
    if format:
        return format_named(format)
    if not destination.suffix:
        return output_format(photo)[0]
    kind = suffix_format(destination)
    if kind is None:
        raise UsageError(
            f"{destination}: undark does not write {destination.suffix} files; choose another"
            " suffix, for instance .png"
        )
    return kind


def _encode(photo: Photo, file: BinaryIO, kind: str, quality: int | None) -> None:
    """Write `photo` to an empty, seekable, readable file in the format `kind`.

    Raises:
        UsageError: The quality is out of range.
        OutputError: The format cannot hold the photo.
    """
    if quality is not None and not 1 <= quality <= 100:
        raise UsageError(f"quality must be from 1 to 100, not {quality}", argument="quality")
    _check_fits(photo, kind)
    written = FORMATS[kind]
    photo = fitted_colours(photo, cicp=written.cicp, icc=written.icc)
    photo = fitted_appended(photo, written.appends, mime=written.mime, boxed=bool(written.brands))
    try:
        written.write(placed(photo, _room(kind))[0], file, quality)
    except UndarkError:  # UsageError is a ValueError too
        raise
    except MemoryError as error:
        raise OutputError(f"needs more memory to be written as {kind} than there is") from error
    except (OSError, *_DECODER_ERRORS) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise OutputError(
            f"could not be encoded as {kind} ({_first_line(error)}); choose another format",
            argument="format",
        ) from error


def losses(photo: Photo, kind: str) -> tuple[str, ...]:
    """What of `photo` a file of a format cannot hold as it is: a short line for each.

    Args:
        photo: The photo.
        kind: The format, as Pillow spells it.
    """
    written = FORMATS[kind]
    lines: list[str] = []
    if colour := colour_loss(photo, cicp=written.cicp, icc=written.icc):
        lines.append(f"{colour}: {kind} cannot hold it")
    for what, there, held in (("EXIF", photo.exif, written.exif), ("XMP", photo.xmp, written.xmp)):
        if there and not held:
            lines.append(f"its {what} is left out: {kind} cannot hold it")
    if kind == "JPEG" and photo.exif and len(photo.exif) > MAX_EXIF:
        whole = shortened_block(photo.exif, MAX_EXIF) is None
        lost = "EXIF" if whole else "maker's note"
        lines.append(f"its {lost} is left out: JPEG cannot hold so much EXIF")
    if photo.xmp and written.xmp and not is_sound(photo.xmp):
        lines.append("its XMP is damaged and is left out")
    lines += placed(photo, _room(kind))[1]
    return (*lines, *appended_losses(photo, kind, written.appends))


def _room(kind: str) -> Room:
    """What texts a format has a place for."""
    written = FORMATS[kind]
    return Room(kind, written.iptc, written.texts, written.comment, written.xmp)


def _check_fits(photo: Photo, kind: str) -> None:
    written = FORMATS[kind]
    if written.max_side is not None and max(photo.width, photo.height) > written.max_side:
        raise OutputError(
            f"{kind} takes at most {written.max_side} pixels a side, this photo has"
            f" {photo.width}×{photo.height}; choose PNG or TIFF",
            argument="format",
        )
    if photo.alpha is not None and not written.alpha and not is_opaque(photo.alpha):
        raise OutputError(f"{kind} cannot hold transparency; choose PNG or WebP", argument="format")
