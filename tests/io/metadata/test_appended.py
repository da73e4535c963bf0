"""What phones append to photos: gain maps, videos, more images; and the XMP that speaks of them."""

from __future__ import annotations

import io
import re
import struct
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from PIL import Image

from undark.errors import InputError
from undark.io.photo import encode_photo, losses, read_photo, write_photo

GRID = np.mgrid[:48, :64]
IMAGE = Image.fromarray(np.dstack([GRID[1], GRID[0], GRID.sum(0) // 2]).astype(np.uint8))
VIDEO = (
    b"\0\0\0\x18ftypmp42\0\0\0\0isommp42" + b"\0\0\0\x10free" + b"moovmdat" * 1 + b"\0\0\0\x08free"
)
HDRGM = "http://ns.adobe.com/hdr-gain-map/1.0/"
Item = tuple[str, str, int, int]


def packet(attributes: str, items: list[Item], nested: bool = False) -> bytes:
    """An XMP packet with Google's directory: semantic, media type, length and padding of each."""
    one = (
        '<rdf:li rdf:parseType="Resource"><Container:Item rdf:parseType="Resource">'
        "<Item:Semantic>%s</Item:Semantic><Item:Mime>%s</Item:Mime><Item:Length>%d</Item:Length>"
        "<Item:Padding>%d</Item:Padding></Container:Item></rdf:li>"
        if nested
        else '<rdf:li rdf:parseType="Resource"><Container:Item Item:Semantic="%s" Item:Mime="%s"'
        ' Item:Length="%d" Item:Padding="%d"/></rdf:li>'
    )
    rows = "".join(one % item for item in items)
    directory = f"<Container:Directory><rdf:Seq>{rows}</rdf:Seq></Container:Directory>"
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF'
        ' xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""'
        ' xmlns:GCamera="http://ns.google.com/photos/1.0/camera/"'
        ' xmlns:dc="http://purl.org/dc/elements/1.1/" dc:source="pier"'
        f' xmlns:hdrgm="{HDRGM}"'
        ' xmlns:Container="http://ns.google.com/photos/1.0/container/"'
        ' xmlns:Item="http://ns.google.com/photos/1.0/container/item/"'
        f" {attributes}>{directory if items else ''}</rdf:Description></rdf:RDF></x:xmpmeta>"
    ).encode()


def jpeg(image: Image.Image = IMAGE, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=95, **options)
    return buffer.getvalue()


def gain_map(size: tuple[int, int] = (32, 24), mark: str = "hdrgm") -> bytes:
    """A gain map as phones write it: grey, smaller, brightest in its top left corner."""
    values = np.zeros(size[::-1], np.uint8)
    values[: size[1] // 2, : size[0] // 2] = 200
    said = packet(f'hdrgm:Version="1.0" hdrgm:GainMapMax="2.3" hdrgm:OffsetSDR="0.01{mark}"', [])
    return jpeg(Image.fromarray(values), xmp=said)


def index(primary: bytes, *others: bytes) -> bytes:
    """The JPEG with an MPF index, little-endian as some phones write it, and the others behind."""
    count = len(others) + 1
    size = 4 + 4 + 8 + 2 + 36 + 4 + 16 * count
    whole = len(primary) + size
    entries = struct.pack("<IIIHH", 0x030000, whole, 0, 0, 0)
    at = whole
    for other in others:
        entries += struct.pack("<IIIHH", 0, len(other), at - 10, 0, 0)
        at += len(other)
    table = struct.pack("<HHI4sHHII", 0xB000, 7, 4, b"0100", 0xB001, 4, 1, count)
    table += struct.pack("<HHII", 0xB002, 7, 16 * count, 50)
    content = b"MPF\0II*\0" + struct.pack("<IH", 8, 3) + table + bytes(4) + entries
    segment = b"\xff\xe2" + struct.pack(">H", len(content) + 2) + content
    return primary[:2] + segment + primary[2:] + b"".join(others)


def ultra_hdr(*behind: Item, tail: bytes = b"", exif: bytes | None = None) -> bytes:
    mapped = gain_map()
    items = [("Primary", "image/jpeg", 0, 0), ("GainMap", "image/jpeg", len(mapped), 0), *behind]
    extra = {"exif": exif} if exif else {}
    return index(jpeg(xmp=packet('hdrgm:Version="1.0"', items), **extra), mapped) + tail


def samsung(video: bytes) -> bytes:
    """Samsung's trailer around a video."""
    blocks, entries = b"", []
    for kind, name, data in (
        (0x0A01, b"Image_UTC_Data", b"1700000000000"),
        (0x0A30, b"MotionPhoto_Data", video),
    ):
        block = struct.pack("<HHI", 0, kind, len(name)) + name + data
        entries.append((kind, len(blocks), len(block)))
        blocks += block
    directory = b"SEFH" + struct.pack("<II", 107, len(entries))
    for kind, start, size in entries:
        directory += struct.pack("<HHII", 0, kind, len(blocks) - start, size)
    return blocks + directory + struct.pack("<I", len(directory)) + b"SEFT"


def images_of(stored: bytes) -> list[bytes]:
    """The images of a JPEG as its MPF index has them."""
    image = Image.open(io.BytesIO(stored))
    base = stored.index(b"MPF\0") + 4
    found = []
    for entry in image._getmp()[0xB002]:
        start = base + entry["DataOffset"] if entry["DataOffset"] else 0
        found.append(stored[start : start + entry["Size"]])
    return found


def lengths(stored: bytes) -> dict[str, tuple[int, int]]:
    """Length and padding of each item that the XMP names."""
    found = {}
    for one in re.findall(rb"<Container:Item.*?(?:/>|</Container:Item>)", stored, re.DOTALL):
        values = dict(re.findall(rb'(?<!/)Item:(\w+)(?:="|>)([^"<]*)', one))
        found[values[b"Semantic"].decode()] = (
            int(values[b"Length"]),
            int(values.get(b"Padding", b"0")),
        )
    return found


MARKS = (b"hdrgm:", b"GainMap", b"MotionPhoto", b"MicroVideo", b"Container:")


@pytest.mark.parametrize("brighter", [False, True])
def test_a_gain_map_is_kept(brighter: bool) -> None:
    source = ultra_hdr()
    photo = read_photo(source)
    if brighter:
        photo = photo.with_pixels(photo.pixels * 2)
    assert photo.notices == ()
    assert losses(photo, "JPEG") == ()
    stored = encode_photo(photo)
    first, second = images_of(stored)
    assert second == gain_map()
    assert stored == first + second
    np.testing.assert_allclose(np.asarray(Image.open(io.BytesIO(first))), photo.pixels, atol=12)
    assert lengths(stored)["GainMap"] == (len(second), 0)
    assert b'hdrgm:Version="1.0"' in first


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_gain_map_is_turned_with_the_photo(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    photo = read_photo(ultra_hdr(exif=exif.tobytes()))
    _, second = images_of(encode_photo(photo))
    found = Image.open(io.BytesIO(second))
    assert (found.width > found.height) == (photo.width > photo.height)
    # The bright corner lies where the photo's own top left corner has gone: its darkest one.
    bright = np.unravel_index(np.asarray(found).argmax(), found.size[::-1])
    corners = photo.pixels[:: photo.height - 1, :: photo.width - 1].sum(axis=2)
    dark = np.unravel_index(corners.argmin(), (2, 2))
    assert (bright[0] * 2 // found.height, bright[1] * 2 // found.width) == dark
    assert b'GainMapMax="2.3"' in second


@pytest.mark.parametrize("format", ["PNG", "TIFF", "WEBP", "AVIF", "HEIF"])
def test_what_cannot_hold_a_gain_map_promises_none(format: str) -> None:
    photo = read_photo(ultra_hdr())
    (line,) = losses(photo, format)
    assert "gain map" in line
    stored = encode_photo(photo, format=format)
    assert not [mark for mark in MARKS if mark in stored]
    assert b"pier" in stored


@pytest.mark.parametrize("said", ["iso", "apple", "directory"])
def test_gain_maps_of_every_kind_are_known(said: str) -> None:
    mapped = jpeg(Image.new("L", (32, 24), 90))
    iso = b"urn:iso:std:iso:ts:21496:-1\0"
    if said == "iso":
        segment = b"\xff\xe2" + struct.pack(">H", len(iso) + 2 + 40) + iso + bytes(40)
        mapped = mapped[:2] + segment + mapped[2:]
        version = b"\xff\xe2" + struct.pack(">H", len(iso) + 2 + 4) + iso + bytes(4)
        primary = jpeg()
        source = index(primary[:2] + version + primary[2:], mapped)
    elif said == "apple":
        aux = b"urn:com:apple:photo:2020:aux:hdrgainmap"
        mapped = mapped[:2] + b"\xff\xe1" + struct.pack(">H", len(aux) + 2) + aux + mapped[2:]
        source = index(jpeg(), mapped)
    else:
        items = [("Primary", "image/jpeg", 0, 0), ("GainMap", "image/jpeg", len(mapped), 0)]
        source = jpeg(xmp=packet('hdrgm:Version="1.0"', items)) + mapped
    stored = encode_photo(read_photo(source))
    first, second = images_of(stored)
    assert second == mapped
    assert (iso in first) == (said == "iso")


def test_other_images_are_left_out_and_said() -> None:
    buffer = io.BytesIO()
    views = [IMAGE.transpose(Image.Transpose.FLIP_LEFT_RIGHT), IMAGE.rotate(180)]
    IMAGE.save(buffer, "MPO", save_all=True, append_images=views)
    photo = read_photo(buffer.getvalue())
    assert photo.notices == ("holds 3 pictures; the primary one is taken",)
    stored = encode_photo(photo)
    assert b"MPF\0" not in stored
    assert stored.count(b"\xff\xd8\xff") == 1
    # Beside a gain map as well.
    preview = jpeg(IMAGE.resize((16, 12)))
    items = [("Primary", "image/jpeg", 0, 0), ("GainMap", "image/jpeg", 1, 0)]
    xmp = packet('hdrgm:Version="1.0"', items)
    photo = read_photo(index(jpeg(xmp=xmp), gain_map(), preview))
    assert photo.notices == ("holds 2 pictures; the primary one is taken",)
    stored = encode_photo(photo)
    assert images_of(stored)[1:] == [gain_map()]
    assert lengths(stored) == {"Primary": (0, 0), "GainMap": (len(gain_map()), 0)}


def test_a_camera_preview_is_no_picture_of_its_own() -> None:
    source = index(jpeg(), jpeg(IMAGE.resize((16, 12))))
    entry = source.index(b"MPF\0") + 4 + 50 + 16
    source = source[:entry] + struct.pack("<I", 0x010002) + source[entry + 4 :]
    photo = read_photo(source)
    assert photo.notices == ()
    assert encode_photo(photo).count(b"\xff\xd8\xff") == 1


MOTION = 'GCamera:MotionPhoto="1" GCamera:MotionPhotoVersion="1"'


@pytest.mark.parametrize("nested", [False, True])
def test_a_motion_photo_keeps_its_video(nested: bool) -> None:
    items = [("Primary", "image/jpeg", 0, 0), ("MotionPhoto", "video/mp4", len(VIDEO), 0)]
    photo = read_photo(jpeg(xmp=packet(MOTION, items, nested)) + VIDEO)
    stored = encode_photo(photo)
    assert stored.endswith(b"\xff\xd9" + VIDEO)
    assert lengths(stored) == {"Primary": (0, 0), "MotionPhoto": (len(VIDEO), 0)}
    for format in ("HEIF", "AVIF"):
        boxed = encode_photo(photo, format=format)
        assert boxed.endswith(struct.pack(">I4s", len(VIDEO) + 8, b"mpvd") + VIDEO)
        assert lengths(boxed) == {"Primary": (0, 8), "MotionPhoto": (len(VIDEO), 0)}
        again = read_photo(boxed)
        np.testing.assert_allclose(again.rgb(), photo.rgb(), atol=0.06)
        assert encode_photo(again).endswith(VIDEO)
        back = encode_photo(again, format="JPEG")
        assert back.endswith(b"\xff\xd9" + VIDEO)
        assert lengths(back) == {"Primary": (0, 0), "MotionPhoto": (len(VIDEO), 0)}
    (line,) = losses(photo, "PNG")
    assert "video" in line
    stored = encode_photo(photo, format="PNG")
    assert not [mark for mark in MARKS if mark in stored]


def test_the_older_offset_is_put_right() -> None:
    attributes = 'GCamera:MicroVideo="1" GCamera:MicroVideoVersion="1" GCamera:MicroVideoOffset="9"'
    photo = read_photo(jpeg(xmp=packet(attributes, [])) + VIDEO)
    stored = encode_photo(photo)
    offset = int(re.search(rb'MicroVideoOffset="(\d+)"', stored)[1])
    assert stored[-offset:] == VIDEO


def test_a_gain_map_and_a_video_stay_together() -> None:
    video = ("MotionPhoto", "video/mp4", len(VIDEO), 0)
    exif = Image.Exif()
    exif[0x0112] = 6
    photo = read_photo(ultra_hdr(video, tail=VIDEO, exif=exif.tobytes()))
    stored = encode_photo(photo)
    first, second = images_of(stored)
    assert stored == first + second + VIDEO
    assert lengths(stored) == {
        "Primary": (0, 0),
        "GainMap": (len(second), 0),
        "MotionPhoto": (len(VIDEO), 0),
    }
    # A format that holds the one and not the other.
    boxed = encode_photo(photo, format="HEIF")
    assert lengths(boxed) == {"Primary": (0, 8), "MotionPhoto": (len(VIDEO), 0)}
    assert len(losses(photo, "HEIF")) == 1


def test_the_trailer_of_samsung_stays_whole() -> None:
    trailer = samsung(VIDEO)
    start = trailer.index(VIDEO)
    rest = len(trailer) - start
    items = [("Primary", "image/jpeg", 0, start), ("MotionPhoto", "video/mp4", rest, 0)]
    photo = read_photo(jpeg(xmp=packet(MOTION, items)) + trailer)
    stored = encode_photo(photo)
    assert stored.endswith(b"\xff\xd9" + trailer)
    assert lengths(stored) == {"Primary": (0, start), "MotionPhoto": (rest, 0)}
    boxed = encode_photo(photo, format="HEIF")
    assert boxed.endswith(VIDEO)
    assert b"SEFT" not in boxed


def test_what_was_gone_before_is_promised_no_more() -> None:
    items = [("Primary", "image/jpeg", 0, 0), ("MotionPhoto", "video/mp4", 99, 0)]
    for tail in (b"", b"JUNK" * 9, b"\0" * 50):
        stored = encode_photo(read_photo(jpeg(xmp=packet(MOTION, items)) + tail))
        assert not [mark for mark in MARKS if mark in stored]
        assert b"pier" in stored
        assert stored.endswith(b"\xff\xd9")
    # The second part of a packet that is too long for one segment does not come along.
    said = 'xmlns:n="http://ns.adobe.com/xmp/note/" n:HasExtendedXMP="00" xmlns:GImage='
    said += '"http://ns.google.com/photos/1.0/image/" GImage:Mime="image/jpeg"'
    stored = encode_photo(read_photo(jpeg(xmp=packet(said, []))))
    assert b"HasExtendedXMP" not in stored
    assert b"GImage:Mime" not in stored


@pytest.mark.parametrize("cut", [1, 7, 30, 60])
def test_damage_behind_the_photo_is_no_error(cut: int) -> None:
    source = ultra_hdr(("MotionPhoto", "video/mp4", len(VIDEO), 0), tail=VIDEO)
    for stored in (source[:-cut], source[: -len(VIDEO) - cut], source + b"SEFT" + bytes(cut)):
        photo = read_photo(stored)
        assert (photo.width, photo.height) == IMAGE.size
        assert read_photo(encode_photo(photo)).width == photo.width


def test_a_gain_map_that_is_damaged_is_left_out() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    mapped = gain_map()
    at = mapped.index(b"\xff\xc0") + 9
    broken = mapped[:at] + b"\x09" + mapped[at + 1 :]  # nine channels, which no decoder knows
    photo = read_photo(ultra_hdr(exif=exif.tobytes()).replace(mapped, broken))
    assert photo.appended is None
    assert photo.notices
    assert not [mark for mark in MARKS if mark in encode_photo(photo)]


def test_a_gain_map_that_is_cut_off_is_told() -> None:
    whole = ultra_hdr()
    assert read_photo(whole).notices == ()
    for cut, told in ((40, 1), (len(gain_map()), 0)):  # the second was gone before
        photo = read_photo(whole[:-cut])
        assert photo.appended is None
        assert len(photo.notices) == told
        assert not [mark for mark in MARKS if mark in encode_photo(photo)]


def test_the_video_of_an_heic_stays(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    pillow_heif.from_pillow(IMAGE).save(buffer, quality=95)
    path = tmp_path / "motion.heic"
    path.write_bytes(buffer.getvalue() + struct.pack(">I4s", len(VIDEO) + 8, b"mpvd") + VIDEO)
    write_photo(read_photo(path), path, overwrite=True)
    assert path.read_bytes().endswith(b"mpvd" + VIDEO)


def test_in_place_keeps_video_and_gain_map(tmp_path: Path) -> None:
    path = tmp_path / "PXL.MP.jpg"
    path.write_bytes(ultra_hdr(("MotionPhoto", "video/mp4", len(VIDEO), 0), tail=VIDEO))
    command = [sys.executable, "-m", "undark", "enhance", str(path), "--in-place"]
    subprocess.run([*command, "--model", "curve"], check=True, capture_output=True)
    stored = path.read_bytes()
    first, second = images_of(stored)
    assert stored == first + second + VIDEO
    before, after = (np.asarray(x).mean() for x in (IMAGE, Image.open(io.BytesIO(first))))
    assert after > 1.2 * before


def apple_map(size: tuple[int, int] = (32, 24)) -> tuple[bytes, bytes]:
    """A gain map as iPhones put it into JPEGs, and its XMP."""
    said = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF'
        b' xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""'
        b' xmlns:HDRGainMap="http://ns.apple.com/HDRGainMap/1.0/"'
        b' xmlns:apdi="http://ns.apple.com/pixeldatainfo/1.0/"'
        b' apdi:AuxiliaryImageType="urn:com:apple:photo:2020:aux:hdrgainmap"'
        b' HDRGainMap:HDRGainMapVersion="131072" HDRGainMap:HDRGainMapHeadroom="4.5"/></rdf:RDF>'
        b"</x:xmpmeta>"
    )
    values = np.zeros(size[::-1], np.uint8)
    values[: size[1] // 2, : size[0] // 2] = 200
    return jpeg(Image.fromarray(values), xmp=said), said


@pytest.mark.parametrize("alpha", [False, True])
def test_a_gain_map_of_apple_goes_from_jpeg_to_heic_and_back(alpha: bool) -> None:
    mapped, _ = apple_map()
    photo = read_photo(index(jpeg(), mapped) + VIDEO)
    if alpha:
        photo = replace(photo, alpha=np.tile(np.arange(64, dtype=np.uint8), (48, 1)))
    assert losses(photo, "HEIF") == ()
    stored = encode_photo(photo, format="HEIF")
    # Libheif, which knows nothing of undark, finds the map and the photo.
    heif = pillow_heif.open_heif(io.BytesIO(stored))
    assert len(heif) == 1
    (number,) = heif.info["aux"]["urn:com:apple:photo:2020:aux:hdrgainmap"]
    found = np.asarray(heif.get_aux_image(number)).reshape(24, 32).astype(int)
    np.testing.assert_allclose(found, np.asarray(Image.open(io.BytesIO(mapped))), atol=12)
    again = read_photo(stored)
    np.testing.assert_allclose(again.rgb(), photo.rgb(), atol=0.06)
    if alpha:
        np.testing.assert_allclose(again.alpha, photo.alpha, atol=4)
        return
    assert again.notices == ()
    assert stored.endswith(VIDEO)
    back = encode_photo(again, format="JPEG")
    second = images_of(back)[1]
    for said in (b'HDRGainMapVersion="131072"', b'HDRGainMapHeadroom="4.5"', b"aux:hdrgainmap"):
        assert said in second
        assert said in stored
    shown = np.asarray(Image.open(io.BytesIO(second))).astype(int)
    np.testing.assert_allclose(shown, found, atol=4)
    assert len(losses(again, "AVIF")) == 1
    assert b"hdrgainmap" not in encode_photo(again, format="AVIF")


def test_a_gain_map_of_an_heic_survives_damage() -> None:
    stored = encode_photo(read_photo(index(jpeg(), apple_map()[0])), format="HEIF")
    random = np.random.default_rng(3)
    meta = stored.index(b"mdat")
    for _ in range(60):
        broken = bytearray(stored)
        broken[random.integers(8, meta)] = random.integers(256)
        try:
            photo = read_photo(bytes(broken))
        except InputError:
            continue
        encode_photo(photo, format="HEIF")
