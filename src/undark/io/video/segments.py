"""A video in the making, as segments that are whole: what a stopped run goes on from.

Each segment is encoded by itself, so that it begins with a key frame and needs nothing of another,
and is closed before the next begins. A folder beside the result holds them, and a list of those
that are whole. The folder is locked by the run that works in it, and its name says how the video
is made, so that nothing is joined that does not belong together.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from fractions import Fraction
from itertools import count
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from undark.io.atomic import lock, write_atomically
from undark.io.video.encoding import Encoding
from undark.io.video.libav import libav
from undark.io.video.scheduling import start_encoding
from undark.io.video.writer import Source

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.frame import VideoFrame

__all__ = ["SegmentWriter", "Work"]

_FOLDER: Final = ".undark-work"
_LIST: Final = "whole.json"
# Seconds of video, and of work, after which a segment is closed.
_LENGTH: Final = Fraction(10)
_PATIENCE: Final = 60.0
# What makes H.264 and HEVC, as MP4 holds them, what an encoder gives.
_AS_ENCODED: Final = {"h264": "h264_mp4toannexb", "hevc": "hevc_mp4toannexb"}


@dataclass(frozen=True, slots=True)
class _Segment:
    """One that is whole: its file, the timestamps of its first and last frame, and how many."""

    name: str
    first: int
    last: int
    frames: int


class Work:
    """The folder of a video in the making, locked until it is closed.

    Args:
        destination: Of the video.
        key: Says how it is made; only what was made so is gone on with.

    Raises:
        OSError: It cannot be made.
    """

    def __init__(self, destination: Path, key: str) -> None:
        """Find what a stopped run left, or begin."""
        start = f".{destination.name[:50]}."
        for number in count():
            end = _FOLDER if number == 0 else f"-{number}{_FOLDER}"
            self.path: Path = destination.with_name(f"{start}{key}{end}")
            held = _held(self.path)
            if held is not None:
                self._lock = held
                break
        self.segments: list[_Segment] = []
        with suppress(OSError, ValueError, TypeError, KeyError):
            listed = json.loads((self.path / _LIST).read_text(encoding="utf-8"))
            found = [_Segment(**item) for item in listed]
            if all((self.path / item.name).is_file() for item in found):
                self.segments = found
        known = {_LIST, "lock", *(item.name for item in self.segments)}
        for path in self.path.iterdir():
            if path.name not in known:
                path.unlink()
        # What was begun otherwise will not be gone on with.
        for path in destination.parent.glob(f"{_escaped(start)}*{_FOLDER}"):
            other = _held(path, make=False) if path != self.path else None
            if other is not None:
                _remove(path, other)

    @property
    def frames(self) -> int:
        """How many are whole."""
        return sum(item.frames for item in self.segments)

    @property
    def last(self) -> int | None:
        """Timestamp of the last frame that is whole."""
        return self.segments[-1].last if self.segments else None

    def add(self, segment: _Segment) -> None:
        """Count a segment among those that are whole."""
        self.segments.append(segment)
        listed = json.dumps([asdict(item) for item in self.segments])
        write_atomically(self.path / _LIST, listed.encode())

    def packets(self, encoding: Encoding) -> Iterator[Packet[Any]]:
        """The packets of all segments, one after the other, as an encoder would have given them."""
        av: Any = libav()
        last: int | None = None
        name = _AS_ENCODED.get(encoding.codec)
        for segment in self.segments:
            with av.open(str(self.path / segment.name)) as file:
                stream = file.streams.video[0]
                scale = stream.time_base / encoding.base
                into = av.bitstream.BitStreamFilterContext(name, stream) if name else None
                start: int | None = None
                for packet in file.demux(stream):
                    if not packet.size:
                        continue
                    for item in into.filter(packet) if into else [packet]:
                        # A segment's first packet is its first frame.
                        start = round(item.pts * scale) if start is None else start
                        item.pts = round(item.pts * scale) - start + segment.first
                        item.dts = round(item.dts * scale) - start + segment.first
                        item.duration = round((item.duration or 0) * scale)
                        if last is not None and item.dts <= last:
                            item.dts = last + 1
                        last = item.dts
                        item.time_base = encoding.base
                        yield item

    def close(self, *, keep: bool) -> None:
        """Let go of the folder, and remove it unless it is to be gone on with."""
        if keep:
            self._lock.close()
        else:
            _remove(self.path, self._lock)


class SegmentWriter:
    """Encodes changed frames into segments.

    Args:
        work: Where.
        encoding: What is encoded.
    """

    def __init__(self, work: Work, encoding: Encoding) -> None:
        """Wait for a frame."""
        self._av = libav()
        self._work, self._encoding = work, encoding
        if encoding.is_for_matroska:
            self._form = "matroska"
        else:
            self._form = "mov" if encoding.codec == "prores" else "mp4"
        self._file: Any = None

    def drain(self, channel: Source) -> None:
        """Write the frames that come through `channel` until None, then close the last segment."""
        item = channel.get()
        try:
            while item is not None:
                if isinstance(item, self._av.VideoFrame):
                    self._write(item)
                item = channel.get()
            self._finish()
        finally:
            if self._file is not None:
                with suppress(Exception):
                    self._file.close()

    def _write(self, frame: VideoFrame) -> None:
        stamp = frame.pts or 0
        if self._file is not None:
            long = (stamp - self._first) * self._encoding.base >= _LENGTH
            if long or monotonic() - self._begun > _PATIENCE:
                self._finish()
        if self._file is None:
            self._name = f"{len(self._work.segments):06}.{self._form}"
            place = str(self._work.path / f"{self._name}.part")
            self._file = self._av.open(place, "w", format=self._form)
            self._stream = self._encoding.add_to(self._file)
            start_encoding(self._file)
            self._first, self._frames, self._begun = stamp, 0, monotonic()
        frame.pts = stamp - self._first
        self._last = stamp
        self._frames += 1
        self._file.mux(self._stream.encode(frame))

    def _finish(self) -> None:
        """Close the segment: from here on it is whole."""
        if self._file is None:
            return
        file, self._file = self._file, None
        try:
            file.mux(self._stream.encode(None))
        finally:
            file.close()
        path = self._work.path / self._name
        path.with_name(f"{self._name}.part").replace(path)
        self._work.add(_Segment(self._name, self._first, self._last, self._frames))


def _held(path: Path, *, make: bool = True) -> BinaryIO | None:
    """The lock of a folder; None where another run works in it, or it is not there."""
    try:
        if make:
            path.mkdir(parents=True, exist_ok=True)
        file = (path / "lock").open("a+b")
    except FileNotFoundError:
        return None
    try:
        lock(file)
    except OSError:
        file.close()
        return None
    # Its last run may have removed it meanwhile.
    if not (path / "lock").exists():
        file.close()
        return _held(path, make=make)
    return file


def _remove(path: Path, held: BinaryIO) -> None:
    """Remove a folder while it is locked, so that no other run takes it for its own."""
    shutil.rmtree(path, ignore_errors=True)
    held.close()
    if os.name == "nt":  # which removes no file that is open
        shutil.rmtree(path, ignore_errors=True)


def _escaped(name: str) -> str:
    """A name of which a glob takes no letter for a pattern."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)
