"""Round trips: every format, depth and kind of picture, with its metadata."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from photo_files import XMP, build_exif, picture, saved
from PIL import Image, ImageOps

from undark.errors import OutputError, UsageError
from undark.io.formats import FORMATS, WRITABLE_FORMATS
from undark.io.metadata.tags import read_tags
from undark.io.photo import (
    encode_photo,
    output_format,
    read_photo,
    write_photo,
)
from undark.photo import Encoding, Photo

EXACT = ("PNG", "TIFF", "BMP")


def unit(samples: np.ndarray) -> np.ndarray:
    return samples / (1 if samples.dtype == np.float32 else np.iinfo(samples.dtype).max)


@pytest.mark.parametrize("gray", [False, True], ids=["rgb", "gray"])
@pytest.mark.parametrize("alpha", [False, True], ids=["opaque", "alpha"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("format", WRITABLE_FORMATS)
def test_round_trip(
    make_photo: Callable[..., Photo], format: str, dtype: type, alpha: bool, gray: bool
) -> None:
    photo = make_photo(format, dtype=dtype, alpha=alpha, gray=gray)
    if alpha and not FORMATS[format].alpha:
        with pytest.raises(OutputError, match="transparency; choose PNG"):
            encode_photo(photo)
        return
    back = read_photo(encode_photo(photo))
    assert back.format == format
    depths = FORMATS[format].depths
    assert back.bit_depth == max(depth for depth in depths if depth <= photo.bit_depth)
    tolerance = 0.5 / 255 + 1e-6 if format in EXACT else 0.05
    assert np.abs(unit(back.pixels) - unit(photo.pixels)).max() <= tolerance
    if format in EXACT and back.bit_depth == photo.bit_depth:
        assert np.array_equal(back.pixels, photo.pixels)
    if alpha:
        assert back.alpha is not None
        assert photo.alpha is not None
        loss = {"AVIF": 0.02, "HEIF": 0.01}.get(format, 0.5 / 255 + 1e-6)
        assert np.abs(unit(back.alpha) - unit(photo.alpha)).max() <= loss
    else:
        assert back.alpha is None
    if gray:
        assert np.array_equal(back.pixels[..., 0], back.pixels[..., 2]) or format in (
            "WEBP",
            "AVIF",
        )
        assert back.gray == (
            format in ("JPEG", "PNG", "TIFF", "JXL") or (format in ("HEIF", "BMP") and not alpha)
        )
    if not FORMATS[format].exif:
        return
    assert back.icc == photo.icc
    assert back.xmp == XMP
    assert back.exif is not None
    tags = read_tags(io.BytesIO(back.exif))
    main = tags.directories[0]
    exif, gps = main.children[0x8769][0], main.children[0x8825][0]
    assert main.entries[0x010F].data == b"Maker\0"
    assert exif.entries[0x927C].data == (b"MAKER-NOTE" * 4)
    assert exif.entries[0xA434].data == b"35mm f2\0"
    assert gps.entries[1].data == b"N\0"
    if format != "TIFF":  # there, the tags of the block are laid out anew as the file's own
        assert exif.entries[0x927C].at == photo.exif.index(b"MAKER-NOTE"), "offsets stay"


@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "BMP"])
def test_resolution_is_kept(make_photo: Callable[..., Photo], format: str) -> None:
    photo = replace(make_photo(format), encoding=Encoding(dpi=(300.0, 200.0)))
    dpi = read_photo(encode_photo(photo)).encoding.dpi
    assert dpi == pytest.approx((300, 200), abs=0.1)


@pytest.mark.parametrize("order", [">", "<"])
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["JPEG", "PNG", "PNG16", "TIFF", "TIFF16", "WEBP", "AVIF"])
def test_orientation(
    make_photo: Callable[..., Photo], format: str, orientation: int, order: str
) -> None:
    photo = make_photo(size=(31, 18), alpha=format != "JPEG", bare=True)
    exif = build_exif(orientation, (31, 18), order=order)
    turned = XMP.replace(b'Orientation="1"', b'Orientation="%d"' % orientation)
    if format.endswith("16"):
        deep = [item.astype(np.uint16) * 257 for item in (photo.pixels, photo.alpha)]
        photo = replace(photo, pixels=deep[0], alpha=deep[1])
    if format.startswith(("PNG", "TIFF")):
        stored = encode_photo(
            replace(photo, exif=exif, xmp=turned),
            format=format[:3].lower() if format[0] == "P" else "tif",
        )
        if format[0] == "T":
            stored = _turn_tiff(stored, orientation)
    else:
        rgba = photo.pixels if photo.alpha is None else np.dstack([photo.pixels, photo.alpha])
        options = {"lossless": True, "exact": True} if format == "WEBP" else {"quality": 95}
        stored = saved(
            Image.fromarray(rgba), format, exif=b"Exif\0\0" + exif, xmp=turned, **options
        )
    back = read_photo(stored)

    def upright(values: np.ndarray) -> np.ndarray:
        picture = Image.fromarray((unit(values) * 255).round().astype(np.uint8))
        picture.getexif()[0x0112] = orientation
        return np.asarray(ImageOps.exif_transpose(picture))

    close = 40 if format in ("JPEG", "AVIF") else 0
    assert np.abs(unit(back.pixels) * 255 - upright(photo.pixels)).max() <= close + 1e-3
    if photo.alpha is not None:
        assert back.alpha is not None
        assert np.abs(unit(back.alpha) * 255 - upright(photo.alpha)).max() <= close + 1e-3
    assert back.exif is not None
    tags = read_tags(io.BytesIO(back.exif))
    main = tags.directories[0]
    assert main.numbers(0x0112, tags.layout, (1,)) == (1,)
    exif_ifd = main.children[0x8769][0]
    assert exif_ifd.numbers(0xA002, tags.layout) == (back.width,)
    assert exif_ifd.numbers(0xA003, tags.layout) == (back.height,)
    assert len(tags.directories) == 1
    assert b"THUMBNAIL" not in back.exif
    assert back.xmp == XMP


def _turn_tiff(stored: bytes, orientation: int) -> bytes:
    """The TIFF with its orientation tag set."""
    tags = read_tags(io.BytesIO(stored))
    patched = bytearray(stored)
    struct.pack_into(
        tags.layout.order + "H", patched, tags.directories[0].entries[0x0112].at, orientation
    )
    return bytes(patched)


@settings(max_examples=40, deadline=None)
@given(
    width=st.integers(1, 40),
    height=st.integers(1, 40),
    format=st.sampled_from(["PNG", "TIFF"]),
    dtype=st.sampled_from([np.uint8, np.uint16, np.float32]),
    alpha=st.booleans(),
    seed=st.integers(0, 99),
)
def test_lossless_formats_are_exact_at_any_size(
    *, width: int, height: int, format: str, dtype: type, alpha: bool, seed: int
) -> None:
    noise = np.random.default_rng(seed)
    top = 1 if dtype is np.float32 else np.iinfo(dtype).max
    pixels = (noise.random((height, width, 3)) * top).astype(dtype)
    mask = (noise.random((height, width)) * top).astype(dtype) if alpha else None
    back = read_photo(encode_photo(Photo(pixels, mask), format=format))
    if format == "PNG" and dtype is np.float32:
        pixels = (pixels * np.float32(65535) + np.float32(0.5)).astype(np.uint16)
        mask = None
    assert np.array_equal(back.pixels, pixels)
    assert mask is None or np.array_equal(back.alpha, mask)


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1), (2, 3)])
@pytest.mark.parametrize("format", WRITABLE_FORMATS)
def test_extreme_sizes(
    make_photo: Callable[..., Photo], format: str, size: tuple[int, int]
) -> None:
    photo = make_photo(format, size=size, bare=True)
    if format == "HEIF" and max(size) == 5000:  # beyond the shapes that x265 takes
        with pytest.raises(OutputError, match="choose another format"):
            encode_photo(photo)
        return
    back = read_photo(encode_photo(photo))
    assert (back.width, back.height) == size


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_dark_16_bit_gradient_keeps_its_levels(tmp_path: Path, suffix: str) -> None:
    ramp = np.linspace(0, 3000, 64 * 64).reshape(64, 64).astype(np.uint16)
    path = tmp_path / f"nacht-夜{suffix}"
    write_photo(Photo(np.repeat(ramp[..., None], 3, axis=2)), path)
    back = read_photo(path)
    assert back.bit_depth == 16, "by the header, though no value is bright"
    assert len(np.unique(back.pixels)) > 2000


def test_ten_bit_heic_is_deep_and_white_stays_white() -> None:
    ramp = np.linspace(0, 65535, 32 * 64).reshape(32, 64).astype(np.uint16)
    photo = Photo(np.repeat(ramp[..., None], 3, axis=2), format="HEIF")
    back = read_photo(encode_photo(photo, quality=100))
    assert back.bit_depth == 16
    assert len(np.unique(back.pixels)) > 256
    assert back.pixels.max() == 65535


@pytest.mark.parametrize("format", ["PNG", "TIFF", "GIF", "BMP"])
def test_palette_is_read_as_rgb(format: str) -> None:
    colours = picture("P")
    photo = read_photo(saved(colours, format))
    assert np.array_equal(photo.pixels, np.asarray(colours.convert("RGB")))
    assert photo.alpha is None
    assert output_format(photo)[0] == ("PNG" if format == "GIF" else format)


@pytest.mark.parametrize("format", ["JPEG", "WEBP", "AVIF", "HEIF"])
def test_quality_can_be_chosen(format: str) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    low, high = (encode_photo(Photo(noise), format=format, quality=q) for q in (20, 95))
    assert len(low) < len(high)
    with pytest.raises(UsageError, match="1 to 100"):
        encode_photo(Photo(noise), format=format, quality=0)


def test_a_grey_profile_does_not_go_with_rgb(make_photo: Callable[..., Photo]) -> None:
    rgb = make_photo().icc
    assert rgb is not None
    gray_icc = rgb[:16] + b"GRAY" + rgb[20:]
    photo = replace(make_photo(gray=True), icc=gray_icc)
    assert read_photo(encode_photo(photo, format="png")).icc == gray_icc
    assert read_photo(encode_photo(photo, format="webp")).icc is None


def test_more_depth_than_the_format_has_is_rounded() -> None:
    deep = np.array([[0, 128, 129, 257, 385, 386, 65406, 65407, 65535]], np.uint16)
    photo = Photo(np.repeat(deep[..., None], 3, axis=2))
    back = read_photo(encode_photo(photo, format="bmp"))
    assert back.pixels[0, :, 0].tolist() == [0, 0, 1, 1, 1, 2, 254, 255, 255]


def test_an_opaque_alpha_may_be_left_out(make_photo: Callable[..., Photo]) -> None:
    photo = make_photo(alpha=True)
    assert photo.alpha is not None
    opaque = replace(photo, alpha=np.full_like(photo.alpha, 255))
    assert read_photo(encode_photo(opaque, format="jpg")).alpha is None
