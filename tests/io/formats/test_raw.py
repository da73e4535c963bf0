"""Camera RAW: a small DNG with a colour filter array stands for all of them."""

from __future__ import annotations

import io
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from metadata_files import dataset, xmp_packet

from undark.errors import DamagedError, InputError, MissingExtraError
from undark.io.metadata.tags import read_tags
from undark.io.metadata.xmp import properties
from undark.io.photo import output_format, read_photo, write_photo


def make_dng(
    *, orientation: int | None = 1, top: int = 900, xmp: bytes = b"", iptc: bytes = b""
) -> bytes:
    """64×96 photosites (RGGB), neutral and brighter to the right; white is 4095."""
    ramp = np.tile(np.linspace(64, top, 96), (64, 1))
    identity = [
        value for row in np.eye(3, dtype=int).tolist() for item in row for value in (item, 1)
    ]
    buffer = io.BytesIO()
    tifffile.imwrite(
        buffer,
        ramp.astype(np.uint16),
        photometric=32803,
        metadata=None,
        software=False,
        extratags=[
            (271, 2, 0, "Maker", True),
            (272, 2, 0, "Night 1", True),
            *([] if orientation is None else [(274, 3, 1, orientation, True)]),
            *([(700, 1, len(xmp), xmp, True)] if xmp else []),
            *([(33723, 7, len(iptc), iptc, True)] if iptc else []),
            (33421, 3, 2, (2, 2), True),
            (33422, 1, 4, bytes([0, 1, 1, 2]), True),
            (50706, 1, 4, bytes([1, 4, 0, 0]), True),
            (50707, 1, 4, bytes([1, 1, 0, 0]), True),
            (50708, 2, 0, "Maker Night 1", True),
            (50714, 3, 1, 64, True),
            (50717, 3, 1, 4095, True),
            (50721, 10, 9, tuple(identity), True),
            (50728, 5, 3, (1, 1, 1, 1, 1, 1), True),
            (50778, 3, 1, 21, True),
        ],
    )
    return buffer.getvalue()


def test_a_dng_is_developed(tmp_path: Path) -> None:
    pytest.importorskip("rawpy")
    path = tmp_path / "nacht.DNG"
    path.write_bytes(make_dng())
    photo = read_photo(path)
    assert (photo.format, photo.bit_depth, photo.pixels.shape) == ("RAW", 16, (64, 96, 3))
    assert len(np.unique(photo.pixels)) > 256
    assert photo.rgb().mean() < 0.4, "as dark as it was taken"
    left, right = photo.rgb()[:, 10:20].mean(), photo.rgb()[:, -20:-10].mean()
    assert left < right
    assert photo.icc is not None
    assert photo.exif is not None
    main = read_tags(io.BytesIO(photo.exif)).directories[0]
    assert main.entries[272].data == b"Night 1\0"
    assert 50706 not in main.entries, "the result is no DNG"
    assert output_format(photo) == ("TIFF", ".tif")
    write_photo(photo, tmp_path / "nacht.tif")
    again = read_photo(tmp_path / "nacht.tif")
    assert again.format == "TIFF"
    assert np.array_equal(again.pixels, photo.pixels)


def test_a_dng_is_known_by_its_content_and_turned() -> None:
    pytest.importorskip("rawpy")
    photo = read_photo(make_dng(orientation=6))
    assert (photo.format, photo.width, photo.height) == ("RAW", 64, 96)
    assert photo.exif is not None
    tags = read_tags(io.BytesIO(photo.exif))
    assert tags.directories[0].numbers(274, tags.layout) == (1,)


def test_iptc_and_xmp_of_a_raw_file_are_kept(tmp_path: Path) -> None:
    pytest.importorskip("rawpy")
    iptc = dataset(25, b"harbour") + dataset(120, b"A pier at night")
    packet = xmp_packet(
        "",
        'xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="4"'
        ' xmlns:crs="http://ns.adobe.com/camera-raw-settings/1.0/" crs:Exposure2012="+2.00"',
    )
    photo = read_photo(make_dng(iptc=iptc, xmp=packet))
    write_photo(photo, tmp_path / "nacht.tif")
    again = read_photo(tmp_path / "nacht.tif")
    assert again.iptc == iptc
    assert properties(again.xmp, "http://ns.adobe.com/xap/1.0/") == {"Rating": "4"}
    assert again.xmp
    assert b"Exposure2012" not in again.xmp, "it would be made brighter once more"


def test_the_orientation_of_a_raw_file_may_stand_in_xmp_alone() -> None:
    pytest.importorskip("rawpy")
    packet = xmp_packet("", 'xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"')
    for orientation, size in ((None, (64, 96)), (1, (96, 64)), (6, (64, 96))):
        photo = read_photo(make_dng(orientation=orientation, xmp=packet))
        assert (photo.width, photo.height) == size
        assert photo.xmp
        assert b'tiff:Orientation="1"' in photo.xmp


def test_brightness_is_not_stretched() -> None:
    pytest.importorskip("rawpy")
    dim, bright = (read_photo(make_dng(top=top)).rgb().mean() for top in (400, 3000))
    assert dim < bright / 2


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rawpy", None)
    with pytest.raises(MissingExtraError, match=r"undark\[raw\]"):
        read_photo(make_dng())


@pytest.mark.parametrize("fraction", [0.1, 0.5, 0.9])
def test_truncated(capfd: pytest.CaptureFixture[str], fraction: float) -> None:
    pytest.importorskip("rawpy")
    stored = make_dng()
    with pytest.raises(DamagedError, match=r"^x\.dng: is (truncated|damaged)"):
        read_photo(stored[: int(len(stored) * fraction)], name="x.dng")
    assert capfd.readouterr().err == ""


def test_not_raw_at_all() -> None:
    pytest.importorskip("rawpy")
    with pytest.raises(InputError, match=r"^x\.nef: "):
        read_photo(b"a letter" * 100, name="x.nef")


def make_rw2(strips: int, *, count: int = 20511792, fraction: float = 1.0) -> bytes:
    """A Panasonic file of 1120×840 photosites, as its cameras write it: their place in 0x0118."""
    width, height = 1120, 840
    texts = {0x10F: b"Panasonic\0", 0x110: b"DMC-GH1\0"}
    rows = {
        **{1: (7, 4, b"0310"), 2: (3, 1, width), 3: (3, 1, height), 4: (3, 1, 0), 5: (3, 1, 0)},
        **{6: (3, 1, height), 7: (3, 1, width), 9: (3, 1, 1), 10: (3, 1, 12), 11: (3, 1, 34316)},
        **{0x17: (3, 1, 400), 0x111: (4, 1, strips), 0x116: (4, 1, height), 0x117: (4, 1, count)},
        0x118: (4, 1, 4096),
    }
    at = 8 + 2 + 12 * (len(rows) + len(texts)) + 4
    table, tail = struct.pack("<H", len(rows) + len(texts)), b""
    for tag in sorted([*rows, *texts]):
        if tag in texts:
            text = texts[tag]
            table += struct.pack("<HHII", tag, 2, len(text), at + len(tail))
            tail += text
            continue
        kind, number, value = rows[tag]
        data = value if isinstance(value, bytes) else struct.pack("<I", value)
        table += struct.pack("<HHI", tag, kind, number) + data
    head = b"IIU\0\x08\0\0\0" + table + bytes(4) + tail
    blocks = -(-width * height // 14) * 16
    return head.ljust(4096, b"\0") + bytes(int((blocks // 0x4000 + 1) * 0x4000 * fraction))


@pytest.mark.parametrize("strips", [0xFFFFFFFF, 4096])
@pytest.mark.parametrize("count", [20511792, 1000])
def test_a_panasonic_file_is_for_libraw_to_judge(strips: int, count: int) -> None:
    pytest.importorskip("rawpy")
    photo = read_photo(make_rw2(strips, count=count), name="x.rw2")
    assert (photo.format, photo.width, photo.height) == ("RAW", 1120, 840)


@pytest.mark.parametrize("fraction", [0.0, 0.5, 0.95])
def test_a_truncated_panasonic_file_is_refused_and_does_not_become_grey(
    capfd: pytest.CaptureFixture[str], fraction: float
) -> None:
    pytest.importorskip("rawpy")
    with pytest.raises(DamagedError, match=r"^x\.rw2: is truncated"):
        read_photo(make_rw2(0xFFFFFFFF, fraction=fraction), name="x.rw2")
    assert capfd.readouterr().err == ""


def test_a_preview_whose_tags_are_wrong_is_no_matter() -> None:
    pytest.importorskip("rawpy")
    stored = make_dng()
    extra = [(254, 4, 1), (256, 4, 16), (257, 4, 16), (258, 3, 8), (259, 3, 1), (262, 3, 1)]
    extra += [(273, 4, len(stored) - 8), (278, 4, 16), (279, 4, 16 * 16)]
    rows = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in extra)
    tags = read_tags(io.BytesIO(stored))
    pointed = bytearray(stored)
    struct.pack_into("<I", pointed, tags.directories[0].next_at, len(stored))
    photo = read_photo(bytes(pointed) + struct.pack("<H", len(extra)) + rows + bytes(4))
    assert (photo.format, photo.width) == ("RAW", 96)
