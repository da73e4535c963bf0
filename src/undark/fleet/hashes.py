"""Many names in little memory: 64 bits of each."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

__all__ = ["Hashes", "short_hash"]


def short_hash(text: str) -> int:
    """64 bits of a text, the same on every machine."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


class Hashes:
    """The hashes of many texts, 8 bytes each."""

    def __init__(self) -> None:
        """There are none yet."""
        self._full: list[NDArray[np.uint64]] = []
        self._part: list[int] = []

    def add(self, text: str) -> None:
        """Add a text."""
        self._part.append(short_hash(text))
        if len(self._part) == 1 << 16:
            self._full.append(np.array(self._part, np.uint64))
            self._part = []

    def ordered(self) -> NDArray[np.uint64]:
        """All of them, in rising order."""
        return np.sort(np.concatenate([*self._full, np.array(self._part, np.uint64)]))

    def twice(self) -> set[int]:
        """Those of texts that were added more than once."""
        every = self.ordered()
        return set(np.unique(every[1:][every[1:] == every[:-1]]).tolist())
