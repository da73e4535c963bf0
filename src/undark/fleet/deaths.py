"""Deaths: how often a worker died with a key in hand, kept with the plan."""

from __future__ import annotations

import json
import time
from typing import Final

from undark.fleet.plan import Row
from undark.fleet.receipts import Receipt
from undark.fleet.stores import Store

__all__ = ["MOST", "note_death"]

MOST: Final = 3
"""Deaths after which a key is set aside."""


def note_death(store: Store, row: Row, round: int, how: str) -> Receipt | None:
    """Note that a worker died with a key in hand.

    Args:
        store: The plan's.
        row: The key.
        round: Of the run.
        how: How the worker ended.

    Returns:
        A receipt that sets the key aside, once it was in hand at `MOST` deaths; before that, None.
    """
    line = json.dumps({"how": how, "at": time.time_ns()}).encode()
    for number in range(1, MOST + 1):
        name = f"deaths/{row.shard:06d}.{round}/{row.row}.{number}"
        if store.put(name, line):
            break
    else:
        number = MOST
    if number < MOST:
        return None
    error = f"{row.key}: set aside: {MOST} workers died with it in hand, the last by {how}"
    return Receipt(row.row, row.key, at=time.time(), kind="SetAside", error=error)
