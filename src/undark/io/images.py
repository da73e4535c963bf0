"""Photos in, photos out: any format undark knows to a Photo, and a Photo to any it writes."""

from __future__ import annotations

import io
import os
import stat
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import cv2
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
from undark.io.decode import MAX_PIXELS, decode
from undark.io.encode import encode
from undark.io.formats import (
    FORMAT_SUFFIX,
    READABLE_SUFFIXES,
    WRITABLE_FORMATS,
    format_named,
    suffix_format,
)
from undark.io.sniff import sniff
from undark.photo import Photo

__all__ = [
    "MAX_PIXELS",
    "READABLE_SUFFIXES",
    "WRITABLE_FORMATS",
    "encode_photo",
    "output_format",
    "read_photo",
    "write_photo",
]

# What decoders and encoders raise on files that they cannot make sense of.
_DECODER_ERRORS = (
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


def read_photo(source: str | Path | bytes | BinaryIO, *, name: str | None = None) -> Photo:
    """Read one photo: upright, in its own depth, with its metadata.

    JPEG, PNG, TIFF, WebP, AVIF, HEIC, BMP, single GIF pictures and camera RAW, recognised by
    content. CMYK becomes sRGB, a palette RGB, 1-bit 8-bit grey. The source is never modified.

    Args:
        source: A path, the file's bytes, or a binary file open for reading.
        name: What to call it in errors; by default the path.

    Raises:
        UnreadableError: It is missing, a folder, or may not be read.
        DamagedError: It is empty, cut short, damaged, not a picture, or has more than
            `MAX_PIXELS` pixels.
        UnsupportedError: It is animated, holds several pictures, or is of a kind not taken.
        MissingExtraError: It is camera RAW and the ``raw`` extra is not installed.
    """
    label = name or (str(source) if isinstance(source, (str, Path)) else "the input")
    suffix = Path(source if isinstance(source, (str, Path)) else name or "").suffix.lower()
    try:
        with _opened(source) as file:
            return decode(file, sniff(file, suffix))
    except InputError as error:
        raise type(error)(f"{label}: {error}") from error
    except OSError as error:
        if error.errno is None:  # Pillow's, on pixels that end too soon or make no sense
            raise DamagedError(f"{label}: damaged or cut short: {_first_line(error)}") from error
        raise UnreadableError(f"{label}: cannot be read: {_reason(error)}") from error
    except MemoryError as error:
        raise UnsupportedError(f"{label}: needs more memory than there is") from error
    except Image.DecompressionBombError as error:
        # Some of Pillow's decoders have its own limit built in.
        raise DamagedError(
            f"{label}: too large, a decompression bomb? {_first_line(error)}"
        ) from error
    except _DECODER_ERRORS as error:
        raise DamagedError(f"{label}: damaged or cut short: {_first_line(error)}") from error


@contextmanager
def _opened(source: str | Path | bytes | BinaryIO) -> Iterator[BinaryIO]:
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


def output_format(photo: Photo) -> tuple[str, str]:
    """The format and the suffix of a result that follows its source.

    Camera RAW becomes 16-bit TIFF; a GIF, and a photo that came from no file, PNG.
    """
    if photo.format in WRITABLE_FORMATS:
        return photo.format, FORMAT_SUFFIX[photo.format]
    kind = "TIFF" if photo.format == "RAW" else "PNG"
    return kind, FORMAT_SUFFIX[kind]


def encode_photo(photo: Photo, *, format: str | None = None, quality: int | None = None) -> bytes:
    """The photo as the bytes of a file.

    Args:
        photo: The photo.
        format: Format or suffix ("PNG", ".jpg"); by default it follows the source.
        quality: 1..100 for formats with loss; by default it follows the source, and is high.

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
        quality: 1..100 for formats with loss; by default it follows the source, and is high.
        overwrite: Replace a file that is there.

    Raises:
        UsageError: No such format, or the quality is out of range.
        OutputError: The file could not be written, or the format cannot hold this photo.
    """
    destination = Path(destination)
    if format:
        kind = format_named(format)
    elif destination.suffix:
        kind = suffix_format(destination)
        if kind is None:
            raise UsageError(
                f"{destination}: undark does not write {destination.suffix} files; choose another"
                " suffix, for instance .png"
            )
    else:
        kind = output_format(photo)[0]
    try:
        write_atomically(
            destination, lambda file: _encode(photo, file, kind, quality), overwrite=overwrite
        )
    except OutputError as error:
        text = str(error)
        named = text if text.startswith(str(destination)) else f"{destination}: {text}"
        raise OutputError(named) from error


def _encode(photo: Photo, file: BinaryIO, kind: str, quality: int | None) -> None:
    try:
        encode(photo, file, kind, quality)
    except UndarkError:  # UsageError is a ValueError too
        raise
    except MemoryError as error:
        raise OutputError(f"needs more memory to be written as {kind} than there is") from error
    except (OSError, *_DECODER_ERRORS) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise OutputError(
            f"could not be encoded as {kind} ({_first_line(error)}); choose another --format"
        ) from error
