"""What colours mean: code points carried on, profiles made of them, HDR fitted to formats."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import replace
from typing import Any

import numpy as np
import pillow_heif
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from undark.io.photo import encode_photo, losses, read_photo
from undark.photo import Cicp, Photo
from undark.pixels import transfer

P3, PQ, HLG = (12, 13), (9, 16), (9, 18)


def heic(values: np.ndarray, code: tuple[int, int], bits: int = 10, **extra: Any) -> bytes:
    """An HEIC with nclx colours and no profile; `values` in [0, 1]."""
    deep = bits > 8
    samples = np.rint(values * (65535 if deep else 255)).astype(np.uint16 if deep else np.uint8)
    size = (values.shape[1], values.shape[0])
    image = pillow_heif.from_bytes("RGB" + ";16" * deep, size, samples.tobytes())
    buffer = io.BytesIO()
    image.save(
        buffer,
        quality=100,
        chroma=444,
        color_primaries=code[0],
        transfer_characteristics=code[1],
        matrix_coefficients=9 if code[0] == 9 else 6,
        **({"bit_depth": bits} if deep else {}),
        **extra,
    )
    return buffer.getvalue()


def avif(values: np.ndarray, code: tuple[int, int]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.rint(values * 255).astype(np.uint8)).save(buffer, "AVIF", quality=100)
    stored = bytearray(buffer.getvalue())
    at = stored.index(b"colrnclx") + 8
    stored[at : at + 4] = struct.pack(">HH", *code)
    return bytes(stored)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(samples: np.ndarray, *chunks: bytes) -> bytes:
    plain = encode_photo(Photo(samples), format="PNG")
    return plain[:33] + b"".join(chunks) + plain[33:]


def nclx(stored: bytes) -> list[tuple[int, int]]:
    parts = stored.partition(b"mdat")[0].split(b"colrnclx")[1:]
    return [struct.unpack(">HH", part[:4]) for part in parts]


def as_srgb(stored: bytes) -> np.ndarray:
    """What a program that minds profiles shows of a file."""
    image = Image.open(io.BytesIO(stored))
    icc = image.info.get("icc_profile")
    if icc:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        srgb = ImageCms.createProfile("sRGB")
        image = ImageCms.profileToProfile(image, profile, srgb, 1, "RGB")
    return np.asarray(image.convert("RGB")).astype(int)


FLAT = np.full((64, 64, 3), (0.6, 0.4, 0.3))
# Display P3 to sRGB by the matrices of CSS Color 4, section 17; worked out apart from undark.
FLAT_AS_SRGB = (161, 100, 70)


@pytest.mark.parametrize("kind", ["heic", "avif"])
@pytest.mark.parametrize("code", [P3, PQ, HLG])
def test_code_points_are_carried_on(kind: str, code: tuple[int, int]) -> None:
    source = heic(FLAT, code) if kind == "heic" else avif(FLAT, code)
    photo = read_photo(source)
    assert photo.cicp is not None
    assert (photo.cicp.primaries, photo.cicp.transfer) == code
    assert photo.icc is None
    for format in ("HEIF", "AVIF"):
        stored = encode_photo(photo, format=format)
        assert nclx(stored) == [code]
        assert b"prof" not in stored.partition(b"mdat")[0]
        again = read_photo(stored)
        assert (again.cicp.primaries, again.cicp.transfer) == code
        np.testing.assert_allclose(again.rgb(), photo.rgb(), atol=0.02)
    stored = encode_photo(photo, format="PNG")
    assert stored[stored.index(b"cICP") + 4 :][:4] == bytes([*code, 0, 1])
    assert read_photo(stored).cicp == Cicp(*code)


@pytest.mark.parametrize("format", ["JPEG", "TIFF", "WEBP", "PNG"])
def test_p3_becomes_a_profile_that_shows_the_same_colours(format: str) -> None:
    stored = encode_photo(read_photo(heic(FLAT, P3, bits=8)), format=format, quality=100)
    assert np.abs(as_srgb(stored)[32, 32] - FLAT_AS_SRGB).max() <= 3


def test_a_format_without_profiles_gets_srgb() -> None:
    stored = encode_photo(read_photo(heic(FLAT, P3, bits=8)), format="BMP")
    assert np.abs(as_srgb(stored)[32, 32] - FLAT_AS_SRGB).max() <= 3


@pytest.mark.parametrize("code", [(1, 13), (1, 1), (2, 2)])
def test_ordinary_colours_get_no_profile(code: tuple[int, int]) -> None:
    photo = read_photo(heic(FLAT, code, bits=8))
    assert photo.icc is None
    for format in ("JPEG", "PNG", "WEBP"):
        stored = encode_photo(photo, format=format)
        assert "icc_profile" not in Image.open(io.BytesIO(stored)).info
        assert b"cICP" not in stored


def test_grey_gets_a_grey_profile() -> None:
    grey = np.full((64, 64, 3), 0.5)
    photo = replace(read_photo(heic(grey, (9, 8), bits=8)), gray=True)
    stored = encode_photo(photo, format="JPEG", quality=100)
    image = Image.open(io.BytesIO(stored))
    assert image.mode == "L"
    profile = ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"]))
    shown = ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB"), 1, "RGB")
    # Half the light, by sRGB's curve.
    assert np.abs(np.asarray(shown)[32, 32].astype(int) - 188).max() <= 2


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from([1, 4, 5, 6, 7, 8, 9, 10, 11, 12, 22]),
    st.sampled_from([1, 4, 5, 6, 7, 8, 13, 14, 15, 17]),
    st.booleans(),
)
def test_every_profile_keeps_white_black_and_grey(primaries: int, curve: int, gray: bool) -> None:
    ramp = np.linspace(0, 255, 16).astype(np.uint8)
    photo = Photo(np.repeat(ramp[None, :, None], 3, 2), gray=gray, cicp=Cicp(primaries, curve))
    shown = as_srgb(encode_photo(photo, format="TIFF"))[0]
    assert shown[0].max() == 0
    assert shown[-1].min() >= 254
    assert np.ptp(shown, axis=1).max() <= 2
    assert (np.diff(shown[:, 1]) >= 0).all()


def test_cicp_outranks_iccp() -> None:
    """A PNG whose code points say P3 and whose profile, for older programs, says sRGB."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    samples = np.rint(FLAT * 255).astype(np.uint8)
    source = png(
        samples,
        chunk(b"cICP", bytes([*P3, 0, 1])),
        chunk(b"iCCP", b"x\0\0" + zlib.compress(srgb)),
    )
    photo = read_photo(source)
    stored = encode_photo(photo)
    assert stored[stored.index(b"cICP") + 4 :][:4] == bytes([*P3, 0, 1])
    assert Image.open(io.BytesIO(stored)).info["icc_profile"] == srgb
    shown = as_srgb(encode_photo(photo, format="JPEG", quality=100))
    assert np.abs(shown[32, 32] - FLAT_AS_SRGB).max() <= 3
    for format in ("HEIF", "AVIF"):
        assert nclx(encode_photo(photo, format=format)) == [P3]


def test_narrow_range_of_a_png_is_made_full() -> None:
    samples = np.array([[[16] * 3, [235] * 3, [255] * 3, [0] * 3]], np.uint8)
    photo = read_photo(png(samples, chunk(b"cICP", bytes([9, 16, 0, 0]))))
    assert photo.pixels[0, :, 0].tolist() == [0, 255, 255, 0]
    stored = encode_photo(photo)
    assert stored[stored.index(b"cICP") + 4 :][:4] == bytes([9, 16, 0, 1])


def test_chromaticities_of_a_png_become_a_profile() -> None:
    corners = (0.3127, 0.3290, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060)
    chrm = chunk(b"cHRM", struct.pack(">8I", *(round(x * 1e5) for x in corners)))
    gama = chunk(b"gAMA", struct.pack(">I", 45455))
    samples = np.rint(FLAT * 255).astype(np.uint8)
    photo = read_photo(png(samples, chrm, gama))
    shown = as_srgb(encode_photo(photo, format="JPEG", quality=100))
    assert np.abs(shown[32, 32] - FLAT_AS_SRGB).max() <= 3
    # Chromaticities of no triangle are passed over.
    assert read_photo(png(samples, chunk(b"cHRM", bytes(32)))).icc is None


@pytest.mark.parametrize("code", [PQ, HLG])
def test_hdr_is_tone_mapped_where_it_cannot_be_held(code: tuple[int, int]) -> None:
    # 0 to about 800 cd/m², in steps.
    light = np.repeat(np.linspace(0.0, 4.0, 16), 4)[None, :, None]
    light = np.broadcast_to(light, (64, 64, 3))
    photo = read_photo(heic(transfer.encode(light, code[1]), code))
    for format in ("JPEG", "WEBP", "TIFF", "BMP"):
        (line,) = losses(photo, format)
        assert "tone-mapped" in line
        assert format in line
        shown = as_srgb(encode_photo(photo, format=format, quality=100))[32, ::4, 1]
        assert shown[0] <= 1
        assert shown[-1] >= 253
        assert (np.diff(shown) >= -1).all()
        # The first step, 54 cd/m², is shown as it is; white leaves room for what is above it.
        assert abs(shown[1] - 255 * 0.5536) <= 4
        assert 215 <= shown[4] <= 245
    for format in ("HEIF", "AVIF", "PNG"):
        assert losses(photo, format) == ()


def test_the_depth_of_hdr_is_followed() -> None:
    ramp = np.broadcast_to(np.linspace(0.1, 0.9, 64)[None, :, None], (64, 64, 3))
    photo = read_photo(heic(ramp, PQ, bits=12))
    again = pillow_heif.open_heif(encode_photo(photo), convert_hdr_to_8bit=False)
    assert again.info["bit_depth"] == 12
    stored = encode_photo(photo, format="AVIF", quality=100)
    assert stored[stored.index(b"av1C") + 6] & 0x60 == 0x60
    np.testing.assert_allclose(read_photo(stored).rgb(), photo.rgb(), atol=0.003)
    assert read_photo(heic(ramp, PQ, bits=8)).bit_depth == 8


@pytest.mark.parametrize("format", ["TIFF", "PNG", "WEBP", "JPEG"])
def test_hdr_that_a_profile_names_is_known(format: str) -> None:
    """A profile of version 4.4 with a ``cicp`` tag, as photo editors write HDR TIFFs."""
    icc = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    icc[128:132] = struct.pack(">I", 1)
    icc[132:144] = struct.pack(">4sII", b"cicp", 144, 12)
    icc[144:156] = b"cicp\0\0\0\0" + bytes([9, 16, 0, 1])
    photo = Photo(np.full((8, 8, 3), 30000, np.uint16), icc=bytes(icc))
    photo = read_photo(encode_photo(photo, format=format))
    assert photo.cicp == Cicp(9, 16)
    stored = encode_photo(photo, format="TIFF")
    assert losses(photo, "TIFF") == ()
    np.testing.assert_array_equal(read_photo(stored).pixels, photo.pixels)
    assert nclx(encode_photo(photo, format="HEIF")) == [PQ]
