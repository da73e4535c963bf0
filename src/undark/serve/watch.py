"""A folder that is watched: the photos and videos that land in it come out in another."""

from __future__ import annotations

import importlib.util
import os
import stat
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from undark.engine.editor import Editor
from undark.engine.video import VideoEnhancer
from undark.errors import MissingExtraError, OutputError, UsageError
from undark.io.names import natural_key
from undark.io.record import Record
from undark.io.walk import is_source_name
from undark.jobs import Event, Options, Summary
from undark.serve.intake import Intake, Signature
from undark.serve.mirror import Mirror

if TYPE_CHECKING:
    from watchfiles.main import FileChange

__all__ = ["check_folders", "watch"]

_STEP_MS: Final = 100  # How often what waits is looked at.
_RESCAN: Final = 30.0  # Seconds; network disks do not tell of all that happens.
_RETRY: Final = 60.0  # Seconds until a disk may have room, or a device be free.
_ABSENT: Final = 1.0
# Folders that browsers download into; files of such names are no photos by their suffix.
_UNFINISHED: Final = (".download", ".part", ".partial", ".tmp")


def watch(
    source: Path,
    target: Path,
    *,
    open_photos: Callable[[], Editor],
    open_videos: Callable[[], VideoEnhancer] | None,
    options: Options,
    wanted: Record | None = None,
    quiet: float = 2.0,
    stop: threading.Event,
    notify: Callable[[Event], None],
) -> Summary:
    """Enhance what lies in a folder and what lands there, until it is told to stop.

    A file is taken once its size and mtime have stood still for `quiet` seconds and it can be
    opened. Hidden and temporary files, and results of undark's by their names, are left out. The
    tree is kept, and so are names; a result of another format than its source's gets its suffix on
    top (``a.dng.tif``), so that no two sources meet. A result that was made in this way already is
    skipped, a source that changed is done again, and a file that failed is tried again when it
    changes, or after a minute where a full disk or the device was at fault. What goes away is
    forgotten; its result stays.

    It blocks, and may run in a thread. Stopped, it ends after the photo in hand; a video in hand
    goes on the next time from where it was stopped.

    Args:
        source: The folder to watch, below it too.
        target: Where results go; made where it is missing.
        open_photos: Opens the model for photos; called once, when the first is to be done.
        open_videos: Opens the model for videos; likewise. Without it they are left out.
        options: How.
        wanted: How the results of photos are wanted. With it, no model is opened for what is done.
        quiet: Seconds.
        stop: Set to stop.
        notify: Called in this thread with each event; a file's last word is a receipt.

    Returns:
        How many files came to which end.

    Raises:
        UsageError: `source` is no folder, one folder lies in the other, or `quiet` is no time.
        MissingExtraError: A package is not installed.
        OutputError: `target` cannot be made.
        UndarkError: A model could not be opened.
    """
    if importlib.util.find_spec("watchfiles") is None:
        raise MissingExtraError("watched folders", "serve")
    if not 0 <= quiet < float("inf"):
        raise UsageError(f"quiet must be a number of seconds, not {quiet}", argument="quiet")
    check_folders(source, target)
    work = Mirror(
        source,
        target,
        open_photos=open_photos,
        open_videos=open_videos,
        options=options,
        wanted=wanted,
        stop=stop,
        notify=notify,
    )
    return _Watcher(work, Intake(quiet), stop).run()


def check_folders(source: Path, target: Path) -> None:
    """See that a folder can be watched with its results going to another, and make that.

    Raises:
        UsageError: `source` is no folder, or one folder lies in the other.
        OutputError: `target` cannot be made.
    """
    if not source.is_dir():
        raise UsageError(f"{source}: there is no such folder to watch", argument="watch")
    real, out = source.resolve(), target.resolve()
    if real == out or real in out.parents or out in real.parents:
        raise UsageError(
            f"{target}: results must lie neither in the watched folder nor around it; name a folder"
            f" beside {source}",
            argument="watch",
        )
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{target}: cannot be made: {error.strerror}") from error


class _Watcher:
    """Looks at the folder, and hands out what is whole."""

    def __init__(self, work: Mirror, intake: Intake, stop: threading.Event) -> None:
        self._work = work
        self._source = work.source
        self._intake = intake
        self._stop = stop
        self._told: set[Path] = set()
        self._polls = False

    def run(self) -> Summary:
        while not self._stop.is_set():
            if not self._source.is_dir():
                self._wait_for_it()
                continue
            folder = _folder_number(self._source)
            next_scan = 0.0
            for changes in self._changes():
                now = time.monotonic()
                if _folder_number(self._source) != folder:
                    break  # another disk was mounted there
                self._look(Path(path) for _, path in changes)
                if now >= next_scan:
                    self._scan()
                    # However many files there are, most of the time goes to photos.
                    next_scan = time.monotonic() + max(_RESCAN, 20 * (time.monotonic() - now))
                self._hand_out()
        return self._work.summary

    def _wait_for_it(self) -> None:
        if self._source not in self._told:
            self._told.add(self._source)
            self._work.say(self._source, "the watched folder is not there; waiting for it")
        self._stop.wait(_ABSENT)

    def _changes(self) -> Iterator[set[FileChange]]:
        """What changed, as it does; nothing, several times a second, where nothing did."""
        import watchfiles

        try:
            yield from watchfiles.watch(
                self._source,
                watch_filter=None,
                debounce=_STEP_MS,
                step=_STEP_MS // 2,
                rust_timeout=_STEP_MS,
                yield_on_timeout=True,
                stop_event=self._stop,
                force_polling=True if self._polls else None,
                poll_delay_ms=1000,
                ignore_permission_denied=True,
            )
        except OSError as error:  # for instance, the system's limit of watched folders
            if self._polls or not self._source.is_dir():
                self._stop.wait(_ABSENT)
                return
            self._polls = True
            reason = " ".join(str(error).split())
            self._work.say(self._source, f"is looked at every second, for {reason}")

    def _look(self, paths: Iterable[Path]) -> None:
        """See how these stand now; the events themselves may be late, doubled or out of order."""
        for told in paths:
            path = self._named(told)
            found = _signature(path)
            if found is not None:
                if self._is_wanted(path, is_folder=False):
                    self._intake.see(path, found, time.monotonic())
            elif path.is_dir():
                if self._is_wanted(path, is_folder=True):
                    self._scan_below(path)
            else:
                self._intake.gone(path)

    def _named(self, path: Path) -> Path:
        """A path that the system tells of, below the folder as it was named."""
        for root in (self._source, self._source.absolute(), self._source.resolve()):
            if path.is_relative_to(root):
                return self._source / path.relative_to(root)
        return path

    def _scan(self) -> None:
        seen = self._scan_below(self._source)
        for path in self._intake.known() - seen:
            if _signature(path) is None:
                self._intake.gone(path)

    def _scan_below(self, folder: Path) -> set[Path]:
        seen: set[Path] = set()
        for here, folders, files in os.walk(folder):
            path = Path(here)
            folders[:] = sorted(
                (name for name in folders if self._is_wanted(path / name, is_folder=True)),
                key=natural_key,
            )
            for name in sorted(files, key=natural_key):
                child = path / name
                found = _signature(child) if self._is_wanted(child, is_folder=False) else None
                if found is not None:
                    seen.add(child)
                    self._intake.see(child, found, time.monotonic())
        return seen

    def _is_wanted(self, path: Path, *, is_folder: bool) -> bool:
        """Whether a file or folder is taken, by its name and those of the folders that it is in."""
        try:
            place = path.relative_to(self._source)
        except ValueError:
            return False
        folders = place.parts if is_folder else place.parts[:-1]
        if any(name.startswith(".") or name.lower().endswith(_UNFINISHED) for name in folders):
            return False
        return is_folder or (not place.name.startswith((".", "~")) and is_source_name(path))

    def _hand_out(self) -> None:
        for path in self._intake.due(time.monotonic()):
            if self._stop.is_set():
                return
            found = _signature(path)
            if found is None:
                self._intake.gone(path)
            elif self._opens(path) and self._intake.take(path, found, time.monotonic()):
                self._do(path)

    def _opens(self, path: Path) -> bool:
        """Whether a file can be opened: not while another program keeps it to itself."""
        try:
            with path.open("rb"):
                pass
        except FileNotFoundError:
            return False
        except OSError as error:
            if path not in self._told:
                self._told.add(path)
                self._work.say(path, f"cannot be opened yet ({error.strerror}); waiting for it")
            return False
        self._told.discard(path)
        return True

    def _do(self, path: Path) -> None:
        is_sound = self._work.do(path)
        found = _signature(path)
        if found is None:
            self._intake.gone(path)
            return
        self._intake.see(path, found, time.monotonic())
        if not is_sound:
            self._intake.again(path, time.monotonic() + _RETRY)


def _signature(path: Path) -> Signature | None:
    """What tells a file's contents apart; None where there is no regular file."""
    try:
        found = path.stat()
    except OSError:
        return None
    if not stat.S_ISREG(found.st_mode):
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _folder_number(folder: Path) -> tuple[int, int] | None:
    try:
        found = folder.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
