"""Live pictures: a camera, a stream or a film as it plays, and where to show it."""

from __future__ import annotations

import contextlib
import platform
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Protocol

from undark.errors import InputError, OutputError, UnreadableError
from undark.io.atomic import not_written
from undark.io.containers import libav, main_picture, open_film
from undark.io.film_writer import Change
from undark.io.planes import planes_of

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

__all__ = ["ClosedError", "Live", "Screen", "Shot", "enhanced", "open_screen"]

# What a camera is to FFmpeg, by system, and how it is named by its number.
_CAMERAS: Final = {
    "Linux": ("v4l2", "/dev/video{}"),
    "Darwin": ("avfoundation", "{}"),
    "Windows": ("dshow", "video={}"),
}
# Seconds without a frame after which a stream is given up.
_PATIENCE: Final = 10.0
_STREAM_OPTIONS: Final = {
    "rtsp_transport": "tcp",
    "rw_timeout": str(int(_PATIENCE * 1e6)),
}


_LIMITED: Final = 1  # FFmpeg's number of the range from 16 to 235
# Names of FFmpeg's formats, and of the codecs that stand in them.
_PIPES: Final = {"y4m": ("yuv4mpegpipe", "wrapped_avframe"), "raw": ("rawvideo", "rawvideo")}


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

    A thread reads and decodes; who asks gets the newest frame, and those before it are dropped. A
    film plays at its own speed, as a camera would; without `pace`, each of its frames is waited
    for.

    Args:
        source: The number or name of a camera, a URL, or a film.
        size: Width and height asked of a camera.
        fps: Frames a second asked of a camera.
        pace: Drop what comes late.

    Raises:
        InputError: It cannot be opened, or shows no picture.
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
        self._film, self._is_file = _open(source, size, fps)
        self._pace = pace
        self._news = threading.Condition()
        self._shot: tuple[VideoFrame, float, float] | None = None
        self._missed = 0
        self._over = False
        self._error: BaseException | None = None
        self._closing = threading.Event()
        try:
            self._picture: VideoStream = main_picture(self._film, source)
        except BaseException:
            self._film.close()
            raise
        self._thread = threading.Thread(target=self._read, name="undark-live", daemon=True)
        self._thread.start()

    @property
    def rate(self) -> Fraction:
        """Frames a second, as the source tells."""
        return self._picture.average_rate or self._picture.guessed_rate or Fraction(30)

    def shots(self) -> Iterator[Shot]:
        """The newest frame whenever the last is done with, until the source ends.

        Raises:
            InputError: The source has failed.
        """
        while True:
            with self._news:
                came = self._news.wait_for(lambda: self._shot or self._over, _PATIENCE)
                if self._shot is None:
                    if not came:
                        raise UnreadableError(f"{self._name}: no picture for {_PATIENCE:.0f} s")
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
        self._thread.join(_PATIENCE)
        if not self._thread.is_alive():
            self._film.close()

    def _read(self) -> None:
        av = libav()
        begin: float | None = None
        tick = float(1 / self.rate)
        time = -tick
        try:
            for packet in self._film.demux(self._picture):
                try:
                    frames = packet.decode()
                except av.error.InvalidDataError:
                    continue
                for frame in frames:
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
    if "://" in source:
        return open_film(source, options=_STREAM_OPTIONS, timeout=_PATIENCE), False
    kind, place = _CAMERAS.get(platform.system(), _CAMERAS["Linux"])
    camera = place.format(source) if source.isdecimal() else source
    if not source.isdecimal() and Path(source).is_file():
        return open_film(Path(source)), True
    if not source.isdecimal() and kind == "v4l2" and not source.startswith("/dev/"):
        raise UnreadableError(f"{source}: cannot be read: there is no such file")
    options: dict[str, str] = {}
    if size is not None:
        options["video_size"] = f"{size[0]}x{size[1]}"
    if fps is not None:
        options["framerate"] = f"{fps:g}"
    try:
        return open_film(camera, format=kind, options=options), False
    except (InputError, ValueError) as error:
        raise UnreadableError(
            f"{source}: there is no such camera here ({kind} {camera}), or another program has it"
        ) from error


def enhanced(frame: VideoFrame, change: Change, time: float) -> VideoFrame:
    """A new frame, `frame` as `change` makes it, in 8-bit 4:2:0, which every program takes."""
    if frame.format.name != "yuv420p":
        frame = frame.reformat(format="yuv420p", dst_color_range=_LIMITED)
        frame.color_range = _LIMITED
    result: VideoFrame = libav().VideoFrame(frame.width, frame.height, "yuv420p")
    result.color_range, result.colorspace = frame.color_range, frame.colorspace
    change(planes_of(frame), planes_of(result), time=time)
    return result


class Screen(Protocol):
    """Where frames are shown or written."""

    def show(self, frame: VideoFrame) -> None:
        """Show a frame, as `enhanced` gives it.

        Raises:
            ClosedError: Whoever looked looks no more.
            OutputError: It cannot be shown.
        """
        ...

    def close(self) -> None:
        """Show nothing more."""
        ...


class ClosedError(Exception):
    """The window was closed, or the program at the pipe's other end has ended."""


def open_screen(target: str | None, form: str, rate: Fraction) -> Screen:
    """A window, a pipe, or a loopback device that other programs take for a camera.

    Args:
        target: None for a window, ``-`` for stdout, or the path of a v4l2loopback device.
        form: What stdout gets: ``y4m`` or ``raw`` (yuv420p, one frame after the other).
        rate: Frames a second, which a y4m stream tells.

    Raises:
        OutputError: There is no such place.
        MissingExtraError: PyAV is not installed.
    """
    if target is None:
        return _Window()
    if target == "-":
        format, codec = _PIPES[form]
        return _Pipe(sys.stdout.buffer, format, codec, rate, name="stdout")
    device = Path(target)
    if not device.is_char_device():
        raise OutputError(
            f"{target}: is no video device; give - for stdout, or a v4l2loopback device such as"
            " /dev/video10"
        )
    return _Pipe(target, "v4l2", "rawvideo", rate, name=target)


class _Pipe:
    """Frames for other programs, through one of FFmpeg's raw formats."""

    def __init__(
        self, place: BinaryIO | str, format: str, codec: str, rate: Fraction, *, name: str
    ) -> None:
        self._place, self._format, self._codec = place, format, codec
        self._rate = rate
        self._name = name
        self._file: Any = None
        self._count = 0

    def show(self, frame: VideoFrame) -> None:
        av = libav()
        try:
            if self._file is None:
                self._file = av.open(self._place, "w", format=self._format)
                self._stream = self._file.add_stream(self._codec, rate=self._rate)
                self._stream.width, self._stream.height = frame.width, frame.height
                self._stream.pix_fmt = "yuv420p"
            if (frame.width, frame.height) != (self._stream.width, self._stream.height):
                frame = frame.reformat(self._stream.width, self._stream.height)
            frame.pts, frame.time_base = self._count, 1 / self._rate
            self._count += 1
            self._file.mux(self._stream.encode(frame))
            if not isinstance(self._place, str):
                self._place.flush()
        except BrokenPipeError as error:
            self._file = None
            raise ClosedError from error
        except OSError as error:
            raise not_written(Path(self._name), error) from error
        except av.error.FFmpegError as error:
            raise OutputError(f"{self._name}: cannot be written: {error.strerror}") from error

    def close(self) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.mux(self._stream.encode(None))
                self._file.close()


class _Window:
    """A window of Tk, which comes with Python; OpenCV's headless build has none."""

    def __init__(self) -> None:
        try:
            import tkinter
        except ImportError as error:
            raise OutputError(
                "this Python has no Tk and so no window; install python3-tk, or write to a pipe:"
                " -o - | ffplay -"
            ) from error
        try:
            self._root = tkinter.Tk()
        except tkinter.TclError as error:
            raise OutputError(
                "there is no display here; write to a pipe or device with -o, for instance"
                " -o - | ffplay -"
            ) from error
        self._root.title("undark live")
        self._label = tkinter.Label(self._root, borderwidth=0, background="black")
        self._label.pack(expand=True, fill="both")
        self._picture: Any = None
        self._is_open = True
        self._root.protocol("WM_DELETE_WINDOW", self._leave)
        for key in ("<Escape>", "q"):
            self._root.bind(key, self._leave)

    def _leave(self, _: object = None) -> None:
        self._is_open = False

    def show(self, frame: VideoFrame) -> None:
        from PIL import Image, ImageTk

        width, height = self._fitting(frame.width, frame.height)
        pixels = frame.reformat(width, height, "rgb24").to_ndarray()
        image = Image.fromarray(pixels)
        if self._picture is None or (self._picture.width(), self._picture.height()) != image.size:
            self._picture = ImageTk.PhotoImage(image)
            self._label.configure(image=self._picture)
        else:
            self._picture.paste(image)
        self._root.update()
        if not self._is_open:
            raise ClosedError

    def _fitting(self, width: int, height: int) -> tuple[int, int]:
        """No larger than the screen."""
        screen = (self._root.winfo_screenwidth(), self._root.winfo_screenheight())
        share = min(1.0, 0.9 * screen[0] / width, 0.9 * screen[1] / height)
        return max(1, round(width * share)), max(1, round(height * share))

    def close(self) -> None:
        self._root.destroy()
