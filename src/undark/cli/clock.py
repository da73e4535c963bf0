"""Times of a video as a person writes them."""

from __future__ import annotations

import math

from undark.errors import UsageError

__all__ = ["seconds"]


def seconds(text: str | None, option: str) -> float | None:
    """Seconds of ``90``, ``1:30`` or ``1:02:03.5``; None for none.

    Raises:
        UsageError: It is no time.
    """
    if text is None:
        return None
    total = 0.0
    try:
        *before, last = text.strip().split(":")
        if len(before) > 2:
            raise ValueError
        for part in before:
            total = (total + int(part)) * 60
        total += float(last)
    except ValueError:
        total = math.nan
    if not 0.0 <= total < math.inf:
        raise UsageError(f"{option} {text!r} is not a time; write seconds, or 1:30, or 1:02:03.5")
    return total
