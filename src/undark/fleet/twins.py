"""Twins: the same bytes under two keys are done once; who comes later takes a copy."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from undark.fleet.plan import Row
from undark.fleet.stores import Store

__all__ = ["Original", "Twins"]


@dataclass(frozen=True, slots=True)
class Original:
    """A result that was made of the same bytes; its `output` is empty where they made none."""

    output: str
    sha256: str
    bytes: int


class Twins:
    """Who makes a result that several keys have in common, and where it is.

    Args:
        store: The plan's.
    """

    def __init__(self, store: Store) -> None:
        """Nothing is asked yet."""
        self._store = store

    def find(self, identity: str) -> Original | None:
        """The result of that identity, if another key has made it."""
        data = self._store.find(f"{_place(identity)}.json")
        return None if data is None else Original(**json.loads(data))

    def claim(self, identity: str, row: Row) -> bool:
        """Whether it is for this key to make it; a claim outlives who made it."""
        return self._store.put(f"{_place(identity)}.claim", f"{row.shard}/{row.row}".encode())

    def tell(self, identity: str, made: Original) -> None:
        """Tell the others where it is."""
        self._store.put(f"{_place(identity)}.json", json.dumps(asdict(made)).encode())


def _place(identity: str) -> str:
    return f"same/{identity[:2]}/{identity}"
