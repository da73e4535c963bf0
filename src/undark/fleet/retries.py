"""Trying again what a store or a server was too busy to do, with waits drawn by chance."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from undark.errors import UndarkError

__all__ = ["Patience", "lasting"]

T = TypeVar("T")

# What will not be otherwise a second later.
_LASTING: Final = (
    FileNotFoundError,
    FileExistsError,
    PermissionError,
    IsADirectoryError,
    NotADirectoryError,
    NotImplementedError,
    TypeError,
    AttributeError,
    UndarkError,  # it was tried long enough
)
_NO_USE: Final = (
    "credential",
    "forbidden",
    "accessdenied",
    "signaturedoesnotmatch",
    "no such host",
)


def lasting(error: Exception) -> bool:
    """Whether to try again is of no use."""
    text = f"{type(error).__name__} {error}".lower()
    return isinstance(error, _LASTING) or any(sign in text for sign in _NO_USE)


@dataclass(frozen=True, slots=True)
class Patience:
    """How often something is tried, and how long to wait in between.

    The n-th wait is drawn evenly from 0 to `first`·2ⁿ seconds, at most `longest` ("full jitter"):
    workers that were turned away together do not come back together.

    Attributes:
        attempts: At least 1.
        first: Seconds.
        longest: Seconds.
    """

    attempts: int = 8
    first: float = 0.2
    longest: float = 20.0

    def __call__(self, work: Callable[[], T]) -> T:
        """What `work` gives, as soon as it gives something.

        Raises:
            Exception: The last one, or one that is lasting.
        """
        for attempt in range(self.attempts):
            try:
                return work()
            except Exception as error:
                if lasting(error) or attempt + 1 >= self.attempts:
                    raise
            time.sleep(random.uniform(0.0, min(self.longest, self.first * 2**attempt)))
        raise AssertionError
