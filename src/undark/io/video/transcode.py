"""A video, frame by frame, to another video: all but its images stays as it was.

One thread reads and decodes, the caller's changes frames, a third encodes and writes; between them
are short queues, so memory does not grow with the video's length.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from queue import Empty, Full, Queue
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from undark.errors import OutputError
from undark.io.atomic import finish, not_written
from undark.io.video.animation import ANIMATIONS
from undark.io.video.canvas import Canvas
from undark.io.video.coding import Kind, check_coding, codec_for, is_planar, keeps_alpha
from undark.io.video.containers import keeps_turns, partial_path
from undark.io.video.feed import Feed
from undark.io.video.filters import is_turned
from undark.io.video.hdr import Hdr, left_out
from undark.io.video.libav import libav, open_video
from undark.io.video.options import Progress, Transcoding
from undark.io.video.pictures import open_animation, open_numbered
from undark.io.video.planes import Change
from undark.io.video.reader import VideoReader
from undark.io.video.sequence import is_sequence_name
from undark.io.video.writer import VideoWriter

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame

__all__ = ["transcode"]

_QUEUED: Final = 6
_WAIT: Final = 0.2


def transcode(
    source: Path | Feed,
    destination: Path,
    change: Change,
    options: Transcoding | None = None,
    *,
    pipe: BinaryIO | None = None,
    progress: Callable[[Progress], None] | None = None,
    notice: Callable[[str], None] | None = None,
) -> None:
    """Change every frame of a video.

    Sound, subtitles, attachments, chapters and tags are copied as they are, timestamps are kept,
    and so are rotation, colour tags, pixel shape and, where the codec can, depth. Damaged frames
    are passed over. Until it is whole the file is named as `partial_path` says.

    Args:
        source: A video, an animation, or a name such as ``frame%05d.png``.
        destination: Its suffix decides the container; missing folders are made.
        change: Done to each frame, in this thread.
        options: What else is to be done.
        pipe: Write there, as Matroska that needs no seeking, and no file; `destination` is then
            its name and ends in ``.mkv``.
        progress: Called after each frame. An exception that it raises stops the work: what is
            done is brought to a playable end under the partial name, and the exception goes on.
        notice: Called with a line for a person about what was left out or passed over.

    Raises:
        InputError: The video cannot be read, shows nothing, or is Dolby Vision with
            colours of its own.
        OutputError: The result could not be written; nothing is left of it.
        UsageError: The destination's kind cannot hold what is asked for.
        MissingExtraError: PyAV is not installed.
    """
    options = options or Transcoding()
    av = libav()
    notice = notice or _nobody
    check_coding(destination, options.coding)
    with _opened(source, options) as container:
        upright = not keeps_turns(destination)
        reader = VideoReader(container, source, options, upright=upright, sdr=options.sdr)
        first = reader.first_frame()
        for line in left_out(first, reader.dolby):
            notice(line)
        canvas, codec = _canvas(destination, first, options, reader.hdr, notice)
        part = partial_path(destination)
        try:
            if pipe is None:
                destination.parent.mkdir(parents=True, exist_ok=True)
            writer = VideoWriter(
                part,
                reader,
                first,
                codec=codec,
                canvas=canvas,
                options=options,
                notice=notice,
                pipe=pipe,
            )
        except OSError as error:
            raise not_written(destination, error) from error
        except av.error.FFmpegError as error:
            raise _refused(destination, error) from error
        try:
            _run(reader, writer, first, change, progress or _nobody)
        except _Stopped as stop:
            with contextlib.suppress(OSError):
                writer.close()
            raise stop.cause from None
        except BaseException as error:
            with contextlib.suppress(Exception):
                writer.close()
            if pipe is None:
                part.unlink(missing_ok=True)
            if isinstance(error, OSError):
                raise not_written(destination, error) from error
            if isinstance(error, av.error.FFmpegError):
                raise _refused(destination, error) from error
            raise
    if pipe is None:
        finish(part, destination)
    if reader.is_deinterlaced:
        notice("its frames were interlaced; each is made whole")
    for line in reader.damages():
        notice(line)


def _canvas(
    destination: Path,
    first: VideoFrame,
    options: Transcoding,
    hdr: Hdr | None,
    notice: Callable[[str], None],
) -> tuple[Canvas, str]:
    """What frames such as the first become, and the codec that they are written in."""
    if options.sdr:
        hdr = None
    fields = options.keep_interlaced and first.interlaced_frame
    kind = Kind.of(first, fields=fields, hdr=hdr is not None)
    codec = codec_for(destination, options.coding, kind)
    if kind.alpha and not keeps_alpha(destination, codec):
        kind = replace(kind, alpha=False)
        notice(
            f"its transparency is left out: {codec} in {destination.suffix} holds none;"
            " a .mov or .webm file can"
        )
    plain = options.coding.codec is None and not kind.alpha
    turned = is_turned(first) and keeps_turns(destination)
    canvas = Canvas(
        first, kind, codec, preview=options.preview, turned=turned, plain=plain, hdr=hdr
    )
    coarser = "420" in canvas.format and "420" not in kind.format
    if plain and coarser and kind.depth > 8 and is_planar(kind.format):
        notice("its colours become 4:2:0, which devices play; name a codec to keep them finer")
    return canvas, codec


def _opened(source: Path | Feed, options: Transcoding) -> InputContainer:
    if isinstance(source, Feed):
        return source.open()
    if is_sequence_name(source):
        return open_numbered(source, options.fps, gaps=options.gaps)
    if source.suffix.lower() in ANIMATIONS:
        return open_animation(source)
    return open_video(source)


def _refused(destination: Path, error: Any) -> OutputError:
    """What FFmpeg would not encode or put into the file, as a line."""
    return OutputError(f"{destination}: could not be written: {error.strerror or error}")


def _nobody(_: object) -> None:
    """Progress or notices that nobody asked for."""


class _Stopped(Exception):  # noqa: N818 - no error
    """The caller's progress function has stopped the work."""

    def __init__(self, cause: BaseException) -> None:
        super().__init__()
        self.cause = cause


class _EndedError(Exception):
    """The other side of a queue is gone."""


_END: Final = None


class _Channel:
    """A short queue that lets go of those who wait when the work ends."""

    def __init__(self, over: threading.Event) -> None:
        self._queue: Queue[Any] = Queue(_QUEUED)
        self._over = over

    def put(self, item: Any) -> None:
        while True:
            if self._over.is_set():
                raise _EndedError
            with contextlib.suppress(Full):
                self._queue.put(item, timeout=_WAIT)
                return

    def get(self) -> Any:
        while True:
            with contextlib.suppress(Empty):
                return self._queue.get(timeout=_WAIT)
            if self._over.is_set():
                raise _EndedError


def _run(
    reader: VideoReader,
    writer: VideoWriter,
    first: VideoFrame,
    change: Change,
    progress: Callable[[Progress], None],
) -> None:
    """Read in one thread, write in another, change frames in this one."""
    over = threading.Event()
    incoming, outgoing = _Channel(over), _Channel(over)
    errors: list[BaseException] = []

    def guarded(work: Callable[[_Channel], None], channel: _Channel) -> None:
        try:
            work(channel)
        except _EndedError:
            pass
        except BaseException as error:
            errors.append(error)
            over.set()

    threads = [
        threading.Thread(target=guarded, args=(reader.fill, incoming), daemon=True),
        threading.Thread(target=guarded, args=(writer.drain, outgoing), daemon=True),
    ]
    for thread in threads:
        thread.start()
    stopped: _Stopped | None = None
    frames = 0
    try:
        item: Any = first
        while item is not _END:
            if reader.is_frame(item):
                outgoing.put(writer.changed(item, change))
                frames += 1
                try:
                    progress(reader.progress(item, frames))
                except BaseException as cause:
                    raise _Stopped(cause) from cause
            else:
                outgoing.put(item)
            item = incoming.get()
        outgoing.put(_END)
        threads[1].join()
    except _EndedError:
        pass
    except _Stopped as stop:
        stopped = stop
        with contextlib.suppress(_EndedError):
            outgoing.put(_END)
            threads[1].join()
    finally:
        over.set()
        for thread in threads:
            thread.join()
    if errors:
        raise errors[0]
    if stopped is not None:
        raise stopped
