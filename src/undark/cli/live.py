"""`undark live`: what a camera or a stream shows, brought to light as it comes."""

from __future__ import annotations

import re
import sys
from collections import deque
from contextlib import closing
from time import monotonic
from typing import Annotated

import typer

from undark.cli.opening import Engine, open_video
from undark.cli.options import (
    Debug,
    Denoise,
    Device,
    Exposure,
    Local,
    Model,
    Precision,
    Runtime,
    Strength,
    Threads,
    VideoQuality,
)
from undark.cli.shell import command, say
from undark.errors import UsageError

__all__ = ["live"]


@command
def live(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE", help="A camera (0, /dev/video0), a URL (rtsp://, http://) or a video."
        ),
    ] = "0",
    *,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="OUT",
            help="- for stdout, or a v4l2loopback device [default: a window].",
        ),
    ] = None,
    form: Annotated[
        str, typer.Option("--as", metavar="FORM", help="What stdout gets: y4m or raw (yuv420p).")
    ] = "y4m",
    model: Model = "default",
    strength: Strength = 1.0,
    exposure: Exposure = 0.0,
    denoise: Denoise = None,
    quality: VideoQuality = "balanced",
    local: Local = 1.0,
    size: Annotated[
        str | None, typer.Option("--size", metavar="WxH", help="Size asked of a camera.")
    ] = None,
    fps: Annotated[
        float | None,
        typer.Option("--fps", metavar="N", min=1.0, help="Frames a second asked of a camera."),
    ] = None,
    every: Annotated[
        bool, typer.Option("--every", help="Every frame of a video, however long it takes.")
    ] = False,
    stats: Annotated[
        bool, typer.Option("--stats", help="Report rates, dropped frames and latency each second.")
    ] = False,
    threads: Threads = None,
    device: Device = "auto",
    runtime: Runtime = "auto",
    precision: Precision = "auto",
    debug: Debug = False,  # noqa: ARG001 - read by @command
) -> None:
    """Show what a camera or stream sees, brought to light.

    Frames that come while one is worked on are dropped: what is shown is now. Esc, q, closing the
    window or Ctrl-C ends it.
    """
    from undark.io.video.camera import Live, enhanced
    from undark.io.video.sinks import ClosedError, open_sink

    if form not in ("y4m", "raw"):
        raise UsageError(f"--as must be y4m or raw, not {form!r}")
    if output == "-" and sys.stdout.isatty():
        raise UsageError("a console cannot show video; pipe it: -o - | ffplay -")
    video = open_video(
        model,
        Engine(runtime=runtime, device=device, threads=threads, precision=precision),
        strength=strength,
        exposure=exposure,
        quality=quality,
        denoise=1.0 if denoise is None else denoise,
        local=local,
    )
    wanted = _size(size)
    with (
        closing(Live(source, size=wanted, fps=fps, pace=not every)) as camera,
        closing(open_sink(output, form, camera.rate)) as screen,
    ):
        meter = _Meter(stats)
        try:
            for shot in camera.shots():
                screen.show(enhanced(shot.frame, video.enhance_planes, shot.time))
                meter.count(shot.taken, shot.missed)
        except (ClosedError, KeyboardInterrupt):
            pass
        meter.sum()


def _size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    found = re.fullmatch(r"([1-9][0-9]*)[x×]([1-9][0-9]*)", text.strip().lower())
    if found is None:
        raise UsageError(f"--size must be like 1280x720, not {text!r}")
    return int(found[1]), int(found[2])


class _Meter:
    """Counts frames, and reports on them once a second."""

    def __init__(self, reports: bool) -> None:
        self._reports = reports
        self._begin = self._reported = monotonic()
        self._shown = self._dropped = 0
        self._late: list[float] = []
        self._all: deque[float] = deque(maxlen=100_000)
        self._before = (0, 0)

    def count(self, taken: float, missed: int) -> None:
        """A frame that was there at `taken` is shown; `missed` before it were not."""
        now = monotonic()
        self._shown += 1
        self._dropped += missed
        self._late.append(now - taken)
        self._all.append(now - taken)
        if self._reports and now - self._reported >= 1.0:
            shown, dropped = self._shown - self._before[0], self._dropped - self._before[1]
            seconds = now - self._reported
            say(
                f"{(shown + dropped) / seconds:.1f} fps in, {shown / seconds:.1f} shown,"
                f" {dropped} dropped, latency {1e3 * sum(self._late) / shown:.0f} ms"
                f" (worst {1e3 * max(self._late):.0f})"
            )
            self._reported, self._before = now, (self._shown, self._dropped)
            self._late.clear()

    def sum(self) -> None:
        """The whole."""
        if self._reports and self._all:
            ordered = sorted(self._all)
            say(
                f"{self._shown} frames shown, {self._dropped} dropped,"
                f" {self._shown / max(monotonic() - self._begin, 1e-3):.1f} fps;"
                f" latency: median {1e3 * ordered[len(ordered) // 2]:.0f} ms,"
                f" 95 % under {1e3 * ordered[int(0.95 * (len(ordered) - 1))]:.0f} ms"
            )
