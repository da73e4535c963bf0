"""`--strip`, with and without its word, for photos, videos and standard input."""

from __future__ import annotations

import io
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from click.testing import Result
from PIL import Image, PngImagePlugin

from undark.pixels.steps import Step, format_steps
from video_files import scene, write_video

Undark = Callable[..., Result]


def exif() -> Image.Exif:
    block = Image.Exif()
    block[0x010F] = "Canon"
    block.get_ifd(0x8825).update({1: "N", 2: (52.0, 30.0, 0.0)})
    return block


def night(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    info = PngImagePlugin.PngInfo()
    info.add_text("Title", "Pier")
    picture = Image.fromarray(np.full((20, 30, 3), 12, np.uint8))
    picture.save(path, exif=exif(), pnginfo=info, dpi=(300, 300))
    return path


def found(data: Path | bytes) -> tuple[str | None, bool, bool]:
    """The make, whether there is a place, whether there is a title."""
    with Image.open(io.BytesIO(data) if isinstance(data, bytes) else data) as image:
        image.load()
        block = image.getexif()
        return block.get(0x010F), 0x8825 in block, "Title" in image.info


KEPT = ("Canon", True, True)
NO_PLACE = ("Canon", False, True)
NOTHING = (None, False, False)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], KEPT),
        (["--strip"], NOTHING),
        (["--strip", "all"], NOTHING),
        (["--strip=all"], NOTHING),
        (["--strip", "gps"], NO_PLACE),
        (["--strip=gps"], NO_PLACE),
    ],
)
def test_photos(
    undark: Undark,
    tmp_path: Path,
    gain_model: Path,
    words: list[str],
    expected: tuple[str | None, bool, bool],
) -> None:
    source = night(tmp_path / "night.png")
    rest = [source, "-m", gain_model]
    for arguments in (words + rest, rest + words):
        done = undark("enhance", *arguments, "--overwrite")
        assert done.exit_code == 0, done.stderr
        assert found(tmp_path / "night.undark.png") == expected
        assert found(source) == KEPT


def test_another_word_is_refused(undark: Undark, tmp_path: Path, gain_model: Path) -> None:
    source = night(tmp_path / "night.png")
    done = undark("enhance", source, "-m", gain_model, "--strip=place")
    assert done.exit_code == 2
    assert "all or gps" in done.stderr
    assert "--strip" in done.stderr


def test_standard_input(undark: Undark, tmp_path: Path, gain_model: Path) -> None:
    data = night(tmp_path / "night.png").read_bytes()
    for words, expected in ((["--strip"], NOTHING), (["--strip", "gps"], NO_PLACE)):
        done = undark("enhance", "-", "-m", gain_model, *words, stdin=data)
        assert done.exit_code == 0, done.stderr
        assert found(done.stdout_bytes) == expected


def test_apply_too(undark: Undark, tmp_path: Path) -> None:
    source = night(tmp_path / "night.png")
    steps = tmp_path / "night.steps.json"
    steps.write_text(format_steps((Step("exposure", 1.0),)))
    done = undark("apply", steps, source, "--strip", "gps")
    assert done.exit_code == 0, done.stderr
    assert found(tmp_path / "night.undark.png") == NO_PLACE


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        ([], {"title", "location"}),
        (["--strip", "gps"], {"title"}),
        (["--strip"], set()),
    ],
)
def test_videos(
    undark: Undark,
    tmp_path: Path,
    curve_model: Path,
    words: list[str],
    kept: set[str],
) -> None:
    tags = {"title": "Pier", "location": "+38.7-009.1/"}
    source = write_video(
        tmp_path / "clip.mp4",
        [scene()] * 3,
        before=lambda file, _: file.metadata.update(tags),
    )
    done = undark("enhance", source, "-m", curve_model, "--preset", "ultrafast", *words)
    assert done.exit_code == 0, done.stderr
    with av.open(str(tmp_path / "clip.undark.mp4")) as video:
        found_tags = set(video.metadata)
    assert {"title", "location"} & found_tags == kept


def test_a_stream_of_data_of_a_video_may_hold_the_place(
    undark: Undark, tmp_path: Path, curve_model: Path
) -> None:
    source = tmp_path / "flight.ts"
    with av.open(str(source), "w") as file:
        stream = file.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        way = file.add_data_stream("klv")
        for number in range(3):
            frame = av.VideoFrame.from_ndarray(scene(), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            file.mux(stream.encode(frame))
            packet = av.Packet(b"\x06\x0e+4 way")
            packet.stream, packet.time_base = way, Fraction(1, 90000)
            packet.pts = packet.dts = number * 3600
            file.mux(packet)
        file.mux(stream.encode(None))
    for words, told in ((["--strip", "gps"], True), ([], False)):
        done = undark("enhance", source, "-m", curve_model, "--overwrite", *words)
        assert done.exit_code == 0, done.stderr
        assert ("may hold the place" in done.stderr) == told
    with av.open(str(tmp_path / "flight.undark.mkv")) as video:
        assert [item.type for item in video.streams] == ["video"]


def test_what_goes_is_told_once(undark: Undark, tmp_path: Path, gain_model: Path) -> None:
    video = b"\0\0\0\x18ftypmp42\0\0\0\0isommp42" + b"\0\0\0\x08free" * 40
    camera = "http://ns.google.com/photos/1.0/camera/"
    packet = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
        'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description xmlns:GCamera="{camera}" GCamera:MicroVideo="1" '
        f'GCamera:MicroVideoOffset="{len(video)}"/></rdf:RDF></x:xmpmeta>'
    ).encode()
    source = tmp_path / "moving.jpg"
    Image.fromarray(np.full((20, 30, 3), 12, np.uint8)).save(source, xmp=packet)
    source.write_bytes(source.read_bytes() + video)
    for words, told in (
        (["--strip", "gps"], "its video is left out: it may tell the place too"),
        (["--strip", "--format", "bmp"], "its video is left out"),
    ):
        done = undark("enhance", source, "-m", gain_model, "--overwrite", *words)
        assert done.exit_code == 0, done.stderr
        assert done.stderr.count("left out") == 1
        assert told in done.stderr
