"""The many ways in which a TIFF stores the same picture."""

from __future__ import annotations

import io
import subprocess
import sys
from itertools import product
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
from photo_files import saved
from PIL import Image

from undark.errors import UnsupportedError
from undark.io.photo import encode_photo, read_photo
from undark.photo import Photo

NOISE = np.random.default_rng(0).integers(0, 65536, (20, 30, 4), dtype=np.uint16)


def written(samples: np.ndarray, **options: Any) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, samples, metadata=None, **options)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"byteorder": ">"},
        {"bigtiff": True},
        {"rowsperstrip": 3},
        {"tile": (16, 16)},
        {"compression": "zlib"},
        {"compression": "zlib", "predictor": 2},
        {"compression": "zlib", "predictor": 2, "byteorder": ">"},
    ],
    ids=str,
)
@pytest.mark.parametrize("count", [1, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_layouts(options: dict[str, Any], count: int, dtype: type) -> None:
    samples = (NOISE[..., :count] if count > 1 else NOISE[..., 0]).astype(dtype)
    kind = "minisblack" if count == 1 else "rgb"
    photo = read_photo(written(samples, photometric=kind, **options))
    colours = samples[..., :3] if count > 1 else np.repeat(samples[..., None], 3, axis=2)
    assert np.array_equal(photo.pixels, colours)
    assert photo.gray == (count == 1)
    assert (photo.alpha is not None) == (count == 4)


def test_planes_apart() -> None:
    stored = written(
        np.ascontiguousarray(NOISE[..., :3].transpose(2, 0, 1)),
        photometric="rgb",
        planarconfig="separate",
    )
    assert np.array_equal(read_photo(stored).pixels, NOISE[..., :3])


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_floats(dtype: type, compression: str | None) -> None:
    values = (NOISE[..., :3] / 65535).astype(dtype)
    photo = read_photo(written(values, photometric="rgb", compression=compression))
    assert photo.pixels.dtype == np.float32
    assert np.array_equal(photo.pixels, values.astype(np.float32))


@pytest.mark.parametrize("count", [1, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_lzw_from_other_programs(dtype: type, count: int) -> None:
    samples = NOISE[..., :count].astype(dtype) if dtype is np.uint16 else NOISE[..., :count] / 65535
    samples = (samples * 255).astype(dtype) if dtype is np.uint8 else samples.astype(dtype)
    swapped = samples[..., [2, 1, 0, 3][:count]] if count > 1 else samples
    options = [cv2.IMWRITE_TIFF_COMPRESSION, 5]
    done, packed = cv2.imencode(".tiff", np.ascontiguousarray(swapped), options)
    assert done
    photo = read_photo(packed.tobytes())
    assert np.array_equal(photo.pixels[..., : min(count, 3)], samples[..., :3])
    assert photo.pixels.dtype == dtype


@pytest.mark.parametrize(("dtype", "white"), [(np.uint8, 255), (np.uint16, 65535)])
def test_white_is_zero(dtype: type, white: int) -> None:
    gray = NOISE[..., 0].astype(dtype)
    photo = read_photo(written(gray, photometric="miniswhite"))
    assert np.array_equal(photo.pixels[..., 1], white - gray)


def test_premultiplied_colours_are_divided_again() -> None:
    colours = np.full((4, 4, 3), (60000, 30000, 10), np.float64)
    alpha = np.full((4, 4, 1), 40000.0)
    alpha[0, 0] = 0
    stored = np.rint(np.concatenate([colours * alpha / 65535, alpha], axis=2)).astype(np.uint16)
    photo = read_photo(written(stored, photometric="rgb", extrasamples=["assocalpha"]))
    assert photo.alpha is not None
    assert np.array_equal(photo.alpha, alpha[..., 0].astype(np.uint16))
    assert np.abs(photo.pixels[1:].astype(int) - colours[1:].astype(int)).max() <= 1


def test_a_channel_of_unknown_meaning_is_no_alpha() -> None:
    photo = read_photo(written(NOISE, photometric="rgb", extrasamples=["unspecified"]))
    assert photo.alpha is None
    assert np.array_equal(photo.pixels, NOISE[..., :3])


@pytest.mark.parametrize(
    ("mode", "compression"),
    [
        *product(["1", "L", "P", "RGB", "RGBA", "CMYK"], ["tiff_lzw", "tiff_adobe_deflate"]),
        *product(["L", "RGB"], ["packbits", "jpeg"]),
    ],
)
def test_eight_bits_from_pillow(mode: str, compression: str) -> None:
    ramp = Image.fromarray((NOISE[..., :3] >> 12).astype(np.uint8) * 16)
    source = ramp.convert(mode)
    photo = read_photo(saved(source, "TIFF", compression=compression))
    assert photo.gray == (mode in ("1", "L"))
    if compression != "jpeg":
        assert np.array_equal(photo.pixels, np.asarray(source.convert("RGB")))


def test_unknown_compression_says_what_to_do() -> None:
    stored = bytearray(written(NOISE[..., 0], photometric="minisblack"))
    at = stored.index(b"\x03\x01\x03\x00\x01\x00\x00\x00")  # tag 259, SHORT, 1
    stored[at + 8 : at + 10] = (50000).to_bytes(2, "little")
    with pytest.raises(UnsupportedError, match="save it with ZIP or none"):
        read_photo(bytes(stored))


def test_no_further_package_is_needed(tmp_path: Path) -> None:
    """imagecodecs may be installed here; a plain install has none."""
    deep = Photo(NOISE[..., :3], NOISE[..., 3])
    (tmp_path / "zip.tif").write_bytes(encode_photo(deep, format="tif"))
    done, packed = cv2.imencode(".tiff", NOISE[..., :3], [cv2.IMWRITE_TIFF_COMPRESSION, 5])
    assert done
    (tmp_path / "lzw.tif").write_bytes(packed.tobytes())
    program = (
        "import sys; sys.modules['imagecodecs'] = None\n"
        "from undark.io.photo import encode_photo, read_photo\n"
        "for name in sys.argv[1:]:\n"
        "    photo = read_photo(name)\n"
        "    again = read_photo(encode_photo(photo))\n"
        "    print(photo.bit_depth, int((again.pixels != photo.pixels).sum()))\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", program, tmp_path / "zip.tif", tmp_path / "lzw.tif"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.split() == ["16", "0", "16", "0"]


def test_tags_survive_and_structure_does_not() -> None:
    stored = written(
        NOISE[..., :3],
        photometric="rgb",
        software="camera 1.0",
        description="Straße bei Nacht".encode(),
        resolution=(240, 120),
        resolutionunit=2,
        extratags=[(271, 2, 0, "Maker", True), (33432, 2, 0, "(c) me", True)],
    )
    photo = read_photo(stored)
    assert photo.encoding.dpi == (240, 120)
    with tifffile.TiffFile(io.BytesIO(encode_photo(photo))) as tiff:
        tags = tiff.pages[0].tags
        assert tags[271].value == "Maker"
        assert tags[33432].value == "(c) me"
        assert tags[305].value == "camera 1.0"
        assert tags["ImageDescription"].value == "Straße bei Nacht"
        assert len(tiff.pages) == 1
        assert np.array_equal(tiff.asarray(), NOISE[..., :3])
    jpeg = Image.open(io.BytesIO(encode_photo(photo, format="jpg")))
    exif = jpeg.getexif()
    assert exif[271] == "Maker"
    assert 273 not in exif, "where the strips lie says nothing in a JPEG"
