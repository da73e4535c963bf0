"""What is to be done with a video apart from changing its frames, and how far it has come."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import get_args

from undark.errors import UsageError
from undark.io.strip import check_strip
from undark.io.video.coding import Coding
from undark.io.video.preview import Preview

__all__ = ["Progress", "Transcoding"]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a video has come.

    Attributes:
        frames: Changed so far.
        fraction: Of the video, 0 to 1.
        total: Frames that there will be, as far as is known; at least `frames`.
    """

    frames: int
    fraction: float
    total: int


@dataclass(frozen=True, slots=True)
class Transcoding:
    """What is to be done with a video apart from changing its frames.

    Attributes:
        coding: How it is encoded.
        begin: Seconds from the video's begin at which the result begins.
        end: Seconds from the video's begin at which it ends, or None.
        preview: Show before and after in one frame, or None.
        fps: Frames a second of numbered images, which know no time.
        strip: What is left out of the metadata: "all", "gps" (the place) or None; see
            :func:`undark.io.strip.stripped`. Streams of data, where cameras keep their way, go
            with either.
        sdr: Bring HDR within the range of SDR, BT.709.
        gaps: Numbered images may lack numbers.
        keep_interlaced: Keep the two fields of interlaced frames, which are otherwise made whole.
    """

    coding: Coding = field(default_factory=Coding)
    begin: float = 0.0
    end: float | None = None
    preview: Preview | None = None
    fps: float = 25.0
    strip: str | None = None
    sdr: bool = False
    gaps: bool = False
    keep_interlaced: bool = False

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            UsageError: There is no such part, preview, rate or thing to leave out.
        """
        check_strip(self.strip)
        if self.begin < 0.0 or (self.end is not None and self.end <= self.begin):
            raise UsageError("begin must be at least 0, and end later than begin", argument="begin")
        if self.preview is not None and self.preview not in get_args(Preview):
            raise UsageError(
                f"preview must be side or split, not {self.preview!r}", argument="preview"
            )
        if self.preview is not None and self.keep_interlaced:
            raise UsageError(
                "before and after are shown in whole frames; leave one out",
                argument="keep_interlaced",
            )
        if not 0.0 < self.fps < math.inf:
            raise UsageError(f"fps must be above 0, not {self.fps:g}", argument="fps")
