"""Errors as the command line words them: with the option that would help."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from undark.errors import UndarkError

__all__ = ["worded"]

# By the name of the argument that an error says would have to differ.
_HINTS: Final[Mapping[str, str]] = {
    "begin": "--from and --to choose the part",
    "crf": "--crf sets it",
    "format": "--format chooses the format",
    "fps": "--fps sets it",
    "in_place": "--in-place replaces the photos themselves; leave out -o and --format then",
    "output": "-o chooses where results go",
    "overwrite": "use --overwrite to replace it",
    "preview": "--preview chooses it",
    "quality": "--quality sets it",
    "recursive": "--recursive looks into sub-folders",
    "target": "-o writes to one, for instance -o - | ffplay -",
}


def worded(error: UndarkError) -> str:
    """The error's message, and which option to use where one would help."""
    hint = _HINTS.get(error.argument or "")
    return f"{error}; {hint}" if hint else str(error)
