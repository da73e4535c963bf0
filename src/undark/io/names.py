"""Names of files: the order that people expect."""

from __future__ import annotations

import re

__all__ = ["natural_key"]


def natural_key(text: str) -> list[tuple[bool, int, str]]:
    """Sort key by which "2" comes before "10"."""
    parts = (part for part in re.split(r"([0-9]+)", text) if part)
    return [(False, int(p), p) if p.isdecimal() else (True, 0, p) for p in parts]
