"""What `--strip` leaves out, and what it leaves in."""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest
from metadata_files import dataset, pixels, tiff_block, tiff_file, xmp_packet
from photo_files import build_exif
from PIL import Image

from undark.errors import UsageError
from undark.io.metadata.icc import srgb_profile
from undark.io.metadata.iptc import datasets
from undark.io.metadata.xmp import properties
from undark.io.photo import encode_photo, read_photo
from undark.io.strip import strip_losses, stripped, stripped_tags
from undark.photo import Appended, Encoding, Photo, Text

FORMATS = ("JPEG", "PNG", "TIFF", "WEBP", "AVIF", "HEIF")
DC = "http://purl.org/dc/elements/1.1/"
EXIF = "http://ns.adobe.com/exif/1.0/"
PHOTOSHOP = "http://ns.adobe.com/photoshop/1.0/"
CORE = "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/"
EXT = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
DRONE = "http://www.dji.com/drone-dji/1.0/"

PACKET = xmp_packet(
    "<exif:GPSLatitude>52,30.5N</exif:GPSLatitude>"
    '<Iptc4xmpExt:LocationShown><rdf:Bag><rdf:li rdf:parseType="Resource">'
    "<Iptc4xmpExt:City>Lisboa</Iptc4xmpExt:City></rdf:li></rdf:Bag></Iptc4xmpExt:LocationShown>",
    f'xmlns:dc="{DC}" xmlns:exif="{EXIF}" xmlns:photoshop="{PHOTOSHOP}" xmlns:Iptc4xmpCore="{CORE}"'
    f' xmlns:Iptc4xmpExt="{EXT}" xmlns:drone-dji="{DRONE}" dc:source="film"'
    ' exif:GPSLongitude="13,20.1E" exif:ExposureTime="1/30" photoshop:City="Lisboa"'
    ' photoshop:Credit="Agency" Iptc4xmpCore:Location="Alfama" drone-dji:GpsLatitude="+52.5"'
    ' drone-dji:GimbalPitchDegree="-90"',
)
IPTC = b"".join(
    dataset(number, value)
    for number, value in (
        (25, b"night"),
        (90, b"Lisboa"),
        (92, b"Alfama"),
        (95, b"Estremadura"),
        (100, b"PRT"),
        (101, b"Portugal"),
        (120, b"A pier"),
    )
)
LATITUDE = struct.pack(">6I", 52, 1, 30, 1, 0, 1)


@pytest.fixture
def placed_photo() -> Photo:
    return Photo(
        pixels(),
        icc=srgb_profile(),
        exif=build_exif(1, (24, 16)),
        xmp=PACKET,
        iptc=IPTC,
        texts=(Text("Title", "Pier"), Text("exif:GPSLatitude", "52/1"), Text("Location", "Lisboa")),
        encoding=Encoding(dpi=(300.0, 300.0)),
    )


@pytest.mark.parametrize("format", FORMATS)
def test_all_leaves_what_the_pixels_need(placed_photo: Photo, format: str) -> None:
    stored = encode_photo(stripped(placed_photo, "all"), format=format)
    back = read_photo(stored)
    assert (back.xmp, back.iptc, back.texts) == (None, None, ())
    if format == "TIFF":
        # Its tags of resolution count as EXIF.
        exif = Image.Exif()
        exif.load(back.exif or b"")
        assert set(exif) == {282, 283, 296}
    else:
        assert back.exif is None
    assert back.icc == placed_photo.icc
    if format in ("JPEG", "PNG", "TIFF"):
        assert back.encoding.dpi == pytest.approx((300, 300), rel=1e-3)
    for word in (b"Maker", b"Lisboa", b"night", b"Pier", b"film"):
        assert word not in stored


@pytest.mark.parametrize("format", FORMATS)
def test_gps_leaves_all_but_the_place(placed_photo: Photo, format: str) -> None:
    stored = encode_photo(stripped(placed_photo, "gps"), format=format)
    back = read_photo(stored)
    for word in (b"Lisboa", b"Alfama", b"Estremadura", b"Portugal", b"PRT", b"GPSL", b"GpsL"):
        assert word not in stored
    assert LATITUDE not in stored
    assert struct.pack("<6I", 52, 1, 30, 1, 0, 1) not in stored
    assert back.exif
    exif = Image.Exif()
    exif.load(back.exif)
    assert 0x8825 not in exif
    assert exif[0x010F] == "Maker"
    inner = exif.get_ifd(0x8769)
    assert inner[0x829A] == pytest.approx(1 / 30)
    assert bytes(inner[0x927C]).startswith(b"MAKER-NOTE")
    assert properties(back.xmp, DC)["source"] == "film"
    assert properties(back.xmp, EXIF)["ExposureTime"] == "1/30"
    assert properties(back.xmp, PHOTOSHOP)["Credit"] == "Agency"
    assert properties(back.xmp, DRONE) == {"GimbalPitchDegree": "-90"}
    if format in ("JPEG", "PNG", "TIFF"):
        assert [item.data for item in datasets(back.iptc)] == [b"night", b"A pier"]
    if format == "PNG":
        assert [text.keyword for text in back.texts] == ["Title"]


def test_gps_keeps_each_byte_of_the_maker_s_note_in_its_place(placed_photo: Photo) -> None:
    left = stripped(placed_photo, "gps").exif
    assert placed_photo.exif
    assert left
    assert left.index(b"MAKER-NOTE") == placed_photo.exif.index(b"MAKER-NOTE")


def test_gps_takes_the_tags_of_geotiff() -> None:
    point = struct.pack("<6d", 0, 0, 0, 13.25, 52.5, 0)
    rows = [(0x010F, 2, 6, b"Canon\0"), (33922, 12, 6, point)]
    photo = read_photo(tiff_file(rows))
    assert point in encode_photo(photo)
    stored = encode_photo(stripped(photo, "gps"))
    assert point not in stored
    assert b"Canon" in stored


def test_a_packet_that_is_broken_goes_where_it_may_name_a_place() -> None:
    broken = PACKET[:-12]
    photo = Photo(pixels(), xmp=broken)
    assert stripped(photo, "gps").xmp is None
    plain = b"<x:xmpmeta> no place"
    assert stripped(replace(photo, xmp=plain), "gps").xmp == plain


def test_nothing_to_strip_is_left_as_it_is() -> None:
    block = tiff_block([(0x010F, 2, 6, b"Canon\0")])
    packet = xmp_packet("", f'xmlns:dc="{DC}" dc:source="film"')
    photo = Photo(pixels(), exif=block, xmp=packet, iptc=dataset(25, b"night"))
    left = stripped(photo, "gps")
    assert (left.exif, left.xmp, left.iptc) == (photo.exif, photo.xmp, photo.iptc)
    assert stripped(photo, None) is photo
    empty = Photo(pixels())
    assert stripped(empty, "gps").exif is None


def test_another_word_is_refused() -> None:
    with pytest.raises(UsageError, match="all or gps"):
        stripped(Photo(pixels()), "place")


def test_tags_of_videos() -> None:
    tags = {
        "title": "Pier",
        "language": "por",
        "location": "+38.71-009.13/",
        "location-eng": "+38.71-009.13/",
        "com.apple.quicktime.location.ISO6709": "+38.71-009.13/",
        "com.apple.quicktime.make": "Apple",
    }
    left = stripped_tags(tags, "gps")
    assert left == {"title": "Pier", "language": "por", "com.apple.quicktime.make": "Apple"}
    assert stripped_tags(tags, "all") == {"language": "por"}
    assert stripped_tags(tags, None) == tags


@pytest.mark.parametrize(
    ("what", "told"),
    [
        (None, ()),
        ("gps", ("its video is left out: it may tell the place too",)),
        ("all", ("its gain map is left out", "its video is left out")),
    ],
)
def test_what_is_no_metadata_and_goes_is_told(what: str | None, told: tuple[str, ...]) -> None:
    photo = Photo(pixels(), appended=Appended(b"\xff\xd8map\xff\xd9", tail=b"video", video=(0, 5)))
    assert strip_losses(photo, what) == told
    assert strip_losses(replace(photo, appended=None), what) == ()
