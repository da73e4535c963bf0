"""Animated PNG, as GIF and WebP: times, loops, transparency; told from stills by content."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from undark.errors import UnsupportedError
from undark.io.metadata.icc import srgb_profile
from undark.io.photo import read_photo
from undark.io.video.animation import Animation, is_animated, read_animation
from undark.io.walk import is_video, plan

TIMES = [50, 120, 330]


def frames(*, alpha: bool) -> list[Image.Image]:
    ramp = np.tile(np.linspace(0, 255, 48), (32, 1))
    planes = [[np.full((32, 48), value) for value in (60 * n + 20, 40, 90)] for n in range(3)]
    found = [np.dstack([*item, ramp] if alpha else item).astype(np.uint8) for item in planes]
    return [Image.fromarray(item) for item in found]


def write(path: Path, *, alpha: bool = False, **options: object) -> Path:
    first, *others = frames(alpha=alpha)
    options = {"save_all": True, "append_images": others, "duration": TIMES, **options}
    first.save(path, "PNG" if path.suffix == ".apng" else None, **options)
    return path


@pytest.mark.parametrize("suffix", [".png", ".apng", ".webp", ".gif"])
@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize("loop", [0, 3])
@pytest.mark.parametrize("source", [".png", ".webp", ".gif"])
def test_times_loops_and_transparency_stay(
    tmp_path: Path, source: str, loop: int, alpha: bool, suffix: str
) -> None:
    if source == ".gif" and alpha:
        pytest.skip("a GIF's transparency is made by undark itself in the other cases")
    path = write(tmp_path / f"in{source}", alpha=alpha, loop=loop)
    plays = loop + 1 if source == ".gif" and loop else loop
    result = tmp_path / f"out{suffix}"
    animation = Animation(result)
    for frame in read_animation(path):
        assert frame.plays == plays
        animation.add(frame.photo, frame.seconds, plays=frame.plays)
    animation.close()
    found = list(read_animation(result))
    assert [frame.seconds for frame in found] == pytest.approx([t / 1000 for t in TIMES])
    assert {frame.plays for frame in found} == {plays}
    assert {frame.count for frame in found} == {3}
    assert is_animated(result)
    for number, frame in enumerate(found):
        assert frame.photo.pixels[5, 40].tolist() == pytest.approx(
            [60 * number + 20, 40, 90], abs=4
        )
        if alpha and suffix != ".gif":
            assert frame.photo.alpha is not None
            assert frame.photo.alpha[0].tolist() == pytest.approx(
                np.linspace(0, 255, 48).astype(int).tolist(), abs=2
            )
        else:
            assert (frame.photo.alpha is not None) == alpha


def test_played_once_in_a_gif(tmp_path: Path) -> None:
    (frame, *_) = read_animation(write(tmp_path / "once.gif"))
    assert frame.plays == 1
    animation = Animation(tmp_path / "again.gif")
    for item in read_animation(tmp_path / "once.gif"):
        animation.add(item.photo, item.seconds, plays=item.plays)
    animation.close()
    with Image.open(tmp_path / "again.gif") as image:
        assert "loop" not in image.info


def test_the_still_for_programs_without_animation_is_no_frame(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    still = Image.new("RGB", (48, 32), "white")
    still.save(
        path,
        save_all=True,
        append_images=frames(alpha=False),
        default_image=True,
        duration=TIMES,
        loop=2,
    )
    found = list(read_animation(path))
    assert [frame.count for frame in found] == [3, 3, 3]
    assert [int(frame.photo.pixels[0, 0, 0]) for frame in found] == [20, 80, 140]
    assert [frame.seconds for frame in found] == pytest.approx([t / 1000 for t in TIMES])


def test_a_profile_stays(tmp_path: Path) -> None:
    icc = srgb_profile()
    for suffix in (".png", ".webp"):
        path = write(tmp_path / f"in{suffix}", icc_profile=icc)
        animation = Animation(tmp_path / f"out{suffix}")
        for frame in read_animation(path):
            animation.add(frame.photo, frame.seconds)
        animation.close()
        with Image.open(tmp_path / f"out{suffix}") as image:
            assert image.info["icc_profile"] == icc


def test_stills_and_animations_are_told_apart_by_content(tmp_path: Path) -> None:
    moving = write(tmp_path / "moving.png")
    still = tmp_path / "still.png"
    frames(alpha=False)[0].save(still)
    (tmp_path / "empty.png").touch()
    (tmp_path / "cut.png").write_bytes(moving.read_bytes()[:20])
    assert is_video(moving)
    assert not any(is_video(tmp_path / name) for name in ("still.png", "empty.png", "cut.png"))
    pairs = plan([moving, still], output=tmp_path / "out")
    assert [pair.destination.name for pair in pairs] == ["moving.png", "still.png"]
    with pytest.raises(UnsupportedError, match="is animated"):
        read_photo(moving)


def _deep(values: list[int], colour: int, channels: int) -> bytes:
    """An animated PNG of 16 bits, which Pillow does not write."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        crc = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + crc

    parts = [chunk(b"IHDR", struct.pack(">IIBBBBB", 9, 8, 16, colour, 0, 0, 0))]
    parts.append(chunk(b"acTL", struct.pack(">II", len(values), 2)))
    for number, value in enumerate(values):
        count = max(2 * number - 1, 0)
        parts.append(chunk(b"fcTL", struct.pack(">IIIIIHHBB", count, 9, 8, 0, 0, 1, 10, 0, 0)))
        packed = zlib.compress((b"\0" + struct.pack(">H", value) * 9 * channels) * 8)
        count = struct.pack(">I", count + 1)
        parts.append(chunk(b"fdAT", count + packed) if number else chunk(b"IDAT", packed))
    return b"\x89PNG\r\n\x1a\n" + b"".join([*parts, chunk(b"IEND", b"")])


@pytest.mark.parametrize(("colour", "channels"), [(0, 1), (2, 3), (4, 2), (6, 4)])
def test_frames_of_16_bits(tmp_path: Path, colour: int, channels: int) -> None:
    path = tmp_path / "deep.png"
    path.write_bytes(_deep([1000, 30000, 65535], colour, channels))
    found = list(read_animation(path))
    assert [int(frame.photo.pixels[0, 0, 1]) for frame in found] == [3, 117, 255]
    assert [frame.seconds for frame in found] == [0.1] * 3
    assert {frame.plays for frame in found} == {2}


def test_metadata_stay(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010F] = "Canon"
    info = PngInfo()
    info.add_text("Title", "Pier")
    info.add_text("prompt", "{}", zip=True)
    packet = '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/'
    packet += '22-rdf-syntax-ns#"><rdf:Description xmlns:my="http://my/" my:label="Kai"/></rdf:RDF>'
    info.add_itxt("XML:com.adobe.xmp", packet + "</x:xmpmeta>")
    source = write(tmp_path / "a.png", exif=exif, pnginfo=info)
    for suffix in (".png", ".webp"):
        copy = copied(source, tmp_path / f"copy{suffix}")
        with Image.open(copy) as image:
            assert image.n_frames > 1
            assert image.getexif()[0x010F] == "Canon"
            said = str(image.info)
        assert "Kai" in said
        assert "Pier" in said  # WebP has it in its XMP
        assert ("prompt" in said) == (suffix == ".png")
    with Image.open(
        copied(write(tmp_path / "b.gif", comment=b"At night"), tmp_path / "c.gif")
    ) as gif:
        assert gif.info["comment"] == b"At night"


def copied(source: Path, destination: Path) -> Path:
    animation = Animation(destination)
    for frame in read_animation(source):
        animation.add(frame.photo, frame.seconds, plays=frame.plays)
    animation.close()
    return destination
