"""The commands of the command line, those of groups by both their names."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

__all__ = ["commands_in", "split"]


def commands_in(group: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Names ("enhance", "fleet run") and commands."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands_in(command, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", command


def split(words: Sequence[str], known: Collection[str]) -> tuple[str, list[str]]:
    """The name of a command, of one word or two, and its arguments."""
    both = " ".join(words[:2])
    count = 2 if both in known else 1
    return " ".join(words[:count]), list(words[count:])
