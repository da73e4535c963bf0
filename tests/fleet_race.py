"""A race of processes for the same names; apart, so that they need little to start."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from undark.fleet.opening import open_store

__all__ = ["race"]


def race(addresses: Sequence[str], mark: int, names: int, gate: Any, results: Any) -> None:
    """Put the same names into each store as soon as all are there; tell which were won."""
    stores = {address: open_store(address) for address in addresses}
    won: dict[str, list[int]] = {}
    for address, store in stores.items():
        gate.wait()
        won[address] = [n for n in range(names) if store.put(f"{n}", b"%d" % mark)]
    results.put((mark, won))
