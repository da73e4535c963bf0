"""What a video's file holds beside its images: copied, converted and said so, never lost."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clip_files import kinds, told, with_cover, with_sound, with_two_videos
from undark.io.video.options import Transcoding
from undark.io.video.timecode import moved
from undark.io.video.transcode import transcode
from video_files import (
    QUICK,
    as_it_is,
    copied,
    grainy,
    packets,
    pictures,
    scene,
    times,
    write_video,
)


@pytest.mark.parametrize("codec", ["libx264", "prores_ks"])
@pytest.mark.parametrize("suffix", [".mov", ".mp4"])
def test_a_camera_s_timecode_stays(tmp_path: Path, suffix: str, codec: str) -> None:
    def stamp(_: Any, stream: Any) -> None:
        stream.metadata["timecode"] = "01:02:03:04"

    deep = codec == "prores_ks"
    source = write_video(
        tmp_path / "a.mov", grainy(scene(), 10), before=stamp, codec=codec, sound=True,
        pix_fmt="yuv422p10le" if deep else "yuv420p", options={},
    )  # fmt: skip
    assert "data" in kinds(source)
    target = tmp_path / f"b{suffix}"
    assert not [line for line in told(source, target) if "left out" in line]
    with av.open(str(target)) as clip:
        found = {stream.metadata.get("timecode") for stream in clip.streams}
    assert "01:02:03:04" in found
    assert packets(target, "audio") == packets(source, "audio")


@pytest.mark.parametrize(
    ("rate", "timecode", "begin", "found"),
    [
        (25, "01:02:03:04", 0.4, "01:02:03:14"),
        (25, "23:59:59:20", 0.4, "00:00:00:05"),
        (Fraction(30000, 1001), "00:00:59;25", 0.4, "00:01:00;09"),
        (Fraction(30000, 1001), "00:09:59;25", 0.4, "00:10:00;07"),
        (Fraction(30000, 1001), "00:00:59:25", 0.4, "00:01:00:07"),
    ],
)
@pytest.mark.parametrize("made", [None, "so"])
@pytest.mark.parametrize("suffix", [".mov", ".mp4", ".mkv"])
def test_the_timecode_of_a_part_is_of_its_first_frame(
    tmp_path: Path,
    suffix: str,
    made: str | None,
    *,
    rate: int | Fraction,
    timecode: str,
    begin: float,
    found: str,
) -> None:
    def stamp(_: Any, stream: Any) -> None:
        stream.metadata["timecode"] = timecode

    source = write_video(
        tmp_path / "a.mov", grainy(scene(), 20), before=stamp, options={},
        rate=rate, base=1 / Fraction(rate),
    )  # fmt: skip
    target = tmp_path / f"b{suffix}"
    transcode(source, target, as_it_is, Transcoding(QUICK, begin=begin), made=made)
    with av.open(str(target)) as clip:
        tags = {k.lower(): v for s in clip.streams for k, v in s.metadata.items()}
    assert tags["timecode"] == found


@given(
    count=st.integers(0, 2_589_407),
    more=st.integers(0, 3_000_000),
    rate=st.sampled_from([24, 25, Fraction(30000, 1001), 50, Fraction(60000, 1001)]),
)
def test_a_timecode_is_moved_by_frames_whatever_the_way(
    count: int, more: int, rate: Fraction
) -> None:
    mark = ";" if Fraction(rate).denominator > 1 else ":"
    zero = f"00:00:00{mark}00"
    here = moved(zero, count, Fraction(rate))
    assert moved(here, more, Fraction(rate)) == moved(zero, count + more, Fraction(rate))
    hours, minutes, seconds, frames = map(int, here.replace(";", ":").split(":"))
    assert hours < 24 and minutes < 60 and seconds < 60 and frames < round(rate)
    if mark == ";":
        # It keeps up with the day's clock, to the frames that are left out of a minute.
        shown = hours * 3600 + minutes * 60 + seconds + frames / round(rate)
        assert abs(shown - float(count / rate) % 86400) < 0.2
        assert not (seconds == 0 and frames < round(rate) // 15 and minutes % 10)


@pytest.mark.parametrize("text", ["", "noon", "1:2:3:4", "01:02:03"])
def test_what_is_no_timecode_stays(text: str) -> None:
    assert moved(text, 10, Fraction(25)) == text


@pytest.mark.parametrize(
    ("name", "codec", "rate"),
    [
        ("a.avi", "adpcm_ms", 48000),
        ("a.avi", "adpcm_ima_wav", 44100),
        ("a.wmv", "wmav2", 44100),
        ("a.mov", "pcm_mulaw", 8000),
        ("a.mov", "pcm_s24be", 48000),
        ("a.mov", "pcm_s16be", 48000),
        ("a.3gp", "libopencore_amrnb", 8000),
        ("a.mkv", "ac3", 48000),
    ],
)
def test_matroska_takes_all_sound_as_it_is(
    tmp_path: Path, name: str, codec: str, rate: int
) -> None:
    if codec not in av.codecs_available:
        pytest.skip(f"this PyAV writes no {codec}")
    source = with_sound(tmp_path / name, codec, rate=rate)
    target = tmp_path / "b.mkv"
    assert told(source, target) == []
    assert kinds(target)[-1] == kinds(source)[-1]
    before, after = packets(source, "audio"), packets(target, "audio")
    assert [data for _, data in after] == [data for _, data in before]
    # Matroska counts milliseconds.
    first = before[0][0], after[0][0]
    for (was, _), (now, _) in zip(before, after, strict=True):
        assert float(now - first[1]) == pytest.approx(float(was - first[0]), abs=1.1e-3)
    assert loudness(target) > 0.05


def ebml(data: bytes, begin: int, end: int) -> Iterator[tuple[int, int, int]]:
    """The elements of Matroska between two places: id, and where the content begins and ends."""
    while begin < end:
        width = 9 - data[begin].bit_length()
        name = int.from_bytes(data[begin : begin + width], "big")
        begin += width
        width = 9 - data[begin].bit_length()
        size = int.from_bytes(data[begin : begin + width], "big") & (1 << 7 * width) - 1
        begin += width
        last = end if size == (1 << 7 * width) - 1 else begin + size
        assert last <= end, f"element {name:x} at {begin} goes beyond the one that holds it"
        yield name, begin, last
        begin = last


SEGMENT, TRACKS, TRACK, SOUND, PRIVATE = 0x18538067, 0x1654AE6B, 0xAE, 0xE1, 0x63A2


@pytest.mark.parametrize("piped", [False, True])
@pytest.mark.parametrize(
    ("rate", "layout", "private"),
    [(48000, "stereo", b"\x11\x90"), (44100, "mono", b"\x12\x08"), (48000, "5.1", b"\x11\xb0")],
)
def test_aac_of_a_broadcast_in_matroska(
    tmp_path: Path, rate: int, layout: str, private: bytes, *, piped: bool
) -> None:
    source = with_sound(tmp_path / "a.ts", "aac", rate=rate, layout=layout)
    target = tmp_path / "b.mkv"
    if piped:
        with target.open("wb") as file:
            transcode(source, target, as_it_is, Transcoding(QUICK), pipe=file)
    else:
        assert told(source, target) == []
    data = target.read_bytes()
    found: list[bytes] = []
    for name, begin, end in ebml(data, 0, len(data)):
        for part, start, stop in ebml(data, begin, end) if name == SEGMENT else ():
            if part != TRACKS:
                continue
            for kind, *track in ebml(data, start, stop):
                if kind != TRACK:
                    continue
                content = {name: data[a:b] for name, a, b in ebml(data, *track)}
                if SOUND in content:
                    found.append(content[PRIVATE])
                    list(ebml(content[SOUND], 0, len(content[SOUND])))
    assert found == [private]
    before, after = packets(source, "audio"), packets(target, "audio")
    assert [bytes(data) for _, data in after] == [bytes(data)[7:] for _, data in before]
    assert loudness(target) > 0.05


def loudness(path: Path) -> float:
    """Of a file's sound, decoded: the mean absolute sample."""
    with av.open(str(path)) as clip:
        to_floats = av.AudioResampler(format="flt", layout="mono")
        found = [
            sound.to_ndarray()
            for frame in clip.decode(audio=0)
            for sound in to_floats.resample(frame)
        ]
    return float(np.abs(np.concatenate(found, axis=1)).mean())


def sound_seconds(path: Path) -> float:
    with av.open(str(path)) as clip:
        stream = clip.streams.audio[0]
        ends = [
            (item.pts + item.duration) * item.time_base for item in clip.demux(stream) if item.size
        ]
        return float(max(ends))


@pytest.mark.parametrize("codec", ["adpcm_ms", "adpcm_ima_wav"])
def test_avi_keeps_the_whole_of_adpcm(tmp_path: Path, codec: str) -> None:
    source = with_sound(tmp_path / "a.avi", codec)
    target = tmp_path / "b.avi"
    assert told(source, target) == []
    assert [data for _, data in packets(target, "audio")] == [
        data for _, data in packets(source, "audio")
    ]
    assert sound_seconds(target) == pytest.approx(sound_seconds(source), abs=2e-3)


@pytest.mark.parametrize(
    ("name", "sound", "target", "becomes"),
    [
        ("a.mkv", ("aac", "mono"), "b.webm", "opus"),
        ("a.mkv", ("ac3", "5.1"), "b.webm", "opus"),
        ("a.mkv", ("pcm_s16le", "stereo"), "b.webm", "opus"),
        ("a.wmv", ("wmav2", "stereo"), "b.mp4", "aac"),
        ("a.avi", ("adpcm_ms", "mono"), "b.mp4", "aac"),
        ("a.mkv", ("libopus", "mono"), "b.avi", "mp3"),
    ],
)
def test_sound_that_cannot_be_copied_is_converted(
    tmp_path: Path, name: str, sound: tuple[str, str], target: str, becomes: str
) -> None:
    source = with_sound(tmp_path / name, sound[0], layout=sound[1])
    (line,) = told(source, tmp_path / target, coding=_coding(target))
    assert "its audio stream 1" in line
    assert "becomes" in line
    assert kinds(tmp_path / target)[1] == f"audio {becomes}"
    assert loudness(tmp_path / target) == pytest.approx(loudness(source), rel=0.15)
    assert onset(tmp_path / target) == pytest.approx(onset(source), abs=0.06)


def _coding(name: str) -> Any:
    from undark.io.video.coding import Coding

    return Coding(preset="8") if name.endswith(".webm") else Coding(preset="ultrafast")


def onset(path: Path) -> float:
    """When sound is first heard after the first image, in seconds."""
    with av.open(str(path)) as clip:
        frame = next(clip.decode(video=0))
        # FFmpeg guesses that H.264 in AVI is a frame late.
        shown = frame.time if path.suffix != ".avi" else float(frame.dts * frame.time_base)
    with av.open(str(path)) as clip:
        heard = (frame.time for frame in clip.decode(audio=0))
        return min(at for at in heard if at is not None) - shown


SUBTITLES = """1
00:00:00,100 --> 00:00:00,400
It is <i>dark</i>.

2
00:00:00,500 --> 00:00:00,900
Now it is not.
"""


def subtitled(path: Path, codec: str) -> Path:
    plain = write_video(path.with_name("plain.mkv"), grainy(scene(), 25), sound=True)
    text = path.with_name("s.srt")
    text.write_text(SUBTITLES, encoding="utf-8")
    with av.open(str(plain)) as clip, av.open(str(text)) as lines, av.open(str(path), "w") as file:
        copies = [file.add_stream_from_template(item, opaque=True) for item in clip.streams]
        from undark.io.video.convert import _Text  # the tests' only way to write mov_text

        if codec == "subrip":
            copy: Any = file.add_stream_from_template(lines.streams.subtitles[0], opaque=True)
        else:
            way = _Text(lines.streams.subtitles[0], file)
            copy = way.stream
        copy.metadata["language"] = "dan"
        for packet in lines.demux():
            if packet.dts is not None:
                made = [packet] if codec == "subrip" else way.convert(packet)
                for item in made:
                    item.stream = copy
                    file.mux(item)
        for packet in clip.demux():
            if packet.dts is not None:
                packet.stream = copies[packet.stream_index]
                file.mux(packet)
    return path


@pytest.mark.parametrize(
    ("name", "codec", "target", "becomes"),
    [
        ("a.mkv", "subrip", "b.mp4", "mov_text"),
        ("a.mkv", "subrip", "b.mov", "mov_text"),
        ("a.mkv", "subrip", "b.webm", "webvtt"),
        ("a.mp4", "mov_text", "b.mkv", "subrip"),
        ("a.mp4", "mov_text", "b.webm", "webvtt"),
    ],
)
def test_subtitles_are_converted_for_the_new_container(
    tmp_path: Path, name: str, codec: str, target: str, becomes: str
) -> None:
    source = subtitled(tmp_path / name, codec)
    notices = told(source, tmp_path / target, coding=_coding(target))
    assert [line for line in notices if "subtitle stream 2" in line and "becomes" in line]
    assert f"subtitle {becomes}" in kinds(tmp_path / target)
    with av.open(str(tmp_path / target)) as clip:
        stream = clip.streams.subtitles[0]
        assert stream.metadata["language"] == "dan"
        found = [
            (float(item.pts * item.time_base), float(item.duration * item.time_base), text)
            for item in clip.demux(stream)
            for text in [_text(item)]
            if text
        ]
    origin = times(tmp_path / target)[0] - times(source)[0]
    wanted = [(0.1, 0.3, "It is dark."), (0.5, 0.4, "Now it is not.")]
    for (at, length, text), (when, how_long, said) in zip(found, wanted, strict=True):
        assert at - origin == pytest.approx(when, abs=2e-3)
        assert length == pytest.approx(how_long, abs=2e-3)
        assert text == said


def _text(packet: Any) -> str:
    import re

    shown = packet.decode() if packet.size else []
    return re.sub(r"\{.*?\}|<.*?>", "", shown[0].dialogue.decode()).strip() if shown else ""


@pytest.mark.parametrize("source", [".mp4", ".mkv"])
@pytest.mark.parametrize("target", [".mp4", ".m4v", ".mkv"])
def test_a_cover_stays_a_cover(tmp_path: Path, source: str, target: str) -> None:
    path = with_cover(tmp_path / f"a{source}")
    assert told(path, tmp_path / f"b{target}") == []
    with av.open(str(tmp_path / f"b{target}")) as clip:
        (cover,) = clip.streams.video[1:]
        assert cover.disposition & av.stream.Disposition.attached_pic
        assert next(clip.decode(cover)).to_ndarray(format="rgb24").mean() > 60
    assert len(pictures(tmp_path / f"b{target}")) == 10


@pytest.mark.parametrize("target", ["b.webm", "b.avi", "b.mov"])
def test_a_cover_that_finds_no_place_is_a_notice(tmp_path: Path, target: str) -> None:
    notices = told(with_cover(tmp_path / "a.mp4"), tmp_path / target, coding=_coding(target))
    assert [line for line in notices if "cover image is left out" in line]
    assert [kind for kind in kinds(tmp_path / target) if kind.startswith("video")] == [
        f"video {'vp9' if target == 'b.webm' else 'h264'}"
    ]


def test_a_second_video_that_stays_dark_is_a_notice(tmp_path: Path) -> None:
    source = with_two_videos(tmp_path / "a.mp4")
    (line,) = told(source, tmp_path / "b.mp4")
    assert "video stream 1 is copied as it is, still dark" in line
    assert kinds(tmp_path / "b.mp4") == ["video h264", "video h264"]


def test_how_long_the_last_image_is_shown_stays(tmp_path: Path) -> None:
    def long(file: Any, stream: Any) -> None:
        stream.codec_context.flags |= av.codec.context.Flags.frame_duration.value

    source = write_video(tmp_path / "plain.mp4", grainy(scene(), 3), rate=1)
    with av.open(str(source)) as clip, av.open(str(tmp_path / "a.mp4"), "w") as file:
        copy = file.add_stream_from_template(clip.streams.video[0], opaque=True)
        waiting = [packet for packet in clip.demux() if packet.dts is not None]
        for packet in waiting:
            packet.stream = copy
            packet.duration *= 10 if packet is waiting[-1] else 1
            file.mux(packet)
    with av.open(str(tmp_path / "a.mp4")) as clip:
        length = clip.duration
        assert length > 10_000_000
    for name in ("b.mp4", "b.mov", "b.mkv"):
        with av.open(str(copied(tmp_path / "a.mp4", tmp_path / name))) as clip:
            assert clip.duration == pytest.approx(length, abs=2000), name
