"""Timecode, the clock that cameras count frames by (SMPTE ST 12-1), moved to a later frame."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final

__all__ = ["moved", "moved_tags"]

_NAME: Final = "timecode"
_FORM: Final = re.compile(r"(\d{1,2}):(\d\d):(\d\d)([:;.])(\d{2,3})")
# Rates at which some numbers are left out, so that the clock keeps up with the day's.
_DROPPING: Final = (30, 60)
_DAY: Final = 24 * 60


def moved(timecode: str, frames: int, rate: Fraction) -> str:
    """The timecode so many frames later; itself where it is none.

    Args:
        timecode: ``hh:mm:ss:ff``; with ``;`` or ``.`` before the frames where, at 29.97 or 59.94
            frames a second, the first 2 or 4 numbers of each minute are left out, but for every
            tenth.
        frames: How many.
        rate: Frames a second.
    """
    found = _FORM.fullmatch(timecode.strip())
    whole = round(rate)
    if found is None or not frames or whole < 1:
        return timecode
    mark, digits = found[4], len(found[5])
    minute = int(found[1]) * 60 + int(found[2])
    dropped = whole // 15 if mark != ":" and whole in _DROPPING else 0
    count = (minute * 60 + int(found[3])) * whole + int(found[5])
    count -= dropped * (minute - minute // 10)
    in_ten = 600 * whole - 9 * dropped
    tens, rest = divmod((count + frames) % (_DAY // 10 * in_ten), in_ten)
    # Of ten minutes the first has all its numbers.
    minutes = 0 if rest < 60 * whole else 1 + (rest - 60 * whole) // (60 * whole - dropped)
    second, number = divmod(tens * 600 * whole + rest + dropped * minutes, whole)
    hour, second = divmod(second, 3600)
    return f"{hour:02}:{second // 60:02}:{second % 60:02}{mark}{number:0{digits}}"


def moved_tags(tags: dict[str, str], frames: int, rate: Fraction) -> dict[str, str]:
    """The tags of a file or stream, their timecode so many frames later."""
    return {
        key: moved(value, frames, rate) if key.lower() == _NAME else value
        for key, value in tags.items()
    }
