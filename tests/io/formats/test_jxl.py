"""JPEG XL: depths, lossless sources, recompressed JPEGs, animations, and the extra."""

from __future__ import annotations

import base64
import io
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from photo_files import saved
from PIL import Image

from undark.errors import InputError, MissingExtraError, UnsupportedError
from undark.io.photo import encode_photo, output_format, read_photo, write_photo
from undark.photo import Encoding, Photo

pyjpegxl = pytest.importorskip("pyjpegxl")

# Three frames of 24×16, by imagecodecs.
ANIMATED = base64.b64decode(
    "/woDBU0AICYIBAEAOABLGIsVgJX8fwAABlLUEQgEAQA8AEsYixWAHfj/AAAQfqjDAQgEBQA8AEsYixWAXfj/AABSc6jjAg=="
)


@settings(max_examples=40, deadline=None)
@given(
    width=st.integers(1, 70),
    height=st.integers(1, 70),
    dtype=st.sampled_from([np.uint8, np.uint16, np.float32]),
    gray=st.booleans(),
    alpha=st.booleans(),
)
def test_a_lossless_source_stays_as_it_is(
    width: int, height: int, dtype: type, gray: bool, alpha: bool
) -> None:
    random = np.random.default_rng(width * 71 + height)
    top = 1 if dtype is np.float32 else np.iinfo(dtype).max
    pixels = (random.random((height, width, 3)) * top).astype(dtype)
    if gray:
        pixels = np.repeat(pixels[..., :1], 3, axis=2)
    photo = Photo(
        pixels,
        alpha=(random.random((height, width)) * top).astype(dtype) if alpha else None,
        gray=gray,
        format="JXL",
        encoding=Encoding(lossless=True),
    )
    back = read_photo(encode_photo(photo))
    assert np.array_equal(back.pixels, pixels)
    assert back.gray == gray
    assert (back.alpha is None) == (not alpha)
    if alpha:
        assert np.array_equal(back.alpha, photo.alpha)
    assert back.encoding.lossless
    assert not read_photo(encode_photo(back, quality=50)).encoding.lossless


def test_one_with_loss_stays_one_with_loss(make_photo: Callable[..., Photo]) -> None:
    back = read_photo(encode_photo(make_photo("JXL")))
    assert not back.encoding.lossless
    assert output_format(back) == ("JXL", ".jxl")


def test_a_recompressed_jpeg_is_one_with_loss() -> None:
    stored = saved(Image.new("RGB", (40, 30), (90, 30, 20)), "JPEG")
    back = read_photo(pyjpegxl.jpeg_to_jxl(stored))
    assert not back.encoding.lossless
    assert back.pixels[5, 5].tolist() == pytest.approx([90, 30, 20], abs=3)


def test_floats_without_a_profile_are_srgb(tmp_path: Path) -> None:
    ramp = np.linspace(0, 1, 64, dtype=np.float32)
    photo = Photo(np.tile(ramp[None, :, None], (8, 1, 3)), format="JXL")
    write_photo(photo, tmp_path / "x.jxl")
    _, eight = pyjpegxl.decode_to_numpy((tmp_path / "x.jxl").read_bytes(), dtype="uint8")
    assert read_photo(tmp_path / "x.jxl").icc is None
    assert np.abs(eight[0, :, 0] - ramp * 255).max() <= 4, "no other curve is applied"


def test_an_animation_is_refused() -> None:
    with pytest.raises(UnsupportedError, match=r"^x\.jxl: is animated"):
        read_photo(ANIMATED, name="x.jxl")


def test_without_the_extra(
    monkeypatch: pytest.MonkeyPatch, make_photo: Callable[..., Photo]
) -> None:
    stored = encode_photo(make_photo("JXL"))
    monkeypatch.setitem(sys.modules, "pyjpegxl", None)
    with pytest.raises(MissingExtraError, match=r"JPEG XL files need .*undark\[jxl\]"):
        read_photo(stored)
    with pytest.raises(MissingExtraError, match=r"undark\[jxl\]"):
        encode_photo(make_photo(), format="jxl")


def test_orientation_of_the_codestream_is_followed_and_of_the_exif_is_not(
    make_photo: Callable[..., Photo],
) -> None:
    photo = make_photo("JXL", size=(31, 18), bare=True)
    turned = b"II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\6\0\0\0\0\0\0\0"
    back = read_photo(encode_photo(replace(photo, exif=turned)))
    assert (back.width, back.height) == (31, 18)
    assert back.exif is not None
    exif = Image.Exif()
    exif.load(b"Exif\0\0" + back.exif)
    assert exif[274] == 1


@settings(max_examples=60, deadline=None)
@given(
    changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=5)
)
def test_damage_never_surprises(changes: list[tuple[float, int]]) -> None:
    stored = bytearray(ANIMATED if len(changes) % 2 else _small())
    for place, value in changes:
        stored[int(place * len(stored))] = value
    try:
        assert read_photo(bytes(stored), name="x.jxl").pixels.size
    except InputError as error:
        assert str(error).startswith("x.jxl: ")


def _small() -> bytes:
    buffer = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 65536, (12, 20, 4), dtype=np.uint16)
    buffer.write(pyjpegxl.encode_from_numpy(noise, lossless=True, xmp=b"<x/>"))
    return buffer.getvalue()
