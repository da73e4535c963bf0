"""All of what comes only once, in a file that is deleted when nobody reads it any more."""

from __future__ import annotations

import shutil
from tempfile import TemporaryFile
from typing import IO, Any

__all__ = ["Held"]


class Held:
    """A file for PyAV to read, which closes none.

    Args:
        source: What is read to its end.
        head: What was read of it before.
    """

    def __init__(self, source: Any, head: bytes = b"") -> None:
        """Read all."""
        self._file: IO[bytes] = TemporaryFile()  # noqa: SIM115 - closed with this object
        self._file.write(head)
        shutil.copyfileobj(source, self._file)
        self._file.seek(0)
        self.read = self._file.read
        self.seek = self._file.seek
        self.tell = self._file.tell

    def __del__(self) -> None:
        """Delete it."""
        self._file.close()
