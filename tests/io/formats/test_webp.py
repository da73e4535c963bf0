"""WebP: with loss and without."""

from __future__ import annotations

import numpy as np
from photo_files import build_exif, saved
from PIL import Image

from undark.io.photo import encode_photo, read_photo


def test_lossless_webp_stays_lossless() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (30, 40, 4), dtype=np.uint8)
    photo = read_photo(saved(Image.fromarray(noise), "WEBP", lossless=True, exact=True))
    assert photo.encoding.lossless
    again = read_photo(encode_photo(photo))
    assert np.array_equal(again.pixels, noise[..., :3])
    assert np.array_equal(again.alpha, noise[..., 3])
    assert not read_photo(
        saved(Image.fromarray(noise), "WEBP", exif=build_exif(1, (40, 30)))
    ).encoding.lossless
