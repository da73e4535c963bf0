"""What a supervisor and its worker processes say to each other: small things, never pixels."""

from __future__ import annotations

from dataclasses import dataclass

from undark.fleet.plan import Row
from undark.fleet.receipts import Receipt

__all__ = ["Beat", "Ended", "Free", "Hand", "Later", "Ready", "Stop", "Task", "Trouble"]


@dataclass(frozen=True, slots=True)
class Task:
    """A key to do.

    Attributes:
        row: It.
        resumed: Somebody may have done it already.
        tries: How often it had to wait for another who makes the same.
    """

    row: Row
    resumed: bool = False
    tries: int = 0


@dataclass(frozen=True, slots=True)
class Stop:
    """To a worker: end after the photo in hand."""


@dataclass(frozen=True, slots=True)
class Ready:
    """From a worker: the model is open."""

    describe: str


@dataclass(frozen=True, slots=True)
class Beat:
    """From a worker: it lives."""


@dataclass(frozen=True, slots=True)
class Hand:
    """From a worker: this key is in hand; if it dies now, that may be the key's fault."""

    row: Row


@dataclass(frozen=True, slots=True)
class Free:
    """From a worker: nothing is in hand."""


@dataclass(frozen=True, slots=True)
class Later:
    """From a worker: another is just making the same; ask again."""

    row: Row


@dataclass(frozen=True, slots=True)
class Ended:
    """From a worker: what became of a key."""

    row: Row
    receipt: Receipt


@dataclass(frozen=True, slots=True)
class Trouble:
    """From a worker: nothing more can be done here, and why."""

    text: str
