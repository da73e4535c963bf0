"""From settings to a server that runs, or to a word on whether it would."""

from __future__ import annotations

import asyncio
import logging
import tempfile
import webbrowser
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from undark.errors import DeviceError, UndarkError
from undark.io.photo import write_photo
from undark.photo import Photo
from undark.serve.app import create_app, page_folder
from undark.serve.listen import address, bound, listen
from undark.serve.pool import Cost, Lane, RefusedError
from undark.serve.settings import Settings
from undark.serve.tasks import Enhance

__all__ = ["check_all", "run"]


class _Lines(logging.Handler):
    """Gives what is logged to a function, a line each."""

    def __init__(self, say: Callable[[str], None]) -> None:
        super().__init__()
        self._say = say

    def emit(self, record: logging.LogRecord) -> None:
        self._say(self.format(record))


def run(
    settings: Settings,
    *,
    tell: Callable[[str], None],
    show: bool,
    log: Callable[[str], None] | None,
    debug: bool = False,
) -> None:
    """Serve until SIGINT or SIGTERM.

    Args:
        settings: How.
        tell: Called with the page's address once requests are taken.
        show: Open the page in a browser.
        log: Called with a line for each request; None for none.
        debug: Log the server's own errors in full.

    Raises:
        UsageError: The address cannot be listened at.
        ModelError: A model cannot be read.
        OutputError: No folder for uploads can be made.
    """
    access = logging.getLogger("undark.serve.access")
    access.setLevel(logging.INFO if log else logging.CRITICAL)
    handler = _Lines(log or _nobody)
    if not debug:
        handler.setFormatter(_Short())
    # uvicorn tells of errors that the server's own log has told already, with their tracebacks.
    loggers = [logging.getLogger(name) for name in ("undark.serve", "uvicorn.error")]
    loggers[1].setLevel(logging.WARNING if debug else logging.CRITICAL)
    for logger in loggers:
        logger.propagate = False
        logger.addHandler(handler)
    listening = bound(settings)
    app = create_app(settings)

    def ready() -> None:
        place = address(settings, listening)
        tell(place)
        if show:
            webbrowser.open(place)

    try:
        listen(app, settings, listening, ready=ready)
    finally:
        app.state.server.store.close()
        for logger in loggers:
            logger.removeHandler(handler)


class _Short(logging.Formatter):
    """Errors in one line."""

    def formatException(self, ei: object) -> str:  # noqa: N802 - logging's own name
        del ei
        return ""

    def format(self, record: logging.LogRecord) -> str:
        return super().format(record).strip()


def check_all(settings: Settings) -> Iterator[str]:
    """Try what a server needs, a line for each thing that is ready.

    Raises:
        UndarkError: Something is not.
    """
    listening = bound(settings)
    with listening:
        yield f"address: {address(settings, listening)} is free"
    if not (page_folder() / "index.html").is_file():
        raise UndarkError("the page's files are missing from this installation of undark")
    yield "page: there"
    names = list(settings.offered())
    lane = Lane(1, settings.engine, settings.limits, most=1, polite=False)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source, target = folder / "source.png", folder / "result"
        target.mkdir()
        write_photo(Photo(np.full((48, 64, 3), 20, np.uint8)), source)
        task = Enhance(source=source, label="a test photo", folder=target)

        async def work() -> None:
            with lane.place(Cost()) as ticket:
                await lane.run(ticket, task, seconds=settings.limits.seconds)

        try:
            asyncio.run(work())
        except RefusedError as error:
            raise DeviceError(f"a worker cannot enhance: {error}") from error
        finally:
            lane.close()
    yield "worker: enhances a photo"
    yield f"models: {', '.join(names)}"
    yield f"clients: {'need the token' if settings.token else 'of this machine alone'}"


def _nobody(_: str) -> None:
    """Where nobody listens."""
