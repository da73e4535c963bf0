"""Jobs: one photo or video at a time, and many, with events, resume and an error per file.

A destination is written beside and renamed (:mod:`undark.io.atomic`), so one that exists is
whole: a job that was stopped at any moment goes on where it stopped when it is run again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from queue import Empty, SimpleQueue
from time import perf_counter

from undark.adjust import Adjust
from undark.engine.clips import enhance_clip
from undark.engine.editor import Editor
from undark.engine.video import VideoEnhancer
from undark.errors import DeviceError, UndarkError, UsageError
from undark.io.photo import read_photo, write_photo
from undark.io.strip import check_strip, stripped
from undark.io.video import options as video_options
from undark.io.video.containers import partial_path
from undark.io.video.options import Transcoding
from undark.io.walk import Pair, is_video
from undark.pixels.steps import Step

__all__ = [
    "Done",
    "Event",
    "Failed",
    "Job",
    "Notice",
    "Options",
    "Progress",
    "Receipt",
    "Skipped",
    "Started",
    "Summary",
    "enhance_one",
]

_WAIT = 0.2  # Seconds; a wait without an end cannot be interrupted on Windows.
_FEW = 3  # Frames after which a notice says how long a slow model will take.


@dataclass(frozen=True, slots=True)
class Options:
    """How inputs are enhanced and their results written.

    Attributes:
        adjust: What is asked of photos; a VideoEnhancer has its own.
        max_pixels: Refuse photos of more pixels.
        format: Format to write, as Pillow spells it; by default the destination's suffix decides.
        quality: 1 to 100 for lossy formats; by default the writer decides.
        overwrite: Do again what is already there.
        explain: Give the steps that a photo was done in.
        strip: What is left out of the metadata of photos and videos: "all", "gps" (the place) or
            None; see :func:`undark.io.strip.stripped`.
        transcoding: How videos are written, and which part of them.
    """

    adjust: Adjust = field(default_factory=Adjust)
    max_pixels: int | None = None
    format: str | None = None
    quality: int | None = None
    overwrite: bool = False
    explain: bool = False
    strip: str | None = None
    transcoding: Transcoding = field(default_factory=Transcoding)

    def __post_init__(self) -> None:
        """Check what is to be left out.

        Raises:
            UsageError: It is neither "all", "gps" nor None.
        """
        check_strip(self.strip)


@dataclass(frozen=True, slots=True)
class Started:
    """Work on this input has begun."""

    source: Path
    destination: Path


@dataclass(frozen=True, slots=True)
class Progress:
    """This fraction of the input, 0 to 1, is enhanced; a video at this many frames a second."""

    source: Path
    destination: Path
    fraction: float
    fps: float | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """A line about this input that is no error: what a video lacks, or how long it will take."""

    source: Path
    destination: Path
    text: str


@dataclass(frozen=True, slots=True)
class Done:
    """The destination is written and whole; `seconds` from reading to having written.

    `steps` are those it was done in, where they were asked for.
    """

    source: Path
    destination: Path
    seconds: float
    steps: tuple[Step, ...] | None = None


@dataclass(frozen=True, slots=True)
class Skipped:
    """The destination was there already and was left as it is."""

    source: Path
    destination: Path


@dataclass(frozen=True, slots=True)
class Failed:
    """This input could not be done; nothing bears its destination's name because of it."""

    source: Path
    destination: Path
    seconds: float
    error: UndarkError


Receipt = Done | Skipped | Failed
"""How one input ended: the last word about it."""

Event = Started | Progress | Notice | Receipt
"""What happens to one input."""


@dataclass(frozen=True, slots=True)
class Summary:
    """How many inputs came to which end so far."""

    done: int = 0
    skipped: int = 0
    failed: int = 0

    @property
    def total(self) -> int:
        """All of them together."""
        return self.done + self.skipped + self.failed


def enhance_one(
    pair: Pair,
    editor: Editor | VideoEnhancer,
    options: Options | None = None,
    *,
    notify: Callable[[Started | Progress | Notice], None] | None = None,
) -> Receipt:
    """Enhance one photo or video, from its file to its result's.

    The unit of all work: a job, a server and a machine of many all call it. What goes wrong with
    the input is in the receipt; only what `notify` raises goes on, if it is no Exception.

    Args:
        pair: The source and its destination.
        editor: For a photo an Enhancer or a StepsEditor, for a video a VideoEnhancer, which must
            be this video's own; see :meth:`VideoEnhancer.fork`.
        options: How; the defaults by default.
        notify: Called with what happens on the way.

    Returns:
        Done, Skipped where the destination is there and is not to be overwritten, or Failed.
    """
    source, destination = pair.source, pair.destination
    options = options or Options()
    tell = notify or _nobody
    if not options.overwrite and destination.exists():
        return Skipped(source, destination)
    tell(Started(source, destination))
    begin = perf_counter()
    steps: tuple[Step, ...] | None = None
    try:
        if isinstance(editor, VideoEnhancer):
            _enhance_video(pair, editor, options, tell)
        else:
            steps = _enhance_photo(pair, editor, options, tell)
    except Exception as error:
        return Failed(source, destination, perf_counter() - begin, _worded(source, error))
    return Done(source, destination, perf_counter() - begin, steps)


_Tell = Callable[[Started | Progress | Notice], None]


def _enhance_photo(
    pair: Pair, editor: Editor, options: Options, tell: _Tell
) -> tuple[Step, ...] | None:
    def progress(fraction: float) -> None:
        tell(Progress(pair.source, pair.destination, fraction))

    source = read_photo(pair.source)
    steps = editor.steps(source) if options.explain else None
    photo = editor.enhance(
        source, adjust=options.adjust, max_pixels=options.max_pixels, progress=progress
    )
    progress(1.0)
    write_photo(
        stripped(photo, options.strip),
        pair.destination,
        format=options.format,
        quality=options.quality,
        overwrite=options.overwrite,
    )
    return steps


def _enhance_video(pair: Pair, video: VideoEnhancer, options: Options, tell: _Tell) -> None:
    begin = perf_counter()

    def notice(text: str) -> None:
        tell(Notice(pair.source, pair.destination, text))

    def progress(done: video_options.Progress) -> None:
        seconds = perf_counter() - begin
        fps = done.frames / max(seconds, 1e-6)
        if done.frames == _FEW and not video.is_fast:
            notice(f"about {_spell(done.total / fps)} by {video.card.name}: {fps:.2g} frames/s")
        tell(Progress(pair.source, pair.destination, done.fraction, fps))

    enhance_clip(
        pair.source,
        pair.destination,
        video,
        replace(options.transcoding, strip=options.strip or options.transcoding.strip),
        progress=progress,
        tell=notice,
    )


class _StoppedError(BaseException):
    """The job was stopped while this input was being enhanced; it is no error of the input's."""


class Job:
    """Enhance many photos and videos, in one or several threads.

    Args:
        pairs: Sources and where their results go, as :func:`undark.io.walk.plan` gives them.
        editor: For photos, shared by all workers; may be left out where all are videos.
        video: For videos; each is enhanced by a fork of it. Without it they fail.
        options: How.
        workers: Inputs worked on at the same time, at least 1.

    Raises:
        UsageError: Less than one worker.
    """

    def __init__(
        self,
        pairs: Sequence[Pair],
        editor: Editor | None,
        *,
        video: VideoEnhancer | None = None,
        options: Options | None = None,
        workers: int = 1,
    ) -> None:
        """Prepare the job; nothing is read before :meth:`run`."""
        if workers < 1:
            raise UsageError(f"a job needs at least 1 worker, not {workers}")
        self._pairs = tuple(pairs)
        self._editor = editor
        self._video = video
        self._options = options or Options()
        self._workers = workers
        self._summary = Summary()
        self._partials: list[Path] = []

    @property
    def partials(self) -> tuple[Path, ...]:
        """Videos that were stopped midway, playable up to there."""
        return tuple(path for path in self._partials if path.exists())

    @property
    def summary(self) -> Summary:
        """The counts of the receipts that :meth:`run` has given so far."""
        return self._summary

    def run(self) -> Generator[Event, None, None]:
        """Do the work, giving events in the caller's thread as they happen.

        The inputs are begun in their order; with several workers their events interleave. An
        error of one input is an event and does not stop the others. Closing the generator, or a
        KeyboardInterrupt in it, stops the job: photos being enhanced are abandoned, one being
        written is finished, and no half-written file is left.
        """
        self._summary = Summary()
        stop = threading.Event()
        events: SimpleQueue[Event | None] = SimpleQueue()
        todo: SimpleQueue[Pair] = SimpleQueue()
        for pair in self._pairs:
            todo.put(pair)

        def notify(event: Event) -> None:
            if isinstance(event, Progress) and stop.is_set():
                raise _StoppedError
            if isinstance(event, Started) and is_video(event.source):
                self._partials.append(partial_path(event.destination))
            events.put(event)

        def work() -> None:
            try:
                while not stop.is_set():
                    events.put(self._one(todo.get_nowait(), notify))
            except (Empty, _StoppedError):
                pass
            finally:
                events.put(None)

        # Daemons, so that a second interrupt while the first is being obeyed ends the process.
        threads = [
            threading.Thread(target=work, name=f"undark-job-{number}", daemon=True)
            for number in range(min(self._workers, len(self._pairs)))
        ]
        for thread in threads:
            thread.start()
        running = len(threads)
        try:
            while running:
                with suppress(Empty):
                    event = events.get(timeout=_WAIT)
                    if event is None:
                        running -= 1
                    else:
                        self._count(event)
                        yield event
        finally:
            stop.set()
            for thread in threads:
                thread.join()

    def _count(self, event: Event) -> None:
        counts = self._summary
        self._summary = Summary(
            counts.done + isinstance(event, Done),
            counts.skipped + isinstance(event, Skipped),
            counts.failed + isinstance(event, Failed),
        )

    def _one(self, pair: Pair, notify: _Tell) -> Receipt:
        editor: Editor | VideoEnhancer | None = self._editor
        if is_video(pair.source):
            editor = None if self._video is None else self._video.fork()
        if editor is None:
            notify(Started(pair.source, pair.destination))
            kind = "video" if is_video(pair.source) else "photo"
            error = UsageError(f"{pair.source}: is a {kind}, and there is no model for one")
            return Failed(pair.source, pair.destination, 0.0, error)
        return enhance_one(pair, editor, self._options, notify=notify)


def _nobody(_: object) -> None:
    """What nobody listens to."""


def _spell(seconds: float) -> str:
    """A time for a person."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def _worded(source: Path, error: Exception) -> UndarkError:
    """The error as one line that names the source; the original is its cause."""
    if isinstance(error, UndarkError):
        return error
    if isinstance(error, MemoryError):
        worded: UndarkError = DeviceError(
            f"{source}: not enough memory; close other programs, or use fewer jobs at a time"
        )
    else:
        reason = " ".join(str(error).split()) or "no reason given"
        worded = UndarkError(f"{source}: unexpected {type(error).__name__}: {reason}")
    worded.__cause__ = error
    return worded
