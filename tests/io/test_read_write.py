"""Reading and writing by name, suffix, bytes and file objects."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from undark.errors import UsageError
from undark.io.photo import encode_photo, output_format, read_photo, write_photo
from undark.photo import Photo


def test_suffix_format_and_names(tmp_path: Path, make_photo: Callable[..., Photo]) -> None:
    photo = make_photo("PNG")
    for suffix, format in (
        (".JPG", "JPEG"),
        (".jpeg", "JPEG"),
        (".tiff", "TIFF"),
        (".heif", "HEIF"),
        ("", "PNG"),
    ):
        path = tmp_path / "new" / f"x{suffix}"
        write_photo(photo, path)
        assert read_photo(path).format == format
    write_photo(photo, tmp_path / "odd.dat", format=".webp")
    assert read_photo(str(tmp_path / "odd.dat")).format == "WEBP"
    for name in ("x.gif", "x.xyz"):
        with pytest.raises(UsageError, match="does not write"):
            write_photo(photo, tmp_path / name)
    with pytest.raises(UsageError, match="jpg, png, tif"):
        encode_photo(photo, format="gif")


def test_output_follows_the_source() -> None:
    photo = Photo(np.zeros((2, 2, 3), np.uint8))
    assert output_format(photo) == ("PNG", ".png")
    assert output_format(replace(photo, format="RAW")) == ("TIFF", ".tif")
    assert output_format(replace(photo, format="HEIF")) == ("HEIF", ".heic")


def test_sources_that_are_not_paths(make_photo: Callable[..., Photo]) -> None:
    stored = encode_photo(make_photo())

    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

    with io.BytesIO(stored) as file:
        for source in (stored, file, Pipe(stored)):
            assert read_photo(source).width == 33
        assert not file.closed
