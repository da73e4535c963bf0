"""Workshops: private folders for what is being fetched and made, swept when their owner is gone."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from undark.fleet.folder import WORKSHOP

try:
    import fcntl
except ImportError:
    fcntl = None

__all__ = ["Workshop", "sweep"]

_LOCK: Final = "lock"


class Workshop:
    """A private folder that is taken away in the end; a lock in it says that its owner lives.

    Args:
        store: Folder of the results, so that they are on its disk; None for the system's place for
            temporary files.
    """

    def __init__(self, store: Path | None) -> None:
        """Make it."""
        parent = None if store is None else store / WORKSHOP
        if parent is not None:
            parent.mkdir(parents=True, exist_ok=True)
        self.folder: Path = Path(tempfile.mkdtemp(prefix=f"{WORKSHOP[1:]}-", dir=parent))
        # Who sweeps meets no lock that is not held yet.
        part = self.folder / f"{_LOCK}.new"
        self._lock = part.open("xb")
        _locked(self._lock.fileno())
        part.rename(self.folder / _LOCK)
        self._next = 0

    def new(self) -> Path:
        """A new empty folder in it."""
        self._next += 1
        folder = self.folder / str(self._next)
        folder.mkdir()
        return folder

    def close(self) -> None:
        """Take it away."""
        self._lock.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        with contextlib.suppress(OSError):  # others may work beside it
            if self.folder.parent.name == WORKSHOP:
                self.folder.parent.rmdir()

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Take it away."""
        self.close()


def sweep(store: Path | None) -> None:
    """Take away the workshops of processes that are gone; of this user alone."""
    parent = Path(tempfile.gettempdir()) if store is None else store / WORKSHOP
    for folder in parent.glob(f"{WORKSHOP[1:]}-*"):
        with contextlib.suppress(OSError):
            if hasattr(os, "getuid") and folder.lstat().st_uid != os.getuid():
                continue
            with (folder / _LOCK).open("rb+") as lock:
                if _locked(lock.fileno()):
                    shutil.rmtree(folder, ignore_errors=True)
    if store is not None:
        with contextlib.suppress(OSError):
            parent.rmdir()


def _locked(file: int) -> bool:
    """Whether the lock was free, and is now held."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
