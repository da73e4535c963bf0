"""Receipts: what became of each key, one for each, whoever works on it and however often.

The receipts of a shard are a log of numbered parts. A part is written by put-if-absent, by one who
has read all parts before it, and holds no key that those hold; who loses a number reads what won it
and goes on. So of two receipts for a key the first stands, and there is no second. When the shard
is done its parts become one Parquet file, which from then on is what counts.

Keys that failed may be tried again in another round; its receipts are a log of their own, and stand
in the place of those of the round before.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Final

from undark.fleet.plan import Plan
from undark.fleet.stores import Store
from undark.fleet.tables import decoded, encoded

__all__ = ["Ledger", "Receipt", "Standing", "standing"]

_FOLDER: Final = "receipts"


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a key.

    Attributes:
        row: Its place in its shard.
        key: It.
        identity: Of the result; empty where the source could not be read.
        output: The result's name in the destination; empty if it failed.
        sha256: Of the result's bytes (of metrics: of their JSON).
        bytes: Of the result.
        seconds: Of work.
        at: When it was done, seconds since 1970.
        kind: Empty if it is done, else the kind of error.
        error: Empty if it is done, else the error in a line.
        note: What is to be told beside.
        copied: Whether the result is another's, whose source held the same bytes.
        metrics: As JSON; empty but for metrics.
    """

    row: int
    key: str
    identity: str = ""
    output: str = ""
    sha256: str = ""
    bytes: int = 0
    seconds: float = 0.0
    at: float = 0.0
    kind: str = ""
    error: str = ""
    note: str = ""
    copied: bool = False
    metrics: str = ""

    @property
    def done(self) -> bool:
        """Whether it is done, and did not fail."""
        return not self.kind


class Ledger:
    """The receipts of one shard and round.

    Args:
        store: The plan's.
        shard: Its number.
        round: 0, or the number of a retry.

    Attributes:
        receipts: What stands, by row.
        packed: Whether the shard is done and its parts are one file.
        repeated: Receipts that came second for their key and do not stand; there should be none.
    """

    def __init__(self, store: Store, shard: int, round: int = 0) -> None:
        """Nothing is read before `load`."""
        self._store = store
        self._base = f"{_FOLDER}/{shard:06d}.{round}"
        self._next = 0
        self.shard = shard
        self.round = round
        self.receipts: dict[int, Receipt] = {}
        self.packed: bool = False
        self.repeated: int = 0

    def load(self) -> Ledger:
        """Read what stands; an old listing does no harm. Returns itself."""
        if not self._load_packed():
            self._catch_up()
            # It may have been packed, and its parts taken away, while they were read.
            self._load_packed()
        return self

    def append(self, receipts: Sequence[Receipt]) -> list[Receipt]:
        """Add those that nobody else has given yet.

        Returns:
            Those of them that stand.
        """
        while not self.packed:
            new = [item for item in receipts if item.row not in self.receipts]
            if not new:
                break
            lines = "".join(json.dumps(asdict(item), allow_nan=False) + "\n" for item in new)
            name = self._part(self._next)
            if self._store.put(name, lines.encode()):
                if self._load_packed():  # late: the shard was packed without this part
                    self._store.delete(name)
                    break
                self._next += 1
                self.receipts.update((item.row, item) for item in new)
                return new
            self._catch_up()
            self._load_packed()
        return []

    def pack(self) -> None:
        """Make one file of the parts; to be called when every key has its receipt."""
        if not self.packed:
            rows = [self.receipts[row] for row in sorted(self.receipts)]
            self._store.put(
                f"{self._base}.parquet", encoded([asdict(item) for item in rows], _COLUMNS)
            )
            self.packed = True
        self._take_parts_away()

    def _take_parts_away(self) -> None:
        for number in range(self._next):
            self._store.delete(self._part(number))

    def _load_packed(self) -> bool:
        if not self.packed:
            data = self._store.find(f"{self._base}.parquet")
            if data is not None:
                found = [Receipt(**item) for item in decoded(data)]
                self.receipts = {item.row: item for item in found}
                self.repeated = len(found) - len(self.receipts)
                self.packed = True
        return self.packed

    def _catch_up(self) -> None:
        """Read the parts that came since; each is looked for by its number."""
        while (data := self._store.find(self._part(self._next))) is not None:
            for line in data.splitlines():
                item = Receipt(**json.loads(line))
                self.repeated += item.row in self.receipts
                self.receipts.setdefault(item.row, item)
            self._next += 1

    def _part(self, number: int) -> str:
        return f"{self._base}/{number:06d}.jsonl"


@dataclass(frozen=True, slots=True)
class Standing:
    """How a shard stands.

    Attributes:
        receipts: What stands for each row.
        ledger: The log that more is to be added to; None where all is done.
        pending: The rows that it still lacks.
    """

    receipts: Mapping[int, Receipt]
    ledger: Ledger | None
    pending: Sequence[int]


def standing(plan: Plan, shard: int, rounds: int = 0) -> Standing:
    """How a shard stands.

    Args:
        plan: The plan.
        shard: The shard's number.
        rounds: How often failed keys are to be tried again.
    """
    stands: dict[int, Receipt] = {}
    asked: Sequence[int] = range(plan.count(shard))
    for number in range(rounds + 1):
        if not asked:
            break
        ledger = Ledger(plan.store, shard, number).load()
        stands.update(ledger.receipts)
        pending = [row for row in asked if row not in ledger.receipts]
        if pending or not ledger.packed:
            return Standing(stands, ledger, pending)
        asked = [row for row in asked if not ledger.receipts[row].done]
    return Standing(stands, None, ())


_TYPES: Final = {"int": "int64", "str": "string", "float": "float64", "bool": "bool"}
_COLUMNS: Final = {item.name: _TYPES[str(item.type)] for item in fields(Receipt)}
