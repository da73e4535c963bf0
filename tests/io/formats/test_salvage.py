"""Truncated photos: refused, unless what is there is asked for."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from photo_files import saved
from PIL import Image

from undark.errors import DamagedError, InputError
from undark.io.formats import WRITABLE_FORMATS
from undark.io.photo import encode_photo, read_photo
from undark.photo import Photo

ROWS, COLUMNS = np.mgrid[0:120, 0:160]
NOISE = np.random.default_rng(0).integers(0, 30, (120, 160, 3))
PIXELS = (np.dstack([COLUMNS, ROWS, COLUMNS // 2]) + NOISE).astype(np.uint8)


def stored(kind: str) -> bytes:
    picture = Image.fromarray(PIXELS)
    ways = {
        "jpeg": lambda: saved(picture, "JPEG", quality=90, subsampling=0),
        "jpeg 4:2:0": lambda: saved(picture, "JPEG", quality=80, subsampling=2),
        "jpeg grey": lambda: saved(picture.convert("L"), "JPEG", quality=80),
        "png": lambda: saved(picture, "PNG"),
        "png palette": lambda: saved(picture.quantize(16), "PNG"),
        "png alpha": lambda: encode_photo(Photo(PIXELS, alpha=PIXELS[..., 0].copy())),
        "png16": lambda: encode_photo(Photo(PIXELS.astype(np.uint16) * 257), format="png"),
        "bmp": lambda: saved(picture, "BMP"),
    }
    return ways[kind]()


KINDS = ["jpeg", "jpeg 4:2:0", "jpeg grey", "png", "png palette", "png alpha", "png16", "bmp"]


@pytest.mark.parametrize("fraction", [0.4, 0.7, 0.95])
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_there_is_taken_and_counted(kind: str, fraction: float) -> None:
    whole = stored(kind)
    part = whole[: int(len(whole) * fraction)]
    with pytest.raises(DamagedError, match=r"^x: is (damaged or )?truncated") as caught:
        read_photo(part, name="x")
    assert caught.value.argument == "salvage"
    photo = read_photo(part, name="x", salvage=True)
    expected = read_photo(whole).pixels
    assert photo.pixels.shape == expected.shape
    right = int((photo.pixels == expected).all(axis=(1, 2)).sum())
    (notice,) = photo.notices
    percent = int(notice.partition("salvaged ")[2].partition(" %")[0])
    assert notice.endswith("from the bottom" if kind == "bmp" else "from the top")
    assert 1 < percent < 100
    assert right * 100 // 120 == pytest.approx(percent, abs=2)
    first = photo.pixels[-1] if kind == "bmp" else photo.pixels[0]
    assert np.array_equal(first, expected[-1] if kind == "bmp" else expected[0])


def test_a_whole_photo_has_no_notice() -> None:
    for kind in KINDS:
        assert read_photo(stored(kind), salvage=True).notices == ()


def test_a_progressive_jpeg_is_there_in_less_detail() -> None:
    whole = saved(Image.fromarray(PIXELS), "JPEG", quality=90, progressive=True)
    part = whole[: len(whole) // 2]
    with pytest.raises(DamagedError):
        read_photo(part)
    photo = read_photo(part, salvage=True)
    assert photo.notices == ("is truncated: salvaged in less detail",)
    difference = np.abs(photo.pixels.astype(int) - PIXELS).mean()
    assert difference < 15


def test_an_interlaced_png() -> None:
    raw = b""
    for left, top, across, down in (
        *((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2)),
        (0, 1, 1, 2),
    ):
        for row in PIXELS[top::down, left::across]:
            raw += b"\0" + row.tobytes()

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 160, 120, 8, 2, 0, 0, 1))
    whole = head + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")
    assert np.array_equal(read_photo(whole).pixels, PIXELS)
    photo = read_photo(whole[: len(whole) * 2 // 3], salvage=True)
    assert photo.notices[0].startswith("is truncated: salvaged 6")
    assert np.array_equal(photo.pixels[::8, ::8], PIXELS[::8, ::8])


def test_an_end_that_is_missing_is_said_and_no_more() -> None:
    jpeg = read_photo(stored("jpeg")[:-2])
    assert np.array_equal(jpeg.pixels, read_photo(stored("jpeg")).pixels)
    assert jpeg.notices == ("lacks its end; all its pixels are there",)
    for kind in ("png", "png16"):
        png = read_photo(stored(kind)[:-12])
        assert np.array_equal(png.pixels, read_photo(stored(kind)).pixels)
        assert png.notices == ("has damage that touches no pixel",)


def test_a_chunk_that_no_pixel_needs_may_be_damaged() -> None:
    whole = bytearray(saved(Image.fromarray(PIXELS), "PNG", dpi=(300, 300)))
    whole[whole.index(b"pHYs") + 6] ^= 1
    photo = read_photo(bytes(whole))
    assert np.array_equal(photo.pixels, PIXELS)
    assert photo.notices == ("has damage that touches no pixel",)
    assert photo.encoding.dpi is None


def test_damage_in_the_middle_of_a_png() -> None:
    whole = bytearray(stored("png"))
    whole[len(whole) // 2] ^= 0x55
    with pytest.raises(DamagedError, match="checksum") as caught:
        read_photo(bytes(whole))
    assert caught.value.argument == "salvage"
    photo = read_photo(bytes(whole), salvage=True)
    assert np.array_equal(photo.pixels[:40], PIXELS[:40])


def test_metadata_comes_along(make_photo: Callable[..., Photo]) -> None:
    whole = encode_photo(make_photo("JPEG", size=(160, 120)))
    photo = read_photo(whole[: len(whole) - 100], salvage=True)
    assert photo.exif is not None
    assert photo.icc is not None
    assert photo.xmp is not None


@settings(max_examples=80, deadline=None)
@given(kind=st.sampled_from([*KINDS, *WRITABLE_FORMATS]), fraction=st.floats(0, 1))
def test_whatever_is_left_is_taken_or_refused_in_one_line(kind: str, fraction: float) -> None:
    whole = stored(kind) if kind in KINDS else encode_photo(Photo(PIXELS[:20, :30]), format=kind)
    part = whole[: int(len(whole) * fraction)]
    try:
        photo = read_photo(part, name="x", salvage=True)
    except InputError as error:
        assert str(error).startswith("x: ")
        assert error.argument == "", "no hint at what was tried"
    else:
        assert photo.notices or np.array_equal(photo.pixels, read_photo(whole).pixels)


def test_what_follows_an_altered_place_is_no_picture() -> None:
    """A decompressor may go on behind it, with bytes that are no rows."""
    pixels = np.random.default_rng(3).integers(0, 90, (300, 400, 3)).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    whole = bytearray(buffer.getvalue())
    middle = len(whole) // 2
    whole[middle : middle + 4] = bytes(255 - value for value in whole[middle : middle + 4])
    with pytest.raises(DamagedError) as caught:
        read_photo(bytes(whole), name="x")
    assert caught.value.argument == "salvage"
    photo = read_photo(bytes(whole), salvage=True)
    (notice,) = photo.notices
    rows = 300 * int(notice.partition("salvaged ")[2].partition(" %")[0]) // 100
    assert 60 <= rows < 290
    assert np.array_equal(photo.pixels[:100], pixels[:100])
