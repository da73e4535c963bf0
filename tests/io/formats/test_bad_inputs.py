"""What cannot be read: one clear line that names the file, and nothing on stderr."""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from photo_files import saved
from PIL import Image

from undark.errors import DamagedError, InputError, UnreadableError, UnsupportedError
from undark.io.formats import WRITABLE_FORMATS
from undark.io.photo import encode_photo, read_photo
from undark.photo import Photo


@pytest.fixture(autouse=True)
def _silence(capfd: pytest.CaptureFixture[str]):
    """No decoder talks to the user behind our back."""
    yield
    out, err = capfd.readouterr()
    assert out == ""
    assert err == ""


def refuse(path: Path, kind: type[InputError], says: str) -> None:
    before = path.read_bytes() if path.is_file() else b""
    with pytest.raises(kind, match=says) as caught:
        read_photo(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
    if path.is_file():
        assert path.read_bytes() == before


def test_missing_folder_and_device(tmp_path: Path) -> None:
    refuse(tmp_path / "gone.jpg", UnreadableError, "no such file")
    refuse(tmp_path, UnreadableError, "is a folder")
    refuse(tmp_path / "gone" / "x.jpg", UnreadableError, "no such file")
    refuse(Path(os.devnull), UnreadableError, "device")


def test_no_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.jpg"
    path.touch()

    def denied(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", denied)
    with pytest.raises(UnreadableError, match=r"x\.jpg: .*no permission"):
        read_photo(path)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".dng", ".heic", ""])
def test_empty_and_text(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"ünïcode{suffix}"
    path.touch()
    refuse(path, DamagedError, "is empty")
    path.write_text("This is a shopping list, not a photo.\n" * 9)
    refuse(path, InputError, "not an image|not a camera RAW file")


@pytest.mark.parametrize(
    ("start", "says"),
    [
        (b"8BPS\0\1", "Photoshop"),
        (b"%PDF-1.7", "PDF"),
        (b"\0\0\0\x20ftypisom\0\0\0\0isomavc1", "video"),
    ],
)
def test_other_kinds(tmp_path: Path, start: bytes, says: str) -> None:
    path = tmp_path / "x.jpg"
    path.write_bytes(start + bytes(100))
    refuse(path, UnsupportedError, says)


@pytest.mark.parametrize("fraction", [0.02, 0.3, 0.6, 0.95])
@pytest.mark.parametrize("deep", [False, True], ids=["8", "16"])
@pytest.mark.parametrize("format", WRITABLE_FORMATS)
def test_truncated(tmp_path: Path, format: str, deep: bool, fraction: float) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    stored = encode_photo(Photo(noise.astype(np.uint16) * 257 if deep else noise), format=format)
    path = tmp_path / "part.jpg"
    path.write_bytes(stored[: int(len(stored) * fraction)])
    refuse(path, DamagedError, "truncated|damaged|not an image")


def _png_head(width: int, height: int, depth: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        crc = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc)

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, 2, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(bytes(1000)))
    return b"\x89PNG\r\n\x1a\n" + head + body + chunk(b"IEND", b"")


def _tiff_head(width: int, height: int, depth: int) -> bytes:
    rows = [(256, 4, width), (257, 4, height), (258, 3, depth), (259, 3, 8), (262, 3, 1)]
    rows += [(273, 4, 8), (277, 3, 1), (278, 4, height), (279, 4, 100)]
    table = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in rows)
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(rows)) + table + bytes(200)


def _jpeg_head(width: int, height: int) -> bytes:
    stored = bytearray(saved(Image.new("RGB", (8, 8)), "JPEG"))
    at = stored.index(b"\xff\xc0")
    struct.pack_into(">HH", stored, at + 5, height, width)
    return bytes(stored)


def _bmp_head(width: int, height: int) -> bytes:
    stored = bytearray(saved(Image.new("RGB", (8, 8)), "BMP"))
    struct.pack_into("<ii", stored, 18, width, height)
    return bytes(stored)


def _gif_head(width: int, height: int) -> bytes:
    stored = bytearray(saved(Image.new("P", (8, 8)), "GIF"))
    struct.pack_into("<HH", stored, 6, width, height)
    return bytes(stored)


@pytest.mark.parametrize(
    "stored",
    [
        pytest.param(_png_head(60_000, 60_000, 8), id="png"),
        pytest.param(_png_head(60_000, 60_000, 16), id="png16"),
        pytest.param(_tiff_head(60_000, 60_000, 8), id="tiff"),
        pytest.param(_tiff_head(60_000, 60_000, 16), id="tiff16"),
        pytest.param(_jpeg_head(60_000, 60_000), id="jpeg"),
        pytest.param(_bmp_head(60_000, 60_000), id="bmp"),
        pytest.param(_gif_head(60_000, 60_000), id="gif"),
    ],
)
def test_decompression_bombs(tmp_path: Path, stored: bytes) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(stored)
    limit = Image.MAX_IMAGE_PIXELS
    refuse(path, DamagedError, "60000×60000 pixels .* bomb")
    assert limit == Image.MAX_IMAGE_PIXELS, "the user's own setting stays"


def test_pillows_own_limit_is_one_line_too(monkeypatch: pytest.MonkeyPatch) -> None:
    stored = saved(Image.new("RGB", (40, 40)), "WEBP")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(DamagedError, match=r"^x\.webp: is too large"):
        read_photo(stored, name="x.webp")


def test_larger_than_pillow_likes_is_fine(monkeypatch: pytest.MonkeyPatch) -> None:
    stored = saved(Image.new("RGB", (40, 40)), "PNG")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert read_photo(stored).width == 40


FRAMES = [Image.new("RGB", (8, 8), colour) for colour in ("red", "green", "blue")]


@pytest.mark.parametrize("format", ["GIF", "PNG", "WEBP", "AVIF", "TIFF"])
def test_animations_are_refused(tmp_path: Path, format: str) -> None:
    path = tmp_path / "moving.img"
    path.write_bytes(saved(FRAMES[0], format, save_all=True, append_images=FRAMES[1:]))
    refuse(path, UnsupportedError, "animated|images")


def test_several_images_in_a_deep_tiff(tmp_path: Path) -> None:
    pages = tmp_path / "pages.tif"
    tifffile.imwrite(pages, np.zeros((2, 8, 8, 3), np.uint16), photometric="rgb", metadata=None)
    refuse(pages, UnsupportedError, "holds 2 images")


def test_a_thumbnail_page_is_no_second_image() -> None:
    buffer = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 65536, (20, 30, 3), dtype=np.uint16)
    with tifffile.TiffWriter(buffer) as tiff:
        tiff.write(noise[::4, ::4], subfiletype=1, photometric="rgb", metadata=None)
        tiff.write(noise, photometric="rgb", metadata=None)
    assert np.array_equal(read_photo(buffer.getvalue()).pixels, noise)


@pytest.mark.parametrize("dtype", [np.uint32, np.int16, np.int8, np.complex64])
def test_tiff_samples_of_other_kinds(tmp_path: Path, dtype: type) -> None:
    path = tmp_path / "odd.tif"
    tifffile.imwrite(path, np.zeros((8, 8), dtype), photometric="minisblack", metadata=None)
    refuse(path, UnsupportedError, "8 or 16 bits")


def test_colour_models_that_are_not_taken(tmp_path: Path) -> None:
    path = tmp_path / "x.tif"
    path.write_bytes(saved(Image.new("LAB", (8, 8)), "TIFF"))
    refuse(path, UnsupportedError, "save it as RGB")
    tifffile.imwrite(path, np.zeros((8, 8, 4), np.uint16), photometric="separated", metadata=None)
    refuse(path, UnsupportedError, "save it as RGB")


SEEDS: dict[str, bytes] = {}


@settings(max_examples=150, deadline=None)
@given(
    format=st.sampled_from([*WRITABLE_FORMATS, "GIF", "PNG16", "TIFF16"]),
    changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=6),
    keep=st.floats(0.1, 1),
)
def test_damaged_files_never_surprise(
    format: str, changes: list[tuple[float, int]], keep: float
) -> None:
    if format not in SEEDS:
        noise = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
        if format == "GIF":
            SEEDS[format] = saved(Image.fromarray(noise), format)
        else:
            pixels = noise.astype(np.uint16) * 257 if format.endswith("16") else noise
            SEEDS[format] = encode_photo(Photo(pixels), format=format.removesuffix("16"))
    stored = bytearray(SEEDS[format])
    for place, value in changes:
        stored[int(place * len(stored))] = value
    try:
        photo = read_photo(bytes(stored[: int(keep * len(stored))]), name="fuzz.img")
    except InputError as error:
        assert str(error).startswith("fuzz.img: ")
        assert "\n" not in str(error)
    else:
        assert photo.pixels.size


def test_errors_name_bytes_by_the_name_given(make_photo: Callable[..., Photo]) -> None:
    with pytest.raises(DamagedError, match=r"^<stdin>: is empty"):
        read_photo(b"", name="<stdin>")
    with pytest.raises(DamagedError, match=r"^the input: "):
        read_photo(encode_photo(make_photo())[:100])
