"""Files that others open: another decoder, a colour item before the EXIF, several pictures."""

from __future__ import annotations

import io
import struct
import time
from pathlib import Path

import cv2
import numpy as np
import pillow_heif
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from photo_files import clean_exif
from PIL import AvifImagePlugin, Image, JpegImagePlugin, WebPImagePlugin

from undark.errors import DamagedError
from undark.io.photo import encode_photo, read_photo
from undark.photo import Cicp, Photo

NOISE = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)


def _broken(*_: object, **__: object) -> None:
    raise SyntaxError("not understood")


@pytest.mark.parametrize(
    ("format", "plugin"),
    [("JPEG", JpegImagePlugin.JpegImageFile), ("WEBP", WebPImagePlugin.WebPImageFile)],
)
def test_another_decoder_is_asked_before_a_file_is_refused(
    monkeypatch: pytest.MonkeyPatch, format: str, plugin: type
) -> None:
    stored = encode_photo(Photo(NOISE), format=format, quality=95)
    usual = read_photo(stored)
    monkeypatch.setattr(plugin, "_open", _broken)
    photo = read_photo(stored)
    assert photo.format == format
    assert np.abs(photo.pixels.astype(int) - usual.pixels).mean() < 2
    (notice,) = photo.notices
    assert "had to decode it" in notice
    with pytest.raises(DamagedError):
        read_photo(stored[: len(stored) // 2])


def _without_pixels(*_: object, **__: object) -> None:
    raise OSError("not understood")


def test_another_decoder_is_told_what_the_file_says(monkeypatch: pytest.MonkeyPatch) -> None:
    packet = '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/'
    packet += '22-rdf-syntax-ns#"><rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/"'
    packet += ' tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>'
    buffer = io.BytesIO()
    Image.fromarray(NOISE).save(buffer, "JPEG", xmp=packet.encode(), comment=b"At night")
    hdr = Photo(NOISE.astype(np.uint16) * 257, cicp=Cicp(9, 16, 9), format="AVIF")
    avif = encode_photo(hdr)
    for plugin in (JpegImagePlugin.JpegImageFile, AvifImagePlugin.AvifImageFile):
        monkeypatch.setattr(plugin, "load", _without_pixels)
    monkeypatch.setattr("undark.io.formats.avif._deep_samples", lambda *_: None)
    photo = read_photo(buffer.getvalue())
    assert (photo.width, photo.height) == (40, 60)
    assert [text.text for text in photo.texts] == ["At night"]
    photo = read_photo(avif)
    assert photo.cicp is not None
    assert (photo.cicp.primaries, photo.cicp.transfer) == (9, 16)
    assert photo.pixels.dtype == np.uint16


def deep_avif(*, columns: int = 60, metadata: bool = True, depth: int = 10) -> bytes:
    """Colour item first, as phones write it, and long after it EXIF and XMP."""
    blocks = {
        cv2.IMAGE_METADATA_EXIF: np.frombuffer(clean_exif(columns, 40), np.uint8),
        cv2.IMAGE_METADATA_XMP: np.frombuffer(b"<x:xmpmeta/>", np.uint8),
    }
    if not metadata:
        blocks = {}
    pixels = np.random.default_rng(0).integers(0, 1 << depth, (40, columns, 3), dtype=np.uint16)
    _, packed = cv2.imencodeWithMetadata(
        ".avif",
        pixels,
        list(blocks),
        list(blocks.values()),
        [cv2.IMWRITE_AVIF_DEPTH, depth, cv2.IMWRITE_AVIF_QUALITY, 90],
    )
    return packed.tobytes()


def colour_first(stored: bytes) -> bytes:
    """The same file with its colour item at the front of the media data."""
    at = stored.index(b"iloc") + 4
    data = bytearray(stored)
    (count,) = struct.unpack_from(">H", data, at + 6)
    items = []
    for n in range(count):  # version 0, offsets and lengths of 4 bytes, one extent
        place = at + 8 + 14 * n
        _, _, _, offset, length = struct.unpack_from(">HHHII", data, place)
        items.append([place, offset, length])
    start = min(item[1] for item in items)
    body = b""
    for place, offset, length in items:  # item 1 is the colour
        struct.pack_into(">I", data, place + 6, start + len(body))
        body += stored[offset : offset + length]
    data[start : start + len(body)] = body
    return bytes(data)


@pytest.mark.parametrize("depth", [10, 12])
def test_a_colour_item_may_come_before_the_exif(depth: int) -> None:
    usual = deep_avif(depth=depth)
    first = colour_first(usual)
    assert first != usual
    assert cv2.imdecode(np.frombuffer(first, np.uint8), -1) is None, "OpenCV alone gives it up"
    photo = read_photo(first)
    assert np.array_equal(photo.pixels, read_photo(usual).pixels)
    assert photo.bit_depth == 16
    assert photo.exif is not None
    assert photo.xmp == b"<x:xmpmeta/>"
    assert photo.notices == ()


def test_where_only_8_bits_can_be_read_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    stored = deep_avif()
    monkeypatch.setattr(cv2, "imdecode", lambda *_: None)
    photo = read_photo(stored)
    assert photo.bit_depth == 8
    assert photo.notices == ("only 8 of its 10 bits per sample could be read",)


@settings(max_examples=25, deadline=None)
@given(
    depth=st.sampled_from([10, 12]),
    full=st.booleans(),
    low=st.floats(0, 1),
    high=st.floats(0, 1),
    columns=st.integers(16, 90),
)
def test_grey_of_either_range(
    depth: int, full: bool, low: float, high: float, columns: int
) -> None:
    unit, top = 1 << (depth - 8), (1 << depth) - 1
    ramp = np.linspace(low, high, columns)
    values = ramp * top if full else 16 * unit + ramp * 219 * unit
    gray = np.tile(values.round().astype(np.uint16), (24, 1))
    options = [cv2.IMWRITE_AVIF_DEPTH, depth, cv2.IMWRITE_AVIF_QUALITY, 95]
    _, packed = cv2.imencodeWithMetadata(".avif", gray, [], [], options)
    stored = bytearray(packed.tobytes())
    at = stored.index(b"colrnclx") + 14
    assert stored[at] == 0x80
    stored[at] = 0x80 if full else 0
    photo = read_photo(bytes(stored))
    assert photo.gray
    assert photo.bit_depth == 16
    error = np.abs(photo.rgb()[..., 0] - ramp).max()
    assert error < 0.012, "as bright as it is"


def burst(*, primary: int) -> bytes:
    heif = pillow_heif.from_pillow(Image.new("RGB", (64, 64), "blue"))
    for colour in ("red", "lime"):
        heif.add_from_pillow(Image.new("RGB", (64, 48), colour))
    buffer = io.BytesIO()
    heif.save(buffer, quality=90, primary_index=primary)
    return buffer.getvalue()


@pytest.mark.parametrize(("primary", "channel"), [(0, 2), (1, 0), (2, 1)])
def test_of_several_pictures_in_a_heic_the_primary_one_is_taken(primary: int, channel: int) -> None:
    photo = read_photo(burst(primary=primary))
    assert photo.height == (48 if primary else 64)
    assert int(photo.pixels[20, 20].argmax()) == channel
    assert photo.notices == ("holds 3 pictures; the primary one is taken",)


def test_of_several_pictures_in_a_jpeg_too(tmp_path: Path) -> None:
    first, second = (Image.new("RGB", (32, 24), colour) for colour in ("red", "blue"))
    path = tmp_path / "both.mpo"
    first.save(path, "MPO", save_all=True, append_images=[second, second])
    photo = read_photo(path)
    assert int(photo.pixels[9, 9].argmax()) == 0
    assert photo.notices == ("holds 3 pictures; the primary one is taken",)


def test_a_preview_in_a_jpeg_is_no_picture(tmp_path: Path) -> None:
    first, second = (Image.new("RGB", (32, 24), colour) for colour in ("red", "blue"))
    path = tmp_path / "preview.jpg"
    first.save(path, "MPO", save_all=True, append_images=[second])
    stored = bytearray(path.read_bytes())
    assert read_photo(bytes(stored)).notices
    with Image.open(path) as image:
        entry = image.mpinfo[0xB002][1]
    packed = struct.pack("<I", entry["Size"])
    at = stored.rindex(packed, 0, stored.index(b"\xff\xdb")) - 4
    struct.pack_into("<I", stored, at, 0x010001)
    assert read_photo(bytes(stored)).notices == ()


def _bmp(header: int, samples: np.ndarray, mask: int | None) -> bytes:
    height, width = samples.shape[:2]
    body = np.ascontiguousarray(samples[::-1][..., [2, 1, 0, 3]]).tobytes()
    packing = 0 if mask is None else 3
    fields = (header, width, height, 1, 32, packing, len(body), 0, 0, 0, 0)
    head = struct.pack("<IiiHHIIiiII", *fields)
    if header > 40:
        masks = (0xFF0000, 0xFF00, 0xFF, mask or 0)
        head += struct.pack("<4I4s", *masks, b"BGRs")
    head = head.ljust(header, b"\0")
    return struct.pack("<2sIII", b"BM", 14 + header + len(body), 0, 14 + header) + head + body


@pytest.mark.parametrize("header", [108, 124])
def test_a_bmp_with_an_alpha_mask_follows_its_source(header: int) -> None:
    alpha = np.tile(np.arange(60, dtype=np.uint8) * 4, (40, 1))
    photo = read_photo(_bmp(header, np.dstack([NOISE, alpha]), 0xFF000000))
    assert photo.alpha is not None
    assert np.array_equal(photo.alpha, alpha)
    assert np.array_equal(photo.pixels, NOISE)
    stored = encode_photo(photo)
    assert stored[:2] == b"BM"
    back = read_photo(stored)
    assert np.array_equal(back.alpha, alpha)
    assert np.array_equal(back.pixels, NOISE)
    with Image.open(io.BytesIO(stored)) as image:
        assert image.mode == "RGBA"
        assert np.array_equal(np.asarray(image)[..., 3], alpha)


@pytest.mark.parametrize("header", [40, 124])
def test_other_bmps_of_32_bits_are_opaque(header: int) -> None:
    samples = np.dstack([NOISE, np.full((40, 60), 7, np.uint8)])
    assert read_photo(_bmp(header, samples, None)).alpha is None
    samples[..., 3] = 0
    blank = read_photo(_bmp(124, samples, 0xFF000000))
    assert blank.alpha is None, "as programs without transparency write it"
    assert np.array_equal(blank.pixels, NOISE)


def test_heic_is_written_in_half_the_time_of_x265s_slow_preset() -> None:
    grain = np.random.default_rng(0).integers(0, 60, (300, 400, 3), dtype=np.uint8)
    heif = pillow_heif.from_bytes("RGB", (400, 300), grain.tobytes())
    buffer = io.BytesIO()
    begin = time.process_time()
    heif.save(buffer, quality=90, chroma=444, enc_params={"preset": "slow"})
    slow = time.process_time() - begin
    begin = time.process_time()
    stored = encode_photo(Photo(grain), format="heif", quality=90)
    assert time.process_time() - begin < 0.75 * slow
    assert len(stored) < 1.1 * len(buffer.getvalue())
