"""Live frames: a camera, a stream, or a video as it plays."""

from __future__ import annotations

import platform
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Final

from undark.errors import InputError, UnreadableError
from undark.io.video.feed import Feed, is_url
from undark.io.video.filters import Upright
from undark.io.video.hdr import hdr_of, shown_in_sdr
from undark.io.video.libav import libav, main_stream, open_video
from undark.io.video.network import PATIENCE
from undark.io.video.planes import Change, planes_of

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

__all__ = ["Live", "Shot", "enhanced"]

# What a camera is to FFmpeg, by system, and how it is named by its number.
_CAMERAS: Final = {
    "Linux": ("v4l2", "/dev/video{}"),
    "Darwin": ("avfoundation", "{}"),
    "Windows": ("dshow", "video={}"),
}
_LIMITED: Final = 1  # FFmpeg's number of the range from 16 to 235


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """The newest frame.

    Attributes:
        frame: As decoded.
        time: Its own, in seconds.
        taken: When it was there, on the monotonic clock.
        missed: Frames that came since the last one asked for, and were dropped.
    """

    frame: VideoFrame
    time: float
    taken: float
    missed: int


class Live:
    """A source of frames that are wanted now or not at all.

    A thread reads and decodes; the caller gets the newest frame, and those before it are dropped.
    A video file plays at its own speed, as a camera would; without `pace`, the reader waits until
    each frame is taken.

    Args:
        source: The number or name of a camera, a URL, or a video file.
        size: Width and height asked of a camera.
        fps: Frames a second asked of a camera.
        pace: Drop what comes late.

    Raises:
        InputError: It cannot be opened, or shows no video.
        MissingExtraError: PyAV is not installed.
    """

    def __init__(
        self,
        source: str,
        *,
        size: tuple[int, int] | None = None,
        fps: float | None = None,
        pace: bool = True,
    ) -> None:
        """Open the source and begin to read."""
        self._name = source
        self._container, self._is_file = _open(source, size, fps)
        self._pace = pace
        self._news = threading.Condition()
        self._shot: tuple[VideoFrame, float, float] | None = None
        self._missed = 0
        self._over = False
        self._error: BaseException | None = None
        self._closing = threading.Event()
        try:
            self._stream: VideoStream = main_stream(self._container, source)
        except BaseException:
            self._container.close()
            raise
        self._thread = threading.Thread(target=self._read, name="undark-live", daemon=True)
        self._thread.start()

    @property
    def rate(self) -> Fraction:
        """Frames a second, as the source says."""
        return self._stream.average_rate or self._stream.guessed_rate or Fraction(30)

    def shots(self) -> Iterator[Shot]:
        """The newest frame whenever the last is done with, until the source ends.

        Raises:
            InputError: The source has failed.
        """
        while True:
            with self._news:
                came = self._news.wait_for(lambda: self._shot or self._over, PATIENCE)
                if self._shot is None:
                    if not came:
                        raise UnreadableError(f"{self._name}: no frame for {PATIENCE:.0f} s")
                    if self._error is not None:
                        raise self._error
                    return
                frame, time, taken = self._shot
                missed, self._missed, self._shot = self._missed, 0, None
                self._news.notify_all()
            yield Shot(frame, time, taken, missed)

    def close(self) -> None:
        """Stop reading."""
        self._closing.set()
        with self._news:
            self._shot = None
            self._news.notify_all()
        self._thread.join(PATIENCE)
        if not self._thread.is_alive():
            self._container.close()

    def _read(self) -> None:
        av = libav()
        begin: float | None = None
        upright = Upright(self._stream.sample_aspect_ratio)
        tick = float(1 / self.rate)
        time = -tick
        try:
            for packet in self._container.demux(self._stream):
                try:
                    frames = packet.decode()
                except av.error.InvalidDataError:
                    continue
                for frame in map(upright, frames):
                    time = float(frame.time) if frame.pts is not None else time + tick
                    if self._is_file and self._pace:
                        begin = monotonic() - time if begin is None else begin
                        self._closing.wait(max(begin + time - monotonic(), 0.0))
                    if self._closing.is_set():
                        return
                    self._offer(frame, time)
        except av.error.FFmpegError as error:
            reason = error.strerror or str(error)
            self._error = UnreadableError(f"{self._name}: the stream broke off: {reason}")
            self._error.__cause__ = error
        except BaseException as error:
            self._error = error
        finally:
            with self._news:
                self._over = True
                self._news.notify_all()

    def _offer(self, frame: VideoFrame, time: float) -> None:
        with self._news:
            if not self._pace:
                self._news.wait_for(lambda: self._shot is None or self._closing.is_set())
            if self._shot is not None:
                self._missed += 1
            self._shot = (frame, time, monotonic())
            self._news.notify_all()


def _open(
    source: str, size: tuple[int, int] | None, fps: float | None
) -> tuple[InputContainer, bool]:
    """The source, and whether it is a file, which is read faster than it plays."""
    if is_url(source):
        return Feed(source).open(), False
    kind, place = _CAMERAS.get(platform.system(), _CAMERAS["Linux"])
    camera = place.format(source) if source.isdecimal() else source
    if not source.isdecimal() and Path(source).is_file():
        return open_video(Path(source)), True
    if not source.isdecimal() and kind == "v4l2" and not source.startswith("/dev/"):
        raise UnreadableError(f"{source}: cannot be read: there is no such file")
    options: dict[str, str] = {}
    if size is not None:
        options["video_size"] = f"{size[0]}x{size[1]}"
    if fps is not None:
        options["framerate"] = f"{fps:g}"
    try:
        return open_video(camera, format=kind, options=options), False
    except (InputError, ValueError) as error:
        raise UnreadableError(
            f"{source}: there is no such camera here ({kind} {camera}), or another program has it"
        ) from error


def enhanced(frame: VideoFrame, change: Change, time: float) -> VideoFrame:
    """A new frame, `frame` as `change` makes it, in 8-bit 4:2:0, which every program takes."""
    hdr = hdr_of(frame)
    if hdr is not None:
        frame = shown_in_sdr(frame, hdr)
    if frame.format.name != "yuv420p":
        frame = frame.reformat(format="yuv420p", dst_color_range=_LIMITED)
        frame.color_range = _LIMITED
    result: VideoFrame = libav().VideoFrame(frame.width, frame.height, "yuv420p")
    result.color_range, result.colorspace = frame.color_range, frame.colorspace
    change(planes_of(frame), planes_of(result), time=time)
    return result
