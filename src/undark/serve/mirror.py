"""A tree of sources and the tree of their results: one file at a time, none onto another's."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from undark.engine.editor import Editor
from undark.engine.video import VideoEnhancer
from undark.errors import DeviceError, OutputError, UndarkError, UsageError
from undark.io.atomic import remove_leftovers
from undark.io.record import Record
from undark.io.video.containers import partial_path
from undark.io.walk import Pair, is_source_name, is_video, result_suffix
from undark.jobs import (
    Done,
    Event,
    Failed,
    Notice,
    Options,
    Progress,
    Receipt,
    Skipped,
    Summary,
    enhance_one,
)
from undark.jobs.one import settled, worded

__all__ = ["Mirror"]


class _StoppedError(BaseException):
    """The video in hand is not waited for: it could take hours."""


class Mirror:
    """Does one file of a folder after the other, and counts. Not for several threads.

    Args:
        source: The folder of sources.
        target: The folder of results.
        open_photos: Opens the model for photos; called once, when the first is to be done.
        open_videos: Opens the model for videos; likewise.
        options: How.
        wanted: How the results of photos are wanted.
        stop: Set, it stops a video in hand.
        notify: Called with each event.
    """

    def __init__(
        self,
        source: Path,
        target: Path,
        *,
        open_photos: Callable[[], Editor],
        open_videos: Callable[[], VideoEnhancer] | None,
        options: Options,
        wanted: Record | None,
        stop: threading.Event,
        notify: Callable[[Event], None],
    ) -> None:
        """Nothing is opened yet."""
        self.source = source
        self.summary: Summary = Summary()
        self._target = target
        self._open_photos = open_photos
        self._open_videos = open_videos
        self._options = options
        self._wanted = wanted
        self._stop = stop
        self._notify = notify
        self._photos: Editor | None = None
        self._videos: VideoEnhancer | None = None
        self._owners: dict[Path, Path] = {}
        self._made: set[Path] = set()
        self._excused: dict[Path, str] = {}
        self._swept: set[Path] = set()

    def say(self, path: Path, text: str) -> None:
        """A line about a file."""
        self._notify(Notice(path, self._target, text))

    def do(self, path: Path) -> bool:
        """Do a file and tell how it ended; False where it is to be tried again unchanged."""
        held: list[Event] = []
        tell = held.append if path in self._excused else self._notify
        try:
            receipt = self._receipt(Pair(path, self._destination(path)), tell)
        except _StoppedError:
            return True
        except OSError as error:  # it went away, or cannot be read
            receipt = Failed(path, self._target, 0.0, worded(path, error))
        if isinstance(receipt, Failed) and not path.exists():
            self._notify(Notice(path, receipt.destination, "went away; left out"))
            return True
        if isinstance(receipt, Failed) and _is_passing(receipt.error):
            # Told once, however often it is tried.
            if self._excused.get(path) != str(receipt.error):
                self._excused[path] = str(receipt.error)
                self._count(receipt)
            return False
        self._excused.pop(path, None)
        for event in held:
            self._notify(event)
        if not isinstance(receipt, Failed):
            self._owners[receipt.destination] = path
        if isinstance(receipt, Done):
            self._made.add(receipt.destination)
        self._count(receipt)
        return True

    def _count(self, receipt: Receipt) -> None:
        counts = self.summary
        self.summary = Summary(
            counts.done + isinstance(receipt, Done),
            counts.skipped + isinstance(receipt, Skipped),
            counts.failed + isinstance(receipt, Failed),
        )
        self._notify(receipt)

    def _destination(self, path: Path) -> Path:
        """Where a result goes: by its source's name alone, whatever else is there or will be."""
        place = path.relative_to(self.source)
        suffix = result_suffix(path, self._options.format)
        if suffix.lower() != path.suffix.lower():
            place = place.with_name(path.name + suffix)
        return self._target / place

    def _receipt(self, pair: Pair, tell: Callable[[Event], None]) -> Receipt:
        rival = self._rival(pair)
        if rival is not None:
            told = f"{pair.source} and {rival} would both become {pair.destination}; rename one"
            return Failed(pair.source, pair.destination, 0.0, UsageError(told))
        self._sweep(pair.destination.parent)
        if is_video(pair.source):
            return self._video(pair, tell)
        if self._wanted is not None:
            receipt, _ = settled(pair, self._wanted, self._options)
            if receipt is not None and not self._is_outdated(pair, receipt):
                return receipt
        if self._photos is None:
            self._photos = self._open_photos()
        receipt = enhance_one(pair, self._photos, self._options, notify=tell)
        if self._is_outdated(pair, receipt):
            again = replace(self._options, overwrite=True)
            receipt = enhance_one(pair, self._photos, again, notify=tell)
        return receipt

    def _video(self, pair: Pair, notify: Callable[[Event], None]) -> Receipt:
        if self._open_videos is None:
            error = UsageError(f"{pair.source}: is a video, and there is no model for one")
            return Failed(pair.source, pair.destination, 0.0, error)
        receipt, _ = settled(pair, None, self._options)
        options = self._options
        if receipt is not None:
            if not self._is_outdated(pair, receipt):
                return receipt
            options = replace(options, overwrite=True)
        if self._videos is None:
            self._videos = self._open_videos()

        def tell(event: Event) -> None:
            if isinstance(event, Progress) and self._stop.is_set():
                raise _StoppedError
            notify(event)

        try:
            return enhance_one(pair, self._videos.fork(), options, notify=tell)
        except _StoppedError:
            with suppress(OSError):
                partial_path(pair.destination).unlink()
            raise

    def _is_outdated(self, pair: Pair, receipt: Receipt) -> bool:
        """Whether a result that carries no record is one of this run's, of an older source."""
        return (
            isinstance(receipt, Skipped) and bool(receipt.reason) and pair.destination in self._made
        )

    def _rival(self, pair: Pair) -> Path | None:
        """Another source that has, or would have, the same destination."""
        owner = self._owners.get(pair.destination)
        if owner not in (None, pair.source) and owner.exists():
            return owner
        same = self.source / pair.destination.relative_to(self._target)
        others = [same] if same != pair.source else [pair.source.with_suffix("")]
        for other in others:
            is_source = other != pair.source and is_source_name(other) and other.is_file()
            if is_source and self._destination(other) == pair.destination:
                return other
        return None

    def _sweep(self, folder: Path) -> None:
        """Remove what a killed run left unfinished, once in each folder."""
        if folder not in self._swept:
            self._swept.add(folder)
            remove_leftovers([folder])


def _is_passing(error: UndarkError) -> bool:
    """Whether the file is not to blame: the disk was full, the device failed."""
    if isinstance(error, OutputError):
        return not error.argument
    return isinstance(error, DeviceError)
