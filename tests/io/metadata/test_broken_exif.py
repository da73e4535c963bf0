"""EXIF blocks that are not quite right keep what is sound of them."""

from __future__ import annotations

import struct
import warnings
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from metadata_files import (
    chunk,
    image_file,
    orientation_row,
    pixels,
    tiff_block,
    tiff_file,
    with_chunks,
)
from photo_files import build_exif
from PIL import Image

from undark.errors import OutputError, UndarkError
from undark.io.photo import encode_photo, read_photo
from undark.io.strip import stripped
from undark.photo import Photo

MAKE = (0x010F, 2, 6, b"Canon\0")
MODEL = (0x0110, 2, 12, b"PowerShot A\0")
FORMATS = ("JPEG", "PNG", "TIFF", "WEBP", "AVIF", "HEIF")


def tags(block: bytes | None) -> dict[int, object]:
    assert block
    exif = Image.Exif()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exif.load(block)
    return dict(exif)


@pytest.mark.parametrize("pointer", [b"", b"\0", bytes(2), bytes(3)])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("order", "<>")
def test_a_directory_without_the_next_pointer(pointer: bytes, packed: bool, order: str) -> None:
    rows = [MAKE, orientation_row(3, 6, order)]
    exif = tiff_block(rows, order=order, pointer=pointer, packed=packed)
    photo = read_photo(image_file("JPEG", exif=b"Exif\0\0" + exif))
    assert (photo.width, photo.height) == (16, 24)
    for format in FORMATS:
        back = read_photo(encode_photo(photo, format=format))
        assert (back.width, back.height) == (16, 24)
        assert tags(back.exif)[0x010F] == "Canon"


@pytest.mark.parametrize("pointer", [b"", bytes(2)])
@pytest.mark.parametrize("palette", [False, True])
@pytest.mark.parametrize("orientation", [1, 6])
def test_a_tiff_without_the_next_pointer_opens(
    pointer: bytes, palette: bool, orientation: int
) -> None:
    rows = [MAKE, orientation_row(3, orientation)]
    photo = read_photo(tiff_file(rows, pointer=pointer, palette=palette))
    expected = np.rot90(pixels(), -1 if orientation == 6 else 0)
    if palette:
        expected = np.repeat(expected[..., :1], 3, axis=2)
    assert np.array_equal(photo.pixels, expected)
    assert tags(photo.exif)[0x010F] == "Canon"


@pytest.mark.parametrize("start", [bytes(4), b"\x08\0\0\0", b"\x10\0\0\0", b"\xff\xff\xff\x7f"])
def test_a_tiff_whose_pixels_take_the_place_of_the_next_pointer(start: bytes) -> None:
    gray = start + bytes(range(4, 96))
    numbers = {256: 12, 257: 8, 258: 8, 259: 1, 262: 1, 277: 1, 278: 8, 279: 96}
    at = 8 + 2 + 12 * (len(numbers) + 1)
    rows = sorted([*((tag, 3, 1, number) for tag, number in numbers.items()), (273, 3, 1, at)])
    table = b"".join(struct.pack("<HHIHH", tag, kind, count, n, 0) for tag, kind, count, n in rows)
    photo = read_photo(b"II*\0\x08\0\0\0" + struct.pack("<H", len(rows)) + table + gray)
    assert photo.pixels[..., 0].tobytes() == gray


def test_a_table_that_the_files_end_cuts_off_keeps_its_rows() -> None:
    exif = tiff_block([MAKE, orientation_row(3, 6), MODEL], packed=True, pointer=b"")
    # The last row is half there.
    photo = read_photo(image_file("JPEG", exif=b"Exif\0\0" + exif[:-7]))
    assert (photo.width, photo.height) == (16, 24)
    assert tags(photo.exif) == {0x010F: "Canon", 0x0112: 1}


def test_a_count_that_is_too_large_keeps_its_rows() -> None:
    exif = tiff_block([MAKE, orientation_row(3, 8)], packed=True, pointer=b"", count=30)
    photo = read_photo(image_file("JPEG", exif=b"Exif\0\0" + exif))
    assert (photo.width, photo.height) == (16, 24)
    assert tags(photo.exif) == {0x010F: "Canon", 0x0112: 1}


BAD_ROWS = {
    "beyond the end": (0x0131, 2, 100, b""),
    "unknown type": (0x0131, 99, 1, b"\1\2\3\4"),
    "no type": (0x0131, 0, 1, b"\1\2\3\4"),
    "huge": (0x0131, 12, 0xFFFFFFFF, b"\1\2\3\4"),
    "no values": (0x0131, 3, 0, b"\1\2\3\4"),
    "no directory": (0x8769, 4, 1, struct.pack("<I", 0xFFFFFF00)),
    "itself": (0x8769, 4, 1, struct.pack("<I", 8)),
    "text for a pointer": (0x8825, 2, 4, b"GPS\0"),
}


@pytest.mark.parametrize("name", BAD_ROWS)
@pytest.mark.parametrize("first", [False, True])
def test_one_bad_entry_loses_no_other(name: str, first: bool) -> None:
    rows = [MAKE, MODEL, orientation_row(3, 6)]
    rows.insert(0 if first else 2, BAD_ROWS[name])
    photo = read_photo(image_file("JPEG", exif=b"Exif\0\0" + tiff_block(rows)))
    assert (photo.width, photo.height) == (16, 24)
    for format in FORMATS:
        found = tags(read_photo(encode_photo(photo, format=format)).exif)
        assert (found[0x010F], found[0x0110]) == ("Canon", "PowerShot A")


def test_a_thumbnail_whose_pointer_is_wrong_takes_nothing_with_it() -> None:
    block = bytearray(build_exif(6, (24, 16), order="<"))
    (second,) = struct.unpack_from("<I", block, 8 + 2 + 48)
    struct.pack_into("<I", block, second + 2 + 8, 10)  # into the first directory
    struct.pack_into("<I", block, second + 2 + 20, 0xFFFF)
    photo = read_photo(image_file("JPEG", exif=b"Exif\0\0" + bytes(block)))
    found = tags(photo.exif)
    assert found[0x010F] == "Maker"
    assert photo.exif
    assert b"MAKER-NOTE" in photo.exif


@pytest.mark.parametrize("lead", [b"Exif\0\0Exif\0\0", b"Exif\0\0\0\0", b"Exif\0\0\0\0\0\6"])
def test_bytes_before_the_block_do_not_lose_it(lead: bytes) -> None:
    exif = tiff_block([MAKE, orientation_row(3, 6)])
    photo = read_photo(image_file("JPEG", exif=lead + exif))
    assert (photo.width, photo.height) == (16, 24)
    assert tags(photo.exif)[0x010F] == "Canon"


@settings(max_examples=60, deadline=None)
@given(
    data=st.data(),
    orientation=st.integers(0, 9),
    order=st.sampled_from("<>"),
    format=st.sampled_from(FORMATS),
)
def test_a_damaged_block_never_raises(
    data: st.DataObject, orientation: int, order: str, format: str
) -> None:
    block = bytearray(build_exif(orientation, (24, 16), order=order))
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(block) - 1))
        size = data.draw(st.integers(1, 4))
        block[at : at + size] = data.draw(st.binary(min_size=size, max_size=size))
    del block[data.draw(st.integers(8, len(block))) :]
    photo = read_photo(image_file("JPEG", exif=b"Exif\0\0" + bytes(block)))
    for kept in (photo, stripped(photo, "gps")):
        back = read_photo(encode_photo(kept, format=format))
        assert (back.width, back.height) == (photo.width, photo.height)


@settings(max_examples=50, deadline=None)
@given(data=st.data(), kind=st.sampled_from(["exif", "xmp", "iptc", "text", "tiff"]))
def test_garbage_never_raises(data: st.DataObject, kind: str) -> None:
    junk = data.draw(st.binary(max_size=200))
    if kind == "exif":
        stored = image_file("JPEG", exif=b"Exif\0\0" + junk)
    elif kind == "xmp":
        stored = image_file("WEBP", xmp=junk or b"x")
    elif kind == "iptc":
        resource = b"8BIM\4\4\0\0" + junk
        stored = tiff_file([(33723, 7, len(junk) or 1, junk or b"x"), (34377, 7, 99, resource)])
    elif kind == "text":
        name = data.draw(st.sampled_from([b"tEXt", b"zTXt", b"iTXt"]))
        key = data.draw(
            st.sampled_from([b"", b"Raw profile type exif\0", b"Raw profile type iptc\0"])
        )
        stored = with_chunks(image_file("PNG"), chunk(name, key + junk))
    else:
        stored = bytearray(tiff_file([MAKE]))
        at = data.draw(st.integers(len(stored) - 150, len(stored) - 1))
        stored[at : at + len(junk)] = junk
    try:
        photo = read_photo(bytes(stored))
    except UndarkError:
        # Pixels that are lost are refused; a library's own errors would not be.
        assert kind in ("tiff", "text")
        return
    opaque = replace(stripped(photo, "gps"), alpha=None)
    for format in FORMATS:
        try:
            stored = encode_photo(opaque, format=format)
        except OutputError:
            # Junk in a TIFF may make it wider than a format or its encoder takes.
            assert kind == "tiff"
            continue
        read_photo(stored)


def test_a_value_in_the_place_of_the_next_pointer_is_kept() -> None:
    exif = tiff_block([MAKE, MODEL, orientation_row(3, 6)], pointer=b"")
    photo = read_photo(image_file("JPEG", exif=b"Exif\0\0" + exif))
    assert photo.exif
    assert b"Canon\0" in photo.exif
    assert b"PowerShot A" in photo.exif
    back = read_photo(encode_photo(photo, format="avif"))
    assert tags(back.exif)[0x0110] == "PowerShot A"


def test_a_photo_made_by_a_program_keeps_its_block() -> None:
    exif = Image.Exif()
    exif[0x010F] = "Nikon"
    photo = Photo(pixels(), exif=exif.tobytes().removeprefix(b"Exif\0\0"))
    for format in FORMATS:
        assert tags(read_photo(encode_photo(photo, format=format)).exif)[0x010F] == "Nikon"
