"""Names of files in the order that people expect, and numbers of things in their words."""

from __future__ import annotations

import re

__all__ = ["counted", "natural_key"]


def natural_key(text: str) -> list[tuple[bool, int, str]]:
    """Sort key by which "2" comes before "10"."""
    parts = (part for part in re.split(r"([0-9]+)", text) if part)
    return [(False, int(p), p) if p.isdecimal() else (True, 0, p) for p in parts]


def counted(count: int, thing: str) -> str:
    """So many of a thing: "1 pair", "2 pairs"."""
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"
