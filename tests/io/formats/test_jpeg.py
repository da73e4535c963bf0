"""JPEG: its tables are followed, its segments are short, its inks become sRGB."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from photo_files import XMP, build_exif, picture, saved
from PIL import Image, ImageCms

from undark.io.metadata.tags import read_tags
from undark.io.photo import encode_photo, losses, read_photo
from undark.photo import Photo


def test_cmyk_becomes_srgb() -> None:
    inks = Image.new("CMYK", (8, 8), (255, 0, 0, 0))
    photo = read_photo(saved(inks, "JPEG", quality=95))
    red, green, blue = photo.pixels[4, 4]
    assert red < 40
    assert green > 180
    assert blue > 180
    assert photo.icc is None
    # Pillow brings no print profile; a damaged one must not stop the photo, only be of no use.
    odd = read_photo(saved(inks, "JPEG", quality=95, icc_profile=b"no profile"))
    assert np.array_equal(odd.pixels, photo.pixels)
    assert odd.icc is not None
    assert ImageCms.ImageCmsProfile(io.BytesIO(odd.icc)).profile.xcolor_space.strip() == "RGB"


def test_phone_picture_with_a_second_one_is_a_jpeg() -> None:
    stored = saved(picture("RGB"), "MPO", save_all=True, append_images=[Image.new("RGB", (9, 9))])
    photo = read_photo(stored)
    assert photo.format == "JPEG"
    assert (photo.width, photo.height) == (30, 20)


def test_jpeg_follows_the_source() -> None:
    for quality in (95, 98):
        for sampling in (0, 2):
            source = saved(picture("RGB"), "JPEG", quality=quality, subsampling=sampling)
            again = read_photo(encode_photo(read_photo(source)))
            assert again.encoding.quality == quality
            assert again.encoding.subsampling == sampling
    poor = read_photo(saved(picture("RGB"), "JPEG", quality=40))
    assert poor.encoding.quality == 40
    assert read_photo(encode_photo(poor)).encoding.quality == 92, "a bright picture shows blocks"
    assert read_photo(encode_photo(poor, quality=30)).encoding.quality == 30


def test_large_metadata_in_jpeg(make_photo: Callable[..., Photo]) -> None:
    icc = make_photo().icc
    assert icc is not None
    big_icc = icc + bytes(200_000)
    exif = build_exif(1, (33, 24), note=70_000)
    photo = replace(make_photo("JPEG"), icc=big_icc, exif=exif, xmp=XMP + b" " * 70_000)
    back = read_photo(encode_photo(photo))
    assert back.icc == big_icc, "over several segments"
    assert back.xmp is None, "more than a segment holds"
    assert back.exif is not None
    main = read_tags(io.BytesIO(back.exif)).directories[0]
    assert main.entries[0x010F].data == b"Maker\0"
    assert 0x927C not in main.children[0x8769][0].entries, "only the maker's note had to go"
    assert "its maker's note is left out: JPEG cannot hold so much EXIF" in losses(photo, "JPEG")
    strange = replace(photo, exif=bytes(70_000))
    assert "its EXIF is left out: JPEG cannot hold so much EXIF" in losses(strange, "JPEG")
    assert read_photo(encode_photo(strange)).exif is None
    assert read_photo(encode_photo(photo, format="png")).xmp == photo.xmp
