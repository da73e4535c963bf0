"""A video, frame by frame, to another video: all but its images stays as it was."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Generator
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from undark.errors import InputError, OutputError, UnreadableError
from undark.io.atomic import finish, not_written, open_part
from undark.io.video import network
from undark.io.video.animation import ANIMATIONS
from undark.io.video.canvas import Canvas
from undark.io.video.coding import (
    CODECS,
    Kind,
    check_bits,
    check_coding,
    codec_for,
    is_planar,
    keeps_alpha,
)
from undark.io.video.containers import keeps_turns, partial_path
from undark.io.video.damage import clock
from undark.io.video.encoding import Encoding
from undark.io.video.feed import Feed
from undark.io.video.filters import is_turned
from undark.io.video.hardware import Hardware, find_hardware
from undark.io.video.hdr import Hdr, left_out
from undark.io.video.libav import libav, open_video
from undark.io.video.options import Progress, Transcoding
from undark.io.video.pictures import open_animation, open_numbered
from undark.io.video.pipeline import StoppedError, run
from undark.io.video.planes import Change
from undark.io.video.reader import VideoReader
from undark.io.video.segments import SegmentWriter, Work
from undark.io.video.sequence import is_sequence_name, numbered_files
from undark.io.video.writer import Source, VideoWriter

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame

__all__ = ["transcode"]

# Seconds before the point where a stopped run goes on that are seen again, so that what is known
# from frame to frame is known there.
_SEEN_AGAIN: Final = 3.0


def transcode(
    source: Path | Feed,
    destination: Path,
    change: Change,
    options: Transcoding | None = None,
    *,
    made: str | None = None,
    pipe: BinaryIO | None = None,
    progress: Callable[[Progress], None] | None = None,
    notice: Callable[[str], None] | None = None,
) -> None:
    """Change every frame of a video.

    Sound, subtitles, attachments, chapters and tags are copied as they are, timestamps are kept,
    and so are rotation, colour tags, pixel shape and, where the codec can, depth. Damaged frames
    are passed over. The file is there once it is whole.

    Args:
        source: A video, an animation, or a name such as ``frame%05d.png``.
        destination: Its suffix decides the container; missing folders are made.
        change: Done to each frame, in this thread.
        options: What else is to be done.
        made: What `change` does, in words that differ where it does; with it a run that was
            stopped is gone on with, if the source and all else is the same.
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
    notice, progress = notice or _nobody, progress or _nobody
    check_coding(destination, options.coding)
    task = _Task((source, destination), change, options, progress, notice)
    with task.opened() as reader:
        first = reader.first_frame()
        for line in left_out(first, reader.dolby):
            notice(line)
        canvas, codec = _canvas(destination, first, options, reader.hdr, notice)
        encoding = Encoding(
            destination,
            reader,
            first,
            canvas=canvas,
            codec=codec,
            options=options,
            hardware=_hardware(canvas, codec, options, notice),
        )
        try:
            if pipe is not None:
                task.stream(encoding, reader, first, pipe)
            elif made is None or not _can_go_on(source):
                task.directly(encoding, reader, first)
            else:
                task.in_segments(encoding, reader, first, made)
        except StoppedError as stop:
            raise stop.cause from None
        except OSError as error:
            raise not_written(destination, error) from error
        except libav().error.FFmpegError as error:
            reason = error.strerror or error
            raise OutputError(f"{destination}: could not be written: {reason}") from error
    if reader.stalled:
        kept = "" if pipe is not None else f"; {partial_path(destination)} has what came before"
        raise UnreadableError(f"{source}: nothing came for {network.PATIENCE:g} s{kept}")
    if reader.is_deinterlaced:
        notice("its frames were interlaced; each is made whole")
    for line in reader.damages():
        notice(line)


class _Task:
    """One video on its way; see `transcode`."""

    def __init__(
        self,
        paths: tuple[Path | Feed, Path],
        change: Change,
        options: Transcoding,
        progress: Callable[[Progress], None],
        notice: Callable[[str], None],
    ) -> None:
        self._source, self._destination = paths
        self._change, self._options = change, options
        self._progress, self._notice = progress, notice

    @contextlib.contextmanager
    def opened(self, resume: float = 0.0) -> Generator[VideoReader]:
        """The source, from its part's begin or from there on."""
        upright = not keeps_turns(self._destination)
        with _opened(self._source, self._options) as container:
            yield VideoReader(
                container,
                self._source,
                self._options,
                upright=upright,
                sdr=self._options.sdr,
                resume=resume,
            )

    def stream(
        self, encoding: Encoding, reader: VideoReader, first: VideoFrame, pipe: BinaryIO
    ) -> None:
        """Into a pipe."""
        writer = VideoWriter(pipe, encoding, self._notice)
        with contextlib.closing(writer):
            self._run(encoding, reader, first, writer.drain)

    def directly(self, encoding: Encoding, reader: VideoReader, first: VideoFrame) -> None:
        """Into a file, all at once; stopped, it is brought to a playable end."""
        destination = self._destination
        destination.parent.mkdir(parents=True, exist_ok=True)
        part, held = open_part(destination)
        with held:
            try:
                writer = VideoWriter(part, encoding, self._notice)
                try:
                    self._run(encoding, reader, first, writer.drain)
                except StoppedError:
                    with contextlib.suppress(OSError):
                        writer.close()
                    finish(part, partial_path(destination))
                    raise
                except BaseException:
                    with contextlib.suppress(Exception):
                        writer.close()
                    raise
                if reader.stalled:
                    finish(part, partial_path(destination))
                    return
                finish(part, destination)
            except BaseException:
                part.unlink(missing_ok=True)
                raise
        partial_path(destination).unlink(missing_ok=True)

    def in_segments(
        self, encoding: Encoding, reader: VideoReader, first: VideoFrame, made: str
    ) -> None:
        """Into segments that are whole, which are joined; stopped, they stay for the next run."""
        assert isinstance(self._source, Path)
        work = Work(self._destination, _key(self._source, self._options, encoding, made))
        stopped = False
        try:
            try:
                self._encode(work, encoding, reader, first)
            except StoppedError:
                stopped = True
                if work.segments:
                    self._join(work, encoding, partial_path(self._destination), whole=False)
                raise
            self._join(work, encoding, self._destination, whole=True)
        finally:
            work.close(keep=stopped)
        partial_path(self._destination).unlink(missing_ok=True)

    def _encode(
        self, work: Work, encoding: Encoding, reader: VideoReader, first: VideoFrame
    ) -> None:
        writer = SegmentWriter(work, encoding)
        if work.last is None:
            self._run(encoding, reader, first, writer.drain)
            return
        encoding.after = work.last
        where = self._options.begin + float(work.last * encoding.base)
        self._notice(f"goes on from {clock(where)}, where it was stopped")
        with self.opened(max(where - _SEEN_AGAIN, 0.0)) as later:
            try:
                again = later.first_frame()
            except InputError:
                return  # nothing comes after it
            self._run(encoding, later, again, writer.drain, frames=work.frames)

    def _run(
        self,
        encoding: Encoding,
        reader: VideoReader,
        first: VideoFrame,
        drain: Callable[[Source], None],
        *,
        frames: int = 0,
    ) -> None:
        def make(frame: VideoFrame) -> VideoFrame | None:
            return encoding.changed(frame, self._change)

        run(reader, make, drain, self._progress, first=first, frames=frames)

    def _join(self, work: Work, encoding: Encoding, path: Path, *, whole: bool) -> None:
        """Put the segments, and what lies beside them in the source, into one file."""
        until = None
        if not whole and work.last is not None:
            until = self._options.begin + float((work.last + 1) * encoding.base)
        notice = self._notice if whole else _nobody
        part = work.path / "joined"
        writer = VideoWriter(part, encoding, notice)
        with contextlib.closing(writer), self.opened() as again:
            writer.join(work.packets(encoding), again.companions(until))
        finish(part, path)


def _can_go_on(source: Path | Feed) -> bool:
    """Whether the source can be read again from any place."""
    if isinstance(source, Feed):
        return False
    if is_sequence_name(source):
        return True
    return source.is_file() and source.suffix.lower() not in ANIMATIONS


def _key(source: Path, options: Transcoding, encoding: Encoding, made: str) -> str:
    """What differs where segments do not belong together."""
    files = [source]
    if is_sequence_name(source):
        files = [path for _, path in numbered_files(source)]
    found = [(str(path.absolute()), path.stat()) for path in files]
    av = libav()
    said = (
        *((name, status.st_size, status.st_mtime_ns) for name, status in found),
        made,
        *(encoding.encoder, encoding.canvas.format, encoding.canvas.size, encoding.base),
        *(repr(options), str(av.__version__), version("undark")),
    )
    return hashlib.sha256(repr(said).encode()).hexdigest()[:16]


def _canvas(
    destination: Path,
    first: VideoFrame,
    options: Transcoding,
    hdr: Hdr | None,
    notice: Callable[[str], None],
) -> tuple[Canvas, str]:
    """What frames such as the first become, and the codec that they are written in."""
    is_mapped = options.sdr and hdr is not None
    if options.sdr:
        hdr = None
    fields = options.keep_interlaced and first.interlaced_frame
    kind = Kind.of(first, fields=fields, hdr=hdr is not None)
    if is_mapped:
        kind = replace(kind, depth=8)
    if options.coding.bits is not None:
        kind = replace(kind, depth=options.coding.bits)
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
    check_bits(destination, options.coding, codec, canvas.format)
    if not options.coding.knows_preset(codec):
        notice(f"{options.coding.preset} is no preset of {codec}, which takes its usual one")
    coarser = "420" in canvas.format and "420" not in kind.format
    if plain and coarser and kind.depth > 8 and is_planar(kind.format):
        notice("its colours become 4:2:0, which devices play; name a codec to keep them finer")
    return canvas, codec


def _hardware(
    canvas: Canvas, codec: str, options: Transcoding, notice: Callable[[str], None]
) -> Hardware | None:
    """The encoder that was asked for in the place of the usual one, where it works."""
    coding = options.coding
    if coding.encoder is None:
        return None
    if canvas.kind.hdr or canvas.kind.fields:
        found: Hardware | str = "it is not told of HDR and fields"
    else:
        quality = coding.quality(codec)
        found = find_hardware(coding.encoder, codec, canvas.format, quality, coding.preset)
    if isinstance(found, Hardware):
        return found
    notice(f"{coding.encoder} does not encode {codec} here: {found}; {CODECS[codec]} does")
    return None


def _opened(source: Path | Feed, options: Transcoding) -> InputContainer:
    if isinstance(source, Feed):
        return source.open()
    if is_sequence_name(source):
        return open_numbered(source, options.fps, gaps=options.gaps)
    if source.suffix.lower() in ANIMATIONS:
        return open_animation(source)
    return open_video(source)


def _nobody(_: object) -> None:
    """Progress or notices that nobody asked for."""
