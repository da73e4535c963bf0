"""What a job is told, and the events by which it tells how far it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from undark.adjust import Adjust
from undark.errors import UndarkError
from undark.io.strip import check_strip
from undark.io.video.options import Transcoding
from undark.pixels.steps import Step

__all__ = [
    "Done",
    "Event",
    "Failed",
    "Notice",
    "Options",
    "Progress",
    "Receipt",
    "Skipped",
    "Started",
    "Summary",
]


@dataclass(frozen=True, slots=True)
class Options:
    """How inputs are enhanced and their results written.

    Attributes:
        adjust: What is asked of photos; a VideoEnhancer has its own.
        max_pixels: Refuse photos of more pixels, by their header.
        format: Format to write, as Pillow spells it; by default the destination's suffix decides.
        quality: 1 to 100 for lossy formats; by default the writer decides.
        overwrite: Do again what is already there, whoever made it.
        explain: Give the steps that a photo was done in, or would be done in where it is skipped.
        strip: What is left out of the metadata of photos and videos: "all" (the record too), "gps"
            (the place) or None; see :func:`undark.io.strip.stripped`.
        salvage: Take what is there of photos that are truncated or damaged.
        record: Say in each photo's result how it was made.
        times: Give results the modification time of their sources.
        transcoding: How videos are written, and which part of them.
    """

    adjust: Adjust = field(default_factory=Adjust)
    max_pixels: int | None = None
    format: str | None = None
    quality: int | None = None
    overwrite: bool = False
    explain: bool = False
    strip: str | None = None
    salvage: bool = False
    record: bool = True
    times: bool = True
    transcoding: Transcoding = field(default_factory=Transcoding)

    def __post_init__(self) -> None:
        """Check what is to be left out.

        Raises:
            UsageError: It is neither "all", "gps" nor None.
        """
        check_strip(self.strip)
        if self.strip == "all":
            object.__setattr__(self, "record", False)


@dataclass(frozen=True, slots=True)
class Started:
    """Work on this input has begun."""

    source: Path
    destination: Path


@dataclass(frozen=True, slots=True)
class Progress:
    """This fraction of the input, 0 to 1, is enhanced; a video at this many frames a second."""

    source: Path
    destination: Path
    fraction: float
    fps: float | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """A line about this input that is no error: what its result lacks, why it is done again."""

    source: Path
    destination: Path
    text: str


@dataclass(frozen=True, slots=True)
class Done:
    """The destination is written and whole; `seconds` from reading to having written.

    `steps` are those it was done in, where they were asked for.
    """

    source: Path
    destination: Path
    seconds: float
    steps: tuple[Step, ...] | None = None


@dataclass(frozen=True, slots=True)
class Skipped:
    """The destination was there already and was left as it is.

    `reason` is empty where it was made in just the way that is asked for now, and else says why
    that is not known. `steps` are those it would be done in, where they were asked for.
    """

    source: Path
    destination: Path
    reason: str = ""
    steps: tuple[Step, ...] | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """This input could not be done; nothing bears its destination's name because of it."""

    source: Path
    destination: Path
    seconds: float
    error: UndarkError


Receipt = Done | Skipped | Failed
"""How one input ended: the last word about it."""

Event = Started | Progress | Notice | Receipt
"""What happens to one input."""


@dataclass(frozen=True, slots=True)
class Summary:
    """How many inputs came to which end so far."""

    done: int = 0
    skipped: int = 0
    failed: int = 0

    @property
    def total(self) -> int:
        """All of them together."""
        return self.done + self.skipped + self.failed
