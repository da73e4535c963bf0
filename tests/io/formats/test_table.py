"""The table of formats: each entry has its module, and says what its files really hold."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest

from undark.errors import OutputError
from undark.io.formats import FORMATS, WRITABLE_FORMATS, Format
from undark.io.photo import encode_photo, output_format, read_photo
from undark.photo import Photo

ALL = pytest.mark.parametrize("entry", FORMATS.values(), ids=FORMATS)
WRITABLE = pytest.mark.parametrize("format", WRITABLE_FORMATS)


@ALL
def test_each_has_a_module_that_reads_and_perhaps_writes(entry: Format) -> None:
    module = import_module(f"undark.io.formats.{entry.module}")
    assert callable(module.read)
    assert hasattr(module, "write") == entry.is_writable
    assert entry.is_writable or FORMATS[entry.result].is_writable
    assert set(entry.depths) <= {8, 16, 32}
    assert "/" in entry.mime


def test_no_two_share_a_suffix_a_brand_or_a_name() -> None:
    suffixes = Counter(s for entry in FORMATS.values() for s in entry.suffixes.split())
    brands = Counter(brand for entry in FORMATS.values() for brand in entry.brands)
    assert max(suffixes.values()) == max(brands.values()) == 1
    assert all(suffix == suffix.lower() for suffix in suffixes)
    assert len({entry.module for entry in FORMATS.values()}) == len(FORMATS)


@WRITABLE
def test_a_file_begins_as_its_entry_says(make_photo: Callable[..., Photo], format: str) -> None:
    stored = encode_photo(make_photo(format))
    assert read_photo(stored, name="no suffix").format == format
    found = [name for name, entry in FORMATS.items() if entry.begins(stored[:64])]
    assert found == ([] if FORMATS[format].brands else [format])


@WRITABLE
@pytest.mark.parametrize("bits", [8, 16, 32])
def test_depth_is_kept_as_the_entry_says(
    make_photo: Callable[..., Photo], format: str, bits: int
) -> None:
    dtype = {8: np.uint8, 16: np.uint16, 32: np.float32}[bits]
    depths = FORMATS[format].depths
    nearest = max(depth for depth in depths if depth <= bits)
    photo = make_photo(format, dtype=dtype)
    assert read_photo(encode_photo(photo)).bit_depth == nearest


@WRITABLE
def test_metadata_and_alpha_are_kept_as_the_entry_says(
    make_photo: Callable[..., Photo], format: str
) -> None:
    entry = FORMATS[format]
    photo = make_photo(format, alpha=True)
    if not entry.alpha:
        with pytest.raises(OutputError, match="cannot hold transparency"):
            encode_photo(photo)
        photo = replace(photo, alpha=None)
    back = read_photo(encode_photo(photo))
    for name in ("alpha", "icc", "exif", "xmp"):
        assert (getattr(back, name) is not None) == getattr(entry, name), name


@WRITABLE
def test_sides_longer_than_the_entry_allows_are_refused(format: str) -> None:
    side = FORMATS[format].max_side
    if side is None:
        return
    photo = Photo(np.zeros((1, side + 1, 3), np.uint8))
    with pytest.raises(OutputError, match=f"at most {side} pixels a side"):
        encode_photo(photo, format=format)


@ALL
def test_a_result_follows_its_source(entry: Format) -> None:
    photo = Photo(np.zeros((2, 2, 3), np.uint8), format=entry.name)
    name, suffix = output_format(photo)
    assert name == (entry.result or entry.name)
    assert suffix == FORMATS[name].suffix


def test_the_table_imports_no_decoder() -> None:
    code = (
        "import sys, undark.io.formats, undark.io.video.coding\n"
        "print([name for name in ('numpy', 'cv2', 'PIL', 'tifffile', 'av') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"
