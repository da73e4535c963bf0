"""Numbered images, which together are a video: names such as ``frame%05d.png``."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import Final

from undark.errors import UnreadableError

__all__ = ["is_sequence_name", "numbered_files", "numbered_path"]

_NUMBER: Final = re.compile(r"%0?[0-9]*d")


def is_sequence_name(path: Path) -> bool:
    """Whether `path` stands for numbered images: ``frame%05d.png``, where no file has that name."""
    return _NUMBER.search(path.name) is not None and not path.is_file()


def numbered_files(pattern: Path, *, gaps: bool = True) -> list[tuple[int, Path]]:
    """The files that a name such as ``frame%05d.png`` stands for, with their numbers, in order.

    Args:
        pattern: The name.
        gaps: Numbers may be missing between them.

    Raises:
        UnreadableError: There is none, or one is missing.
    """
    before, after = _NUMBER.split(pattern.name, maxsplit=1)
    found: list[tuple[int, Path]] = []
    if pattern.parent.is_dir():
        for path in pattern.parent.iterdir():
            middle = path.name[len(before) : len(path.name) - len(after)]
            if middle.isdecimal() and path.name == before + middle + after:
                found.append((int(middle), path))
    if not found:
        raise UnreadableError(f"{pattern}: there are no such images")
    found.sort()
    for (number, _), (following, path) in pairwise(found):
        if not gaps and following != number + 1:
            first, last = numbered_path(pattern, number + 1), numbered_path(pattern, following - 1)
            one = first == last
            missing = f"{first.name} is" if one else f"{first.name} to {last.name} are"
            raise UnreadableError(
                f"{pattern}: is not whole: {missing} missing before {path.name};"
                " say that numbers may be missing, or put them there",
                argument="gaps",
            )
    return found


def numbered_path(pattern: Path, number: int) -> Path:
    """The file of that number."""
    return pattern.with_name(pattern.name % number)
