"""Many photos and videos, in one or several threads."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue

from undark.engine.editor import Editor
from undark.engine.video import VideoEnhancer
from undark.errors import UsageError
from undark.io.atomic import remove_leftovers
from undark.io.record import Record
from undark.io.video.containers import partial_path
from undark.io.walk import Pair, is_video
from undark.jobs.events import (
    Done,
    Event,
    Failed,
    Options,
    Progress,
    Receipt,
    Skipped,
    Started,
    Summary,
)
from undark.jobs.one import Tell, enhance_one, settled, worded

__all__ = ["Job"]

_WAIT = 0.2  # Seconds; a wait without an end cannot be interrupted on Windows.


class _StoppedError(BaseException):
    """The job was stopped while this input was being enhanced; it is no error of the input's."""


class Job:
    """Enhance many photos and videos, in one or several threads.

    Args:
        pairs: Sources and where their results go, as :func:`undark.io.walk.plan` gives them.
        editor: For photos, shared by all workers; may be left out where all are videos. Or a
            function that opens it, called where a photo is to be done; then `wanted` is needed.
        video: For videos; each is enhanced by a fork of it. Without it they fail. Or a function
            that opens it.
        wanted: How the results of photos are wanted; by default the editor's own word.
        options: How.
        workers: Inputs worked on at the same time, at least 1.

    Raises:
        UsageError: Less than one worker.
    """

    def __init__(
        self,
        pairs: Sequence[Pair],
        editor: Editor | Callable[[], Editor] | None,
        *,
        video: VideoEnhancer | Callable[[], VideoEnhancer] | None = None,
        wanted: Record | None = None,
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
        self._wanted = wanted
        if wanted is None and isinstance(editor, Editor):
            self._wanted = editor.wanted(self._options.adjust)
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

        First come those that need no work: missing, skipped, not undark's. Then the model is
        opened where a function was given, and the others are begun in their order; with several
        workers their events interleave. An error of one input is an event and does not stop the
        others. Closing the generator, or a KeyboardInterrupt in it, stops the job: photos being
        enhanced are abandoned, one being written is finished, and no half-written file is left.
        What a killed run left unfinished beside the results is removed.

        Raises:
            UndarkError: The model could not be opened.
        """
        self._summary = Summary()
        remove_leftovers(pair.destination.parent for pair in self._pairs)
        rest: list[Pair] = []
        for pair in self._pairs:
            receipt = self._receipt(pair)
            if receipt is None:
                rest.append(pair)
            else:
                self._count(receipt)
                yield receipt
        self._open(rest)
        yield from self._work(rest)

    def _receipt(self, pair: Pair) -> Receipt | None:
        """The last word about an input that needs no model."""
        video = is_video(pair.source)
        if not video and (self._wanted is None or pair.source.is_fifo()):
            return None
        wanted = None if video else self._wanted
        try:
            receipt, _ = settled(pair, wanted, self._options)
        except OSError as error:
            return Failed(pair.source, pair.destination, 0.0, worded(pair.source, error))
        steps = self._options.explain and isinstance(receipt, Skipped) and not video
        return None if steps else receipt

    def _open(self, pairs: Sequence[Pair]) -> None:
        """Open the models that these inputs need."""
        videos = sum(is_video(pair.source) for pair in pairs)
        photos = len(pairs) > videos
        if photos and self._editor is not None and not isinstance(self._editor, Editor):
            self._editor = self._editor()
        if videos and self._video is not None and not isinstance(self._video, VideoEnhancer):
            self._video = self._video()

    def _work(self, pairs: Sequence[Pair]) -> Generator[Event, None, None]:
        stop = threading.Event()
        events: SimpleQueue[Event | None] = SimpleQueue()
        todo: SimpleQueue[Pair] = SimpleQueue()
        for pair in pairs:
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
            for number in range(min(self._workers, len(pairs)))
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

    def _one(self, pair: Pair, notify: Tell) -> Receipt:
        editor: Editor | VideoEnhancer | None = None
        if is_video(pair.source):
            editor = self._video.fork() if isinstance(self._video, VideoEnhancer) else None
        elif isinstance(self._editor, Editor):
            editor = self._editor
        if editor is None:
            notify(Started(pair.source, pair.destination))
            kind = "video" if is_video(pair.source) else "photo"
            error = UsageError(f"{pair.source}: is a {kind}, and there is no model for one")
            return Failed(pair.source, pair.destination, 0.0, error)
        return enhance_one(pair, editor, self._options, notify=notify)
