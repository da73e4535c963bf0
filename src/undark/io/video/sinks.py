"""Where live frames go: a window, a pipe, or a device that other programs take for a camera."""

from __future__ import annotations

import contextlib
import sys
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Protocol

from undark.errors import OutputError
from undark.io.atomic import not_written
from undark.io.video.libav import libav

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

__all__ = ["ClosedError", "Sink", "open_sink"]

# Names of FFmpeg's formats, and of the codecs that stand in them.
_PIPES: Final = {"y4m": ("yuv4mpegpipe", "wrapped_avframe"), "raw": ("rawvideo", "rawvideo")}


class Sink(Protocol):
    """Where frames are shown or written."""

    def show(self, frame: VideoFrame) -> None:
        """Show a frame, as `undark.io.video.camera.enhanced` gives it.

        Raises:
            ClosedError: The viewer has gone.
            OutputError: It cannot be shown.
        """
        ...

    def close(self) -> None:
        """Show nothing more."""
        ...


class ClosedError(Exception):
    """The window was closed, or the program at the pipe's other end has ended."""


def open_sink(target: str | None, form: str, rate: Fraction) -> Sink:
    """A window, a pipe, or a loopback device that other programs take for a camera.

    Args:
        target: None for a window, ``-`` for stdout, or the path of a v4l2loopback device.
        form: What stdout gets: ``y4m`` or ``raw`` (yuv420p, one frame after the other).
        rate: Frames a second, which a y4m stream states.

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
            f"{target}: is not a video device; give - for stdout, or a v4l2loopback device such as"
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
                "this Python has no Tk and so no window; install python3-tk, or write to a pipe",
                argument="target",
            ) from error
        try:
            self._root = tkinter.Tk()
        except tkinter.TclError as error:
            raise OutputError(
                "there is no display here; write to a pipe or a device", argument="target"
            ) from error
        self._root.title("undark live")
        self._label = tkinter.Label(self._root, borderwidth=0, background="black")
        self._label.pack(expand=True, fill="both")
        self._image: Any = None
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
        if self._image is None or (self._image.width(), self._image.height()) != image.size:
            self._image = ImageTk.PhotoImage(image)
            self._label.configure(image=self._image)
        else:
            self._image.paste(image)
        self._root.update()
        if not self._is_open:
            raise ClosedError

    def _fitting(self, width: int, height: int) -> tuple[int, int]:
        """No larger than the screen."""
        screen = (self._root.winfo_screenwidth(), self._root.winfo_screenheight())
        scale = min(1.0, 0.9 * screen[0] / width, 0.9 * screen[1] / height)
        return max(1, round(width * scale)), max(1, round(height * scale))

    def close(self) -> None:
        self._root.destroy()
