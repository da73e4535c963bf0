"""What a worker process is given to do, and what it says: plain values that can be pickled."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from undark.adjust import Adjust
from undark.engine.frames import Quality
from undark.errors import UndarkError

__all__ = [
    "Enhance",
    "Facts",
    "Failure",
    "Finished",
    "Measure",
    "Message",
    "Moved",
    "Noticed",
    "Part",
    "Probe",
    "Result",
    "Show",
    "Shown",
    "Stop",
    "Task",
    "Value",
    "failure_of",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Enhance:
    """Enhance a photo or video as the command line does, into a folder.

    Attributes:
        source: The file, in the server's private folder.
        label: What to call it in lines for the user: the client's name of it.
        folder: Empty; the result is put there.
        model: Catalog name, the path of a model of the server's, or ``default``.
        adjust: Values asked for, by name; what is not named is as the command line has it.
        format: To write, as Pillow spells it, or None.
        quality: 1 to 100 or None.
        strip: ``all``, ``gps`` or None.
        record: Say in the result how it was made.
        salvage: Take what is there of a damaged photo.
        begin: Seconds at which the part of a video begins.
        end: Seconds at which it ends, or None.
        codec: Of a video, or None.
        crf: Likewise.
        preset: Likewise.
        bits: Likewise.
        video_quality: How much is done to each frame of a video.
    """

    source: Path
    label: str
    folder: Path
    model: str = "default"
    adjust: dict[str, float] = field(default_factory=dict[str, float])
    format: str | None = None
    quality: int | None = None
    strip: str | None = None
    record: bool = True
    salvage: bool = False
    begin: float = 0.0
    end: float | None = None
    codec: str | None = None
    crf: int | None = None
    preset: str | None = None
    bits: int | None = None
    video_quality: Quality = "balanced"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """Read the size of a photo from its header; of a video, of its first frame."""

    source: Path
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """See what a file is."""

    source: Path
    label: str


@dataclass(frozen=True, slots=True)
class Part:
    """A rectangle of the full, upright photo, in pixels."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Show:
    """Make a preview.

    Attributes:
        source: The file.
        label: What to call it.
        before: Show the source itself.
        model: As for `Enhance`.
        adjust: Likewise.
        pixels: Of the preview at most.
        at: Seconds into a video.
        part: Show this part at full size, and not the whole; None for the whole.
        video_quality: As for `Enhance`.
    """

    source: Path
    label: str
    before: bool
    model: str = "default"
    adjust: Adjust = field(default_factory=Adjust)
    pixels: int
    at: float = 0.0
    part: Part | None = None
    video_quality: Quality = "balanced"


@dataclass(frozen=True, slots=True)
class Stop:
    """Leave the task that is worked on."""


Task = Enhance | Measure | Probe | Show


@dataclass(frozen=True, slots=True)
class Moved:
    """This fraction of the input, 0 to 1, is done; of a video at this many frames a second."""

    fraction: float
    fps: float | None


@dataclass(frozen=True, slots=True)
class Noticed:
    """A line for the user that is no error."""

    text: str


@dataclass(frozen=True, slots=True)
class Result:
    """A file that was written, and the seconds that it took."""

    path: Path
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a file is.

    Attributes:
        kind: ``photo`` or ``video``.
        width: Of the upright photo, or of a frame as shown.
        height: Likewise.
        seconds: How long a video lasts; None for a photo.
        bits: Bits a sample: 8, 16 or 32.
        alpha: Whether it is transparent somewhere.
        colours: What its colours are, where they are more than sRGB.
        format: As Pillow spells it; of a video the name of its container.
        notices: Lines about what of the file will be left out.
        record: How undark made it, as JSON has it; None where it did not.
    """

    kind: str
    width: int
    height: int
    seconds: float | None
    bits: int
    alpha: bool
    format: str
    colours: str = ""
    notices: tuple[str, ...] = ()
    record: dict[str, object] | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """A preview: the bytes of an image file, and its type."""

    data: bytes
    mime: str


@dataclass(frozen=True, slots=True)
class Failure:
    """The task could not be done: the error's class, message and argument, as the client sees it.

    `stopped` where it was told to stop.
    """

    kind: str
    message: str
    argument: str = ""
    stopped: bool = False


Value = Result | Facts | Shown | int
"""What a task gives; a number of pixels where that was asked for."""


def failure_of(error: UndarkError) -> Failure:
    """An error as a failure: of the nearest class that :mod:`undark.errors` names."""
    named = (kind for kind in type(error).__mro__ if kind.__module__ == UndarkError.__module__)
    return Failure(next(named).__name__, str(error), error.argument)


@dataclass(frozen=True, slots=True)
class Finished:
    """The task is done."""

    value: Value


Message = Moved | Noticed | Finished | Failure
"""What a worker says; the last two end a task."""
