"""What of a video was damaged, and what that cost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

__all__ = ["Damage", "clock"]


@dataclass(slots=True)
class Damage:
    """Counts what goes wrong while a video is read.

    Attributes:
        sent: Packets that went into the decoder.
        got: Frames that came out.
        failures: Packets that it refused.
        hurt: Frames that show damage.
    """

    sent: int = 0
    got: int = 0
    failures: int = 0
    hurt: int = 0
    _times: list[float] = field(default_factory=list[float])

    def at(self, seconds: float) -> None:
        """Something was damaged there."""
        self._times.append(seconds)

    def lines(self) -> Iterator[str]:
        """A notice about it, if there was any."""
        if not self._times:
            return
        begin, end = clock(self._times[0]), clock(self._times[-1])
        where = f"at {begin}" if begin == end else f"between {begin} and {end}"
        lost = min(self.failures, max(self.sent - self.got, 0))
        told = f"{lost or 'no'} {'frames are' if lost > 1 else 'frame is'} lost"
        if self.hurt:
            told += f", {self.hurt} {'shows' if self.hurt == 1 else 'show'} it"
        yield f"damaged {where}: {told}"


def clock(seconds: float) -> str:
    """A time for a person: 1:05, or 1:00:05."""
    minutes, rest = divmod(max(int(seconds), 0), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
