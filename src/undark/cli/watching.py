"""A folder that `undark serve` watches beside what it serves."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from undark.cli.asked import Asked
from undark.cli.editing import tell
from undark.cli.opening import Engine
from undark.cli.shell import say, worded
from undark.errors import UndarkError, UsageError

if TYPE_CHECKING:
    from undark.jobs import Event

__all__ = ["watching"]

_STEP = 0.2  # Seconds; a wait without an end cannot be interrupted on Windows.


@contextmanager
def watching(
    source: Path, target: Path, *, like: Path | None, quiet: float, engine: Engine, debug: bool
) -> Generator[None]:
    """Watch a folder in a thread, until the ``with`` block ends; then finish the photo in hand.

    Args:
        source: The folder that photos and videos land in.
        target: The folder that results come out in; each one's path is written on stdout.
        like: A result or recipe by whose model and values they are made; by default as
            `undark enhance` makes them.
        quiet: Seconds for which a file must not change before it counts as whole.
        engine: What runs the models.
        debug: Show tracebacks.

    Raises:
        UsageError: The folders cannot be watched, or `like` cannot be followed.
        OutputError: `target` cannot be made.
    """
    from undark.jobs import Options, Skipped
    from undark.serve.watch import check_folders, watch

    try:
        check_folders(source, target)
    except UsageError as error:
        raise UsageError(f"{error} (--watch)") from None
    asked = Asked("default", engine, 1.0, 0.0, None, 1.0, False, None)
    if like is not None:
        asked = asked.like(like, ())
    asked.check(only_photos=False)
    stop = threading.Event()

    def notify(event: Event) -> None:
        if not isinstance(event, Skipped) or event.reason:
            tell(event, as_json=False, debug=debug)

    def run() -> None:
        try:
            watch(
                source,
                target,
                open_photos=asked.open_photos,
                open_videos=asked.open_videos,
                options=Options(adjust=asked.adjust()),
                wanted=asked.wanted(),
                quiet=quiet,
                stop=stop,
                notify=notify,
            )
        except UndarkError as error:
            say(f"{source}: is not watched any more: {worded(error)}")

    # A daemon, so that a second interrupt while the first is being obeyed ends the process.
    thread = threading.Thread(target=run, name="undark-watch", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        while thread.is_alive():
            thread.join(_STEP)
