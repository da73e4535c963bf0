"""What lands in a folder: when a file is whole, and that each is handed out once.

Nothing here touches a disk or a clock, so that every order of events can be tried.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["Intake", "Signature"]

Signature = tuple[int, int, int]
"""What tells a file's contents apart: its number (inode), size, and mtime in ns."""


@dataclass(slots=True)
class _Waiting:
    signature: Signature
    due: float


class Intake:
    """Files as they come, are written on, replaced, renamed and removed.

    Args:
        quiet: Seconds for which a file must not change before it counts as whole.
    """

    def __init__(self, quiet: float) -> None:
        """Nothing has been seen yet."""
        self._quiet = quiet
        self._waiting: dict[Path, _Waiting] = {}
        self._taken: dict[Path, Signature] = {}

    @property
    def waits(self) -> bool:
        """Whether a file waits until it is whole, or to be tried again."""
        return bool(self._waiting)

    def known(self) -> set[Path]:
        """All files that were seen and are not known to be gone."""
        return self._waiting.keys() | self._taken.keys()

    def was_taken(self, path: Path) -> bool:
        """Whether a file was handed out before, maybe with other contents."""
        return path in self._taken

    def see(self, path: Path, signature: Signature, now: float) -> None:
        """A file is there. One that is as it was when it was handed out is left alone.

        Args:
            path: The file.
            signature: Of its contents now.
            now: Seconds, of a clock that never goes back.
        """
        waiting = self._waiting.get(path)
        if waiting is not None and waiting.signature == signature:
            return
        if waiting is None and self._taken.get(path) == signature:
            return
        self._waiting[path] = _Waiting(signature, now + self._quiet)

    def gone(self, path: Path) -> None:
        """A file is not there any more. Should the same come back, it is a new one."""
        self._waiting.pop(path, None)
        self._taken.pop(path, None)

    def due(self, now: float) -> list[Path]:
        """The files that have been quiet for long enough, those that came first in front."""
        return [path for path, item in self._waiting.items() if item.due <= now]

    def take(self, path: Path, signature: Signature, now: float) -> bool:
        """Hand a file out, if it is still as it was when it became due.

        Args:
            path: One of `due`.
            signature: Of its contents now.
            now: Seconds.

        Returns:
            Whether it is handed out; if not, it waits again.
        """
        self.see(path, signature, now)
        waiting = self._waiting.get(path)
        if waiting is None or waiting.due > now:
            return False
        del self._waiting[path]
        self._taken[path] = signature
        return True

    def again(self, path: Path, due: float) -> None:
        """Hand a file out once more, unchanged: what failed was not its fault.

        Args:
            path: One that was handed out.
            due: When, in seconds.
        """
        if path in self._taken:
            self._waiting.setdefault(path, _Waiting(self._taken[path], due))
