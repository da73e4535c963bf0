"""The Job: many photos and films in, as many out, with events, resume and an error per file.

A destination is written beside and renamed (:mod:`undark.io.atomic`), so one that exists is
whole: a job that was stopped at any moment goes on where it stopped when it is run again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from time import perf_counter

from undark.engine.clips import enhance_clip
from undark.engine.enhancer import Editor
from undark.engine.video import VideoEnhancer
from undark.errors import DeviceError, UndarkError, UsageError
from undark.io.photo import read_photo, write_photo
from undark.io.video import options
from undark.io.video.containers import partial_path
from undark.io.video.options import Transcoding
from undark.io.walk import Pair, is_video
from undark.retouch import Step

__all__ = ["Done", "Event", "Failed", "Job", "Progress", "Skipped", "Started", "Summary", "Told"]

_WAIT = 0.2  # Seconds; a wait without an end cannot be interrupted on Windows.
_FEW = 3  # Frames after which it is told how long a slow model will take.


@dataclass(frozen=True, slots=True)
class Started:
    """Work on this input has begun."""

    source: Path
    destination: Path


@dataclass(frozen=True, slots=True)
class Progress:
    """This share of the input, 0 to 1, has been enhanced; a film at this many frames a second."""

    source: Path
    destination: Path
    fraction: float
    fps: float | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """A line about this input that is no error: what a film lacks, or how long it will take."""

    source: Path
    destination: Path
    text: str


@dataclass(frozen=True, slots=True)
class Done:
    """The destination is written and whole; `seconds` from reading to having written.

    `steps` are those it was done in, where the job was to tell them.
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


Event = Started | Progress | Told | Done | Skipped | Failed
"""What a job tells about one input. `Done`, `Skipped` and `Failed` are last words."""


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


class _StoppedError(Exception):
    """The job was stopped while this input was being enhanced."""


class Job:
    """Enhance many photos with one Enhancer or Retoucher, in one or several threads; films too.

    Args:
        pairs: Sources and where their results go, as :func:`undark.io.walk.plan` gives them.
        editor: Shared by all workers; may be left out where all are films.
        video: For films; each is enhanced by a fork of it. Without it they fail.
        transcoding: How films are written, and which part of them.
        strength: Blend between source (0) and full effect (1).
        exposure: More or less light, in EV.
        denoise: Share of the restoration, for an editor that relights.
        format: Format to write, as Pillow spells it; by default the destination's suffix decides.
        quality: 1 to 100 for lossy formats; by default the writer decides.
        overwrite: Do again what is already there.
        workers: Photos worked on at the same time, at least 1.
        explain: Tell with each `Done` the steps it was done in.

    Raises:
        UsageError: Less than one worker.
    """

    def __init__(
        self,
        pairs: Sequence[Pair],
        editor: Editor | None,
        *,
        video: VideoEnhancer | None = None,
        transcoding: Transcoding | None = None,
        strength: float = 1.0,
        exposure: float = 0.0,
        denoise: float = 1.0,
        format: str | None = None,
        quality: int | None = None,
        overwrite: bool = False,
        workers: int = 1,
        explain: bool = False,
    ) -> None:
        """Prepare the job; nothing is read before :meth:`run`."""
        if workers < 1:
            raise UsageError(f"a job needs at least 1 worker, not {workers}")
        self._pairs = tuple(pairs)
        self._editor = editor
        self._video = video
        self._transcoding = transcoding or Transcoding()
        self._strength = strength
        self._denoise = denoise
        self._exposure = exposure
        self._format = format
        self._quality = quality
        self._overwrite = overwrite
        self._workers = workers
        self._explain = explain
        self._summary = Summary()
        self._partials: list[Path] = []

    @property
    def partials(self) -> tuple[Path, ...]:
        """Films that were stopped midway, playable up to there."""
        return tuple(path for path in self._partials if path.exists())

    @property
    def summary(self) -> Summary:
        """The counts of the last words that :meth:`run` has given so far."""
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

        def work() -> None:
            try:
                while not stop.is_set():
                    self._process(todo.get_nowait(), events.put, stop)
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

    def _process(self, pair: Pair, tell: Callable[[Event], None], stop: threading.Event) -> None:
        source, destination = pair.source, pair.destination
        if not self._overwrite and destination.exists():
            tell(Skipped(source, destination))
            return

        def progress(fraction: float) -> None:
            if stop.is_set():
                raise _StoppedError
            tell(Progress(source, destination, fraction))

        tell(Started(source, destination))
        begin = perf_counter()
        steps: tuple[Step, ...] | None = None
        try:
            if is_video(source):
                self._clip(pair, tell, stop)
            else:
                steps = self._photo(pair, progress)
        except _StoppedError:
            raise
        except Exception as error:
            tell(Failed(source, destination, perf_counter() - begin, _worded(source, error)))
        else:
            tell(Done(source, destination, perf_counter() - begin, steps))

    def _photo(self, pair: Pair, progress: Callable[[float], None]) -> tuple[Step, ...] | None:
        if self._editor is None:
            raise UsageError(f"{pair.source}: a photo needs a model for photos")
        source = read_photo(pair.source)
        steps = self._editor.steps(source) if self._explain else None
        photo = self._editor.enhance(
            source,
            strength=self._strength,
            exposure=self._exposure,
            denoise=self._denoise,
            progress=progress,
        )
        progress(1.0)
        write_photo(
            photo,
            pair.destination,
            format=self._format,
            quality=self._quality,
            overwrite=self._overwrite,
        )
        return steps

    def _clip(self, pair: Pair, tell: Callable[[Event], None], stop: threading.Event) -> None:
        if self._video is None:
            raise UsageError(f"{pair.source}: is a film; this takes photos alone")
        video = self._video.fork()
        begin = perf_counter()

        def progress(done: options.Progress) -> None:
            if stop.is_set():
                raise _StoppedError
            seconds = perf_counter() - begin
            fps = done.frames / max(seconds, 1e-6)
            if done.frames == _FEW and not video.is_fast:
                text = f"about {_spell(done.total / fps)} by {video.card.name}: {fps:.2g} frames/s"
                tell(Told(pair.source, pair.destination, text))
            tell(Progress(pair.source, pair.destination, done.fraction, fps))

        self._partials.append(partial_path(pair.destination))
        enhance_clip(
            pair.source,
            pair.destination,
            video,
            self._transcoding,
            progress=progress,
            tell=lambda text: tell(Told(pair.source, pair.destination, text)),
        )


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
