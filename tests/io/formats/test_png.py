"""PNG: bits, transparent colours, and chunks."""

from __future__ import annotations

import struct
import zlib

import numpy as np
from photo_files import build_exif, picture, saved

from undark.io.photo import encode_photo, read_photo
from undark.photo import Photo


def test_one_bit_is_read_as_grey() -> None:
    photo = read_photo(saved(picture("1"), "PNG"))
    assert photo.gray
    assert set(np.unique(photo.pixels)) == {0, 255}


def test_palette_with_transparency() -> None:
    colours = picture("P")
    photo = read_photo(saved(colours, "PNG", transparency=bytes([0, 128, 255])))
    index = np.asarray(colours)
    assert photo.alpha is not None
    assert np.array_equal(photo.alpha, np.where(index == 0, 0, np.where(index == 1, 128, 255)))


def test_a_transparent_colour_becomes_alpha() -> None:
    gray = picture("L")
    photo = read_photo(saved(gray, "PNG", transparency=40))
    assert photo.gray
    assert photo.alpha is not None
    assert np.array_equal(photo.alpha == 0, np.asarray(gray) == 40)


def test_a_transparent_16_bit_colour_becomes_alpha() -> None:
    deep = np.arange(30, dtype=np.uint16).reshape(5, 6) * 300
    photo = Photo(np.repeat(deep[..., None], 3, axis=2), gray=True)
    stored = encode_photo(photo, format="png")
    data = b"tRNS" + struct.pack(">H", 600)
    chunk = struct.pack(">I", 2) + data + struct.pack(">I", zlib.crc32(data))
    back = read_photo(stored[:33] + chunk + stored[33:])
    assert back.alpha is not None
    assert np.array_equal(back.alpha, np.where(deep == 600, 0, 65535))


def test_png_colour_chunks_are_kept() -> None:
    stored = saved(picture("RGB"), "PNG")
    data = b"gAMA" + struct.pack(">I", 45455)
    chunk = struct.pack(">I", 4) + data + struct.pack(">I", zlib.crc32(data))
    photo = read_photo(stored[:33] + chunk + stored[33:])
    assert chunk in encode_photo(photo)


def test_exif_of_older_imagemagick() -> None:
    block = build_exif(6, (30, 20))
    text = f"\nexif\n{len(block) + 6:8}\n{block.hex()}\n".encode()
    data = b"zTXtRaw profile type exif\0\0" + zlib.compress(text)
    chunk = struct.pack(">I", len(data) - 4) + data + struct.pack(">I", zlib.crc32(data))
    stored = saved(picture("RGB"), "PNG")
    photo = read_photo(stored[:33] + chunk + stored[33:])
    assert (photo.width, photo.height) == (20, 30)
