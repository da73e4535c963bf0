"""One line of time for a file whose own timestamps begin late, or jump."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from undark.io.video.libav import libav

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet

__all__ = ["Timeline"]

# Seconds by which timestamps may go back, or ahead in a broadcast, before another recording must
# have begun; as in FFmpeg.
_BACK: Final = Fraction(1, 10)
_AHEAD: Final = Fraction(10)
# A file that begins later than so many seconds was cut from a longer one.
_LATE: Final = Fraction(10)
_TIMED: Final = ("video", "audio")


@dataclass(slots=True)
class _Track:
    """Where a stream is: how many recordings it has begun, its last stamp, its end on the line."""

    part: int = 0
    last: Fraction = Fraction(0)
    end: Fraction = Fraction(0)


class Timeline:
    """Timestamps of all streams of a file, on a line that begins at 0 and never jumps back.

    The clock of a broadcast (MPEG-TS, MPEG-PS) begins anywhere: its first stamp becomes 0. Where
    recordings were joined, so that timestamps jump back, the next one begins where all streams of
    the one before have ended; all its streams are moved by the same time, so they keep their sync.

    Args:
        container: Open, nothing read.

    Attributes:
        is_clock: The file is a broadcast's, in which time may jump.
        begin: The file's own time that becomes 0, in seconds.
    """

    def __init__(self, container: InputContainer) -> None:
        """See where the file begins."""
        av = libav()
        self.is_clock: bool = bool(container.format.flags & av.format.Flags.ts_discont.value)
        starts = [
            stream.start_time * stream.time_base
            for stream in container.streams
            if stream.type in _TIMED and stream.start_time is not None and stream.time_base
        ]
        start = min(starts, default=Fraction(0))
        late = self.is_clock or start >= _LATE
        self.begin: Fraction = start if late else Fraction(0)
        self._shifts = [-self.begin]
        self._tracks: dict[int, _Track] = {}

    def place(self, packet: Packet[Any]) -> None:
        """Set the packet's timestamps to what they are on the line."""
        base = packet.time_base
        timed = packet.stream.type in _TIMED
        shift = self._shift_of(packet, base) if timed else self._shifts[-1]
        if shift:
            ticks = round(shift / base)
            packet.pts = None if packet.pts is None else packet.pts + ticks
            packet.dts = None if packet.dts is None else packet.dts + ticks

    def _shift_of(self, packet: Packet[Any], base: Fraction) -> Fraction:
        index = packet.stream.index
        # Without its time of decoding a packet of video says nothing: frames are reordered.
        stamp = packet.dts
        if stamp is None and packet.stream.type == "audio":
            stamp = packet.pts
        track = self._tracks.get(index)
        if stamp is None:
            return self._shifts[track.part if track else 0]
        now = stamp * base
        end = now + (packet.duration or 0) * base
        if track is None:
            track = self._tracks[index] = _Track()
        elif now + _BACK < track.last or (self.is_clock and now > track.last + _AHEAD):
            track.part = self._part_after(track, now)
        track.last = now
        shift = self._shifts[track.part]
        track.end = max(track.end, end + shift)
        return shift

    def _part_after(self, track: _Track, now: Fraction) -> int:
        """The recording that a stream comes to with the stamp `now`: one that another has begun,
        or a new one."""
        for part in range(track.part + 1, len(self._shifts)):
            if abs(now + self._shifts[part] - track.end) < _AHEAD:
                return part
        self._shifts.append(max(item.end for item in self._tracks.values()) - now)
        return len(self._shifts) - 1
