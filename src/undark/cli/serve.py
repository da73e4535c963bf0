"""`undark serve`: the page and the HTTP API, on this machine."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, cast

import typer

from undark.cli.opening import Engine as CliEngine
from undark.cli.options import Debug, Device, Precision, Runtime, Threads
from undark.cli.shell import command, result, say
from undark.cli.watching import watching
from undark.errors import MissingExtraError, UsageError

if TYPE_CHECKING:
    from undark.serve.settings import Settings

__all__ = ["serve"]

_AMOUNTS: Final = {"": 1, "k": 1e3, "kb": 1e3, "m": 1e6, "mb": 1e6, "mp": 1e6, "g": 1e9, "gb": 1e9}
_TIMES: Final = {"": 1, "s": 1, "m": 60, "min": 60, "h": 3600}


def _option(name: str, metavar: str, meaning: str) -> Any:
    return typer.Option(name, metavar=metavar, help=meaning)


@command
def serve(
    *,
    host: Annotated[
        str, _option("--host", "ADDRESS", "Listen here; any but this machine's own needs --token.")
    ] = "127.0.0.1",
    port: Annotated[int, _option("--port", "N", "Listen at this port; 0 takes a free one.")] = 8765,
    open_page: Annotated[
        bool | None,
        typer.Option(
            "--open/--no-open", help="Open the page in a browser [default: from a terminal]."
        ),
    ] = None,
    model: Annotated[
        list[Path] | None,
        typer.Option("-m", "--model", metavar="FILE", help="Offer a model of your own, too."),
    ] = None,
    workers: Annotated[
        int, _option("--workers", "N", "Photos and videos worked on at the same time.")
    ] = 1,
    idle: Annotated[
        str, _option("--idle", "TIME", "Free the models' memory after so long without work.")
    ] = "10m",
    token: Annotated[
        str | None,
        typer.Option(
            "--token",
            metavar="TEXT",
            envvar="UNDARK_TOKEN",
            show_envvar=False,
            help="What clients must know; UNDARK_TOKEN sets it too.",
        ),
    ] = None,
    allow_host: Annotated[
        list[str] | None, _option("--allow-host", "NAME", "Another name that the server has.")
    ] = None,
    cors: Annotated[
        list[str] | None, _option("--cors", "ORIGIN", "Another page that may use the API.")
    ] = None,
    public_url: Annotated[
        str, _option("--public-url", "URL", "Where a proxy shows the server, with its path.")
    ] = "",
    max_body: Annotated[str, _option("--max-body", "SIZE", "Bytes of one file.")] = "2G",
    max_pixels: Annotated[str, _option("--max-pixels", "SIZE", "Pixels of one photo.")] = "100MP",
    max_seconds: Annotated[str, _option("--max-seconds", "TIME", "Time for one photo.")] = "10m",
    max_video_seconds: Annotated[
        str, _option("--max-video-seconds", "TIME", "Time for one video.")
    ] = "6h",
    max_queue: Annotated[int, _option("--max-queue", "N", "Files that wait.")] = 1000,
    max_queue_bytes: Annotated[
        str, _option("--max-queue-bytes", "SIZE", "Bytes of all that wait.")
    ] = "4G",
    max_queue_pixels: Annotated[
        str, _option("--max-queue-pixels", "SIZE", "Pixels of all that wait.")
    ] = "2000MP",
    max_store: Annotated[
        str, _option("--max-store", "SIZE", "Bytes of all uploads and results.")
    ] = "16G",
    max_connections: Annotated[
        int, _option("--max-connections", "N", "Connections at the same time.")
    ] = 500,
    keep: Annotated[str, _option("--keep", "TIME", "Keep what nobody asks for so long.")] = "1h",
    watch: Annotated[
        tuple[Path, Path] | None,
        typer.Option(
            "--watch",
            metavar="IN OUT",
            help="Enhance what lies in the folder IN and what lands there, into the folder OUT.",
        ),
    ] = None,
    watch_like: Annotated[
        Path | None,
        typer.Option(
            "--watch-like",
            metavar="PHOTO",
            help="What is watched: as this result of undark's, or recipe (.json), says.",
        ),
    ] = None,
    watch_quiet: Annotated[
        str, _option("--watch-quiet", "TIME", "Take files that have not changed for so long.")
    ] = "2s",
    check: Annotated[
        bool, typer.Option("--check", help="See whether all is ready, and do not serve.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Do not log requests.")] = False,
    threads: Threads = None,
    device: Device = "auto",
    runtime: Runtime = "auto",
    precision: Precision = "auto",
    debug: Debug = False,
) -> None:
    """Show a page for photos and videos in your browser, and serve the HTTP API.

    Nothing leaves this machine. Stop it with Ctrl-C.
    """
    try:
        from undark.serve.settings import Engine, Limits, Settings
        from undark.serve.start import check_all, run
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("undark"):
            raise
        raise MissingExtraError("the page and the API", "serve") from error

    limits = Limits(
        body_bytes=_amount(max_body, "--max-body"),
        pixels=_amount(max_pixels, "--max-pixels"),
        seconds=_time(max_seconds, "--max-seconds"),
        video_seconds=_time(max_video_seconds, "--max-video-seconds"),
        queue=max_queue,
        queue_bytes=_amount(max_queue_bytes, "--max-queue-bytes"),
        queue_pixels=_amount(max_queue_pixels, "--max-queue-pixels"),
        store_bytes=_amount(max_store, "--max-store"),
        connections=max_connections,
        keep_seconds=_time(keep, "--keep"),
    )
    engine: CliEngine = {
        "runtime": runtime,
        "device": device,
        "threads": threads,
        "precision": precision,
    }
    settings = Settings(
        host=host,
        port=port,
        token=token or "",
        allow_hosts=tuple(allow_host or ()),
        cors=tuple(cors or ()),
        public_url=public_url,
        models=tuple(model or ()),
        workers=workers,
        idle=_time(idle, "--idle"),
        engine=Engine(**cast("Any", engine)),
        limits=limits,
    )
    if check:
        for line in check_all(settings):
            result(line)
        return
    show = sys.stderr.isatty() if open_page is None else open_page
    with ExitStack() as beside:
        if watch is not None:
            pause = _time(watch_quiet, "--watch-quiet")
            beside.enter_context(
                watching(*watch, like=watch_like, quiet=pause, engine=engine, debug=debug)
            )
        run(settings, tell=_told(settings), show=show, log=None if quiet else say, debug=debug)


def _told(settings: Settings) -> Callable[[str], None]:
    def tell(address: str) -> None:
        result(address)
        needed = " (it asks for the token)" if settings.token else ""
        say(f"serving at {address}{needed}; Ctrl-C stops it")

    return tell


def _amount(text: str, option: str) -> int:
    """A number of ``2G``, ``100MP``, ``500k``, ``123``."""
    return round(_parsed(text, option, _AMOUNTS, "2G or 100MP"))


def _time(text: str, option: str) -> float:
    """Seconds of ``90``, ``90s``, ``10m``, ``2h``."""
    return _parsed(text, option, _TIMES, "90s, 10m or 2h")


def _parsed(text: str, option: str, units: Mapping[str, float], like: str) -> float:
    found = re.fullmatch(r"\s*(\d+\.?\d*|\.\d+)\s*([a-z]*)\s*", text.lower())
    if found is None or found[2] not in units:
        raise UsageError(f"{option} takes something like {like}, not {text!r}")
    return float(found[1]) * units[found[2]]
