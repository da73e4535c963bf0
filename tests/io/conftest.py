"""Photos that the tests of this room share."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from photo_files import XMP, clean_exif

from undark.io.metadata.icc import srgb_profile
from undark.photo import Encoding, Photo


@pytest.fixture(scope="session")
def make_photo() -> Callable[..., Photo]:
    """A smooth photo with everything attached."""

    def make(
        format: str = "PNG",
        *,
        dtype: type = np.uint8,
        alpha: bool = False,
        gray: bool = False,
        size: tuple[int, int] = (33, 24),
        bare: bool = False,
    ) -> Photo:
        width, height = size
        rows, columns = np.mgrid[0:height, 0:width]
        x, y = columns / max(width, 2), rows / max(height, 2)
        values = np.stack([x * 0.8, y * 0.7, (x + y) / 3], 2)
        if gray:
            values = np.repeat(values[..., 2:], 3, axis=2)
        top = 1 if dtype is np.float32 else np.iinfo(dtype).max
        return Photo(
            pixels=(values * top).astype(dtype),
            alpha=((1 - x) * top).astype(dtype) if alpha else None,
            gray=gray,
            icc=None if gray or bare else srgb_profile(),
            exif=None if bare else clean_exif(width, height),
            xmp=None if bare else XMP,
            format=format,
            encoding=Encoding(dpi=None if bare else (300.0, 300.0)),
        )

    return make
