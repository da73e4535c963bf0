"""The orientation is obeyed once, wherever and in whatever type it stands."""

from __future__ import annotations

import io
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from metadata_files import (
    chunk,
    image_file,
    orientation_row,
    pixels,
    raw_profile,
    tiff_block,
    tiff_file,
    value,
    with_chunks,
    xmp_packet,
)
from PIL import Image, ImageOps

from undark.io.photo import encode_photo, read_photo
from undark.photo import Photo

KINDS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)
FORMATS = ("JPEG", "PNG", "TIFF", "WEBP", "AVIF", "HEIF")
TIFF_SPACE = 'xmlns:tiff="http://ns.adobe.com/tiff/1.0/"'


def seen(data: bytes) -> np.ndarray:
    """The image as Pillow's viewers show it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        image = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
        return np.asarray(image.convert("RGB"))


def alike(one: np.ndarray, other: np.ndarray) -> bool:
    return one.shape == other.shape and np.abs(one.astype(int) - other).mean() < 12


def check(data: bytes, expected: np.ndarray) -> Photo:
    """The photo looks as expected, and so does each file that it is written to."""
    photo = read_photo(data)
    assert alike(photo.pixels, expected)
    for format in FORMATS:
        stored = encode_photo(photo, format=format)
        assert alike(read_photo(stored).pixels, expected), format
        if format != "HEIF":
            assert alike(seen(stored), expected), format
    return photo


@settings(max_examples=25, deadline=None)
@given(
    format=st.sampled_from(["JPEG", "PNG", "WEBP"]),
    kind=st.sampled_from(KINDS),
    number=st.integers(0, 9),
    order=st.sampled_from("<>"),
    count=st.integers(1, 3),
)
def test_a_tag_of_any_type_is_read_as_viewers_do_and_obeyed_once(
    format: str, kind: int, number: int, order: str, count: int
) -> None:
    rows = [(0x010F, 2, 6, b"Canon\0"), orientation_row(kind, number, order, count=count)]
    exif = tiff_block(rows, order=order)
    data = image_file(format, exif=b"Exif\0\0" + exif)
    if kind in (5, 10, 11, 12) and count > 1:
        return  # Pillow itself does not show these.
    photo = read_photo(data)
    assert alike(photo.pixels, seen(data))
    assert photo.exif
    with_tag = Image.Exif()
    with_tag.load(photo.exif)
    assert with_tag[0x0112] == 1
    assert with_tag[0x010F] == "Canon"


@pytest.mark.parametrize("kind", [3, 4, 8, 9])
@pytest.mark.parametrize("count", [1, 2])
def test_every_format_written_shows_it_upright(kind: int, count: int) -> None:
    exif = tiff_block([orientation_row(kind, 6, count=count)])
    check(image_file("JPEG", exif=b"Exif\0\0" + exif), np.rot90(pixels(), -1))


@pytest.mark.parametrize("kind", [1, 3, 4, 5, 8, 9, 12])
@pytest.mark.parametrize("palette", [False, True])
@pytest.mark.parametrize("number", [1, 6, 8])
def test_a_tiffs_own_tag_of_any_type(kind: int, palette: bool, number: int) -> None:
    data = tiff_file([orientation_row(kind, number)], palette=palette)
    photo = read_photo(data)
    assert alike(photo.pixels, seen(data))
    assert alike(seen(encode_photo(photo)), seen(data))
    assert alike(seen(encode_photo(photo, format="png")), seen(data))


@pytest.mark.parametrize("palette", [False, True])
def test_a_tiff_of_which_only_xmp_gives_the_orientation(palette: bool) -> None:
    packet = xmp_packet("", f'{TIFF_SPACE} tiff:Orientation="6"')
    data = tiff_file([(700, 7, len(packet), packet)], palette=palette)
    upright = np.rot90(pixels(), -1)
    wanted = np.repeat(upright[..., :1], 3, axis=2) if palette else upright
    photo = read_photo(data)
    assert alike(photo.pixels, wanted)
    assert alike(seen(encode_photo(photo)), wanted)


PACKETS = {
    "attribute": xmp_packet("", f'{TIFF_SPACE} tiff:Orientation="6"'),
    "element": xmp_packet("<tiff:Orientation>6</tiff:Orientation>", TIFF_SPACE),
    "apostrophes": xmp_packet("", f"{TIFF_SPACE} tiff:Orientation = '6'"),
    "prefix": xmp_packet("", 'xmlns:t="http://ns.adobe.com/tiff/1.0/" t:Orientation="6"'),
    "broken": b'<x:xmpmeta tiff:Orientation="6"',
}


@pytest.mark.parametrize("name", PACKETS)
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_xmp_is_obeyed_where_exif_has_no_orientation(name: str, format: str) -> None:
    packet = PACKETS[name]
    if format == "PNG":
        text = chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + packet)
        data = with_chunks(image_file("PNG"), text)
    else:
        data = image_file(format, xmp=packet)
    check(data, np.rot90(pixels(), -1))


def test_exif_goes_before_xmp() -> None:
    exif = tiff_block([orientation_row(3, 3)])
    data = image_file("JPEG", exif=b"Exif\0\0" + exif, xmp=PACKETS["attribute"])
    photo = check(data, np.rot90(pixels(), 2))
    assert photo.xmp
    assert b'tiff:Orientation="1"' in photo.xmp


@pytest.mark.parametrize("format", ["AVIF", "HEIF"])
def test_a_file_that_turns_its_image_by_itself_is_not_turned_again_by_xmp(format: str) -> None:
    """Players and browsers heed its boxes alone (ISO 23000-22, 7.3.9)."""
    packet = PACKETS["attribute"].replace(b'"6"', b'"1"')
    plain = encode_photo(Photo(pixels(), xmp=packet), format=format)
    turned = plain.replace(packet, PACKETS["attribute"])
    assert turned != plain
    check(turned, pixels())


@pytest.mark.parametrize("kind", [b"tEXt", b"zTXt", b"iTXt"])
@pytest.mark.parametrize("name", ["exif", "APP1", "EXIF"])
@pytest.mark.parametrize("prefix", [b"Exif\0\0", b""])
def test_exif_that_imagemagick_wrote_into_a_png(kind: bytes, name: str, prefix: bytes) -> None:
    import zlib

    exif = tiff_block([(0x010F, 2, 6, b"Canon\0"), orientation_row(3, 6)])
    text = raw_profile("exif", prefix + exif)
    key = f"Raw profile type {name}".encode()
    content = {
        b"tEXt": key + b"\0" + text,
        b"zTXt": key + b"\0\0" + zlib.compress(text),
        b"iTXt": key + b"\0\1\0\0\0" + zlib.compress(text),
    }[kind]
    photo = check(with_chunks(image_file("PNG"), chunk(kind, content)), np.rot90(pixels(), -1))
    assert photo.exif
    assert b"Canon" in photo.exif
    assert not photo.texts


def test_the_first_of_two_tags_counts_and_none_is_left() -> None:
    exif = tiff_block([orientation_row(3, 6), orientation_row(3, 1)])
    photo = read_photo(image_file("JPEG", exif=b"Exif\0\0" + exif))
    assert alike(photo.pixels, np.rot90(pixels(), -1))
    assert photo.exif
    assert value(3, 6) not in photo.exif
