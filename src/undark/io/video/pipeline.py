"""One thread reads and decodes, the caller's changes frames, a third encodes and writes.

Between them are short queues, so memory does not grow with the video's length.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from queue import Empty, Full, Queue
from typing import TYPE_CHECKING, Any, Final

from undark.io.video.options import Progress
from undark.io.video.reader import VideoReader
from undark.io.video.writer import Source

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

__all__ = ["StoppedError", "run"]

_QUEUED: Final = 6
_WAIT: Final = 0.2
_END: Final = None


class StoppedError(Exception):
    """The caller's progress function, or Ctrl-C, has stopped the work; what was done is written.

    Attributes:
        cause: What it raised.
    """

    def __init__(self, cause: BaseException) -> None:
        """Keep what stopped it."""
        super().__init__()
        self.cause = cause


class _EndedError(Exception):
    """The other side of a queue is gone."""


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


def run(
    reader: VideoReader,
    make: Callable[[VideoFrame], VideoFrame | None],
    drain: Callable[[Source], None],
    progress: Callable[[Progress], None],
    *,
    first: VideoFrame,
    frames: int = 0,
) -> None:
    """Read in one thread, write in another, change frames in this one.

    Args:
        reader: Gives what follows the first frame.
        make: Makes a frame one that is to be written, or gives None.
        drain: Writes what comes, until None; then it brings it to its end.
        progress: Called after each frame that was made.
        first: The first frame.
        frames: How many were made before.

    Raises:
        StoppedError: `progress` has raised something, or Ctrl-C was pressed.
    """
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
        threading.Thread(target=guarded, args=(drain, outgoing), daemon=True),
    ]
    for thread in threads:
        thread.start()
    stopped: StoppedError | None = None
    try:
        item: Any = first
        while item is not _END:
            made = make(item) if reader.is_frame(item) else item
            if made is not None:
                outgoing.put(made)
            if made is not None and made is not item:
                frames += 1
                try:
                    progress(reader.progress(item, frames))
                except BaseException as cause:
                    raise StoppedError(cause) from cause
            item = incoming.get()
        outgoing.put(_END)
        threads[1].join()
    except _EndedError:
        pass
    except (StoppedError, KeyboardInterrupt) as stop:
        # In the main thread Ctrl-C comes wherever it is.
        stopped = stop if isinstance(stop, StoppedError) else StoppedError(stop)
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
