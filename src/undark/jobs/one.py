"""One photo or video, from its file to its result's."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from time import perf_counter

from undark.engine.clips import enhance_clip
from undark.engine.editor import Editor
from undark.engine.photos import Source, render
from undark.engine.video import VideoEnhancer
from undark.errors import DeviceError, OutputError, UndarkError, UnreadableError, UnsupportedError
from undark.io.formats import FORMATS, suffix_format
from undark.io.photo import write_photo
from undark.io.record import Record
from undark.io.standing import Standing, standing
from undark.io.video import options as video_options
from undark.io.video.sequence import is_sequence_name, numbered_files
from undark.io.walk import Pair, is_glob, is_replaceable
from undark.jobs.events import Done, Failed, Notice, Options, Progress, Receipt, Skipped, Started
from undark.pixels.steps import Step

__all__ = ["Tell", "enhance_one", "settled", "standing_at", "worded"]

_FEW = 3  # Frames after which a notice says how long a slow model will take.

Tell = Callable[[Started | Progress | Notice], None]
"""Called with what happens on the way."""


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
        Done; Skipped where the destination was made in this way already, or cannot say how it was
        made; Failed, also where undark did not write what is there and is not to overwrite it.
    """
    source, destination = pair.source, pair.destination
    options = options or Options()
    tell = _nobody if notify is None else notify
    begin = perf_counter()
    try:
        origin = (
            None
            if isinstance(editor, VideoEnhancer)
            else Source(source, salvage=options.salvage, max_pixels=options.max_pixels)
        )
        wanted = None if isinstance(editor, VideoEnhancer) else editor.wanted(options.adjust)
        receipt, notice = settled(pair, wanted, options, origin)
        if receipt is not None and not (isinstance(receipt, Skipped) and options.explain):
            return receipt
        tell(Started(source, destination))
        if notice:
            tell(Notice(source, destination, notice))
        steps: tuple[Step, ...] | None = None
        if isinstance(receipt, Skipped):
            return _explained(receipt, editor, origin, tell)
        times = source.stat() if options.times and source.is_file() else None
        if isinstance(editor, VideoEnhancer):
            _enhance_video(pair, editor, options, tell)
        else:
            assert origin is not None
            again = options.overwrite or bool(notice) or source == destination
            steps = _enhance_photo(pair, origin, editor, replace(options, overwrite=again), tell)
        if times is not None:
            with suppress(OSError):
                os.utime(destination, ns=(times.st_atime_ns, times.st_mtime_ns))
    except Exception as error:
        return Failed(source, destination, perf_counter() - begin, worded(source, error))
    return Done(source, destination, perf_counter() - begin, steps)


def settled(
    pair: Pair, wanted: Record | None, options: Options, origin: Source | None = None
) -> tuple[Skipped | Failed | None, str]:
    """The last word about an input, where what is there decides it; else what to say first.

    No model is needed for it. `wanted` is None for a video, which carries no record.
    """
    source, destination = pair.source, pair.destination
    in_place = source == destination
    absent = _absent(source)
    if absent is not None:
        return Failed(source, destination, 0.0, absent), ""
    if in_place and not is_replaceable(source):
        told = f"{source}: cannot be replaced in place: undark does not write its format"
        return Failed(source, destination, 0.0, UnsupportedError(told)), ""
    if options.overwrite:
        return None, ""
    if wanted is None:
        if in_place or not destination.exists():
            return None, ""
        return Skipped(source, destination, "videos carry no record of how they were made"), ""
    return standing_at(pair, wanted, options, (origin or Source(source)).digest)


def _absent(source: Path) -> UndarkError | None:
    """What to say of an input that is not there."""
    if is_sequence_name(source):
        try:
            numbered_files(source)
        except UndarkError as error:
            return error
        return None
    if source.exists():
        return None
    missing = "no photo or video matches" if is_glob(source) else "there is no such file"
    return UnreadableError(f"{source}: cannot be read: {missing}")


def standing_at(
    pair: Pair, wanted: Record, options: Options, digest: Callable[[], str]
) -> tuple[Skipped | Failed | None, str]:
    """The last word about a photo, where its destination decides it; else what to say first.

    Args:
        pair: The photo's.
        wanted: How its result is wanted.
        options: What else is asked.
        digest: Gives the sha256 of the source's bytes.
    """
    source, destination = pair.source, pair.destination
    in_place = source == destination
    kind = options.format or suffix_format(destination)
    holds = kind is None or FORMATS[kind].xmp
    found = standing(
        destination,
        replace(wanted, quality=options.quality, strip=options.strip or ""),
        digest,
        in_place=in_place,
        mute="" if holds else f"{kind} files carry no record of how they were made",
        recording=options.record,
    )
    return _judged(pair, found, remembered=holds and options.record)


def _judged(
    pair: Pair, found: Standing, *, remembered: bool
) -> tuple[Skipped | Failed | None, str]:
    source, destination = pair.source, pair.destination
    in_place = source == destination
    match found.verdict:
        case "same" | "mute":
            return Skipped(source, destination, found.text), ""
        case "other" if in_place:
            told = "was enhanced in place otherwise"
            return None, f"{told} ({found.text}); its source is gone, so this comes on top"
        case "other":
            return None, f"{destination} was made otherwise ({found.text}); done again"
        case "foreign":
            error = OutputError(
                f"{destination}: exists, and undark did not write it; choose another output, or"
                " have it replaced",
                argument="overwrite",
            )
            return Failed(source, destination, 0.0, error), ""
        case "free":
            again = in_place and not remembered
            return None, "will not show that it was enhanced; do not do it twice" if again else ""


def _explained(
    skipped: Skipped, editor: Editor | VideoEnhancer, origin: Source | None, tell: Tell
) -> Skipped:
    """What was skipped, with the steps that its photo would be done in."""
    if isinstance(editor, VideoEnhancer) or origin is None:
        return skipped
    if skipped.source == skipped.destination:
        told = "was enhanced in place, so that the steps of its source cannot be told any more"
        tell(Notice(skipped.source, skipped.destination, told))
        return skipped
    return replace(skipped, steps=editor.steps(origin.read()))


def _enhance_photo(
    pair: Pair, origin: Source, editor: Editor, options: Options, tell: Tell
) -> tuple[Step, ...] | None:
    def progress(fraction: float) -> None:
        tell(Progress(pair.source, pair.destination, fraction))

    def notice(text: str) -> None:
        tell(Notice(pair.source, pair.destination, text))

    photo, steps = render(
        origin,
        pair.destination,
        editor,
        options.adjust,
        format=options.format,
        quality=options.quality,
        explain=options.explain,
        record=options.record,
        strip=options.strip,
        progress=progress,
        tell=notice,
    )
    progress(1.0)
    write_photo(
        photo,
        pair.destination,
        format=options.format,
        quality=options.quality,
        overwrite=options.overwrite,
    )
    return steps


def _enhance_video(pair: Pair, video: VideoEnhancer, options: Options, tell: Tell) -> None:
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


def _nobody(_: object) -> None:
    """What nobody listens to."""


def _spell(seconds: float) -> str:
    """A time for a person."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def worded(source: Path, error: Exception) -> UndarkError:
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
