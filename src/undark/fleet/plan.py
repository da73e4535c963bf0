"""Plans: what is to be done, in Parquet shards of about a thousand keys.

A plan's folder, which may lie in a bucket, holds everything that a fleet knows::

    plan.json                what the plan is; written last, so that it is whole where there is one
    shards/000000.parquet    keys
    run.json                 where results go, and by which recipe; see `undark.fleet.run`
    receipts/, deaths/, ...  what was done; see `undark.fleet.receipts`
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Final

from undark.errors import DataError, UnreadableError, UsageError
from undark.fleet.hashes import Hashes, short_hash
from undark.fleet.identity import result_name
from undark.fleet.listing import Key, list_source
from undark.fleet.opening import open_store
from undark.fleet.stores import Store, without_secrets
from undark.fleet.tables import decoded, encoded
from undark.io.record import this_version

__all__ = ["PER_SHARD", "Plan", "Row", "as_dict", "make_plan", "open_plan"]

PER_SHARD: Final = 1000
"""Keys in a shard, by default."""

_SCHEMA: Final = 1
_COLUMNS: Final = {
    "key": "string",
    "name": "string",
    "size": "int64",
    "version": "string",
    "twin": "bool",
    "truth": "string",
}
_MD5: Final = 32


@dataclass(frozen=True, slots=True)
class Row:
    """A key in its shard.

    Attributes:
        shard: The shard's number.
        row: The key's place in it.
        key: Its name in the source, or its whole address.
        name: Its relative name.
        size: Bytes when it was planned, or None.
        version: ETag or time of change when it was planned.
        twin: Whether another key may hold the same bytes.
        truth: Address of its truth, or empty.
    """

    shard: int
    row: int
    key: str
    name: str
    size: int | None
    version: str
    twin: bool
    truth: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan that is whole.

    Attributes:
        store: Its folder.
        source: Address that its keys are relative to.
        keys: How many.
        bytes: Of all those whose size is known.
        shards: How many.
        per_shard: Keys in each but the last.
    """

    store: Store
    source: str
    keys: int
    bytes: int
    shards: int
    per_shard: int

    def rows(self, shard: int) -> list[Row]:
        """The keys of a shard."""
        rows = decoded(self.store.get(_name(shard)))
        return [Row(shard, row, **item) for row, item in enumerate(rows)]

    def count(self, shard: int) -> int:
        """How many keys a shard has."""
        return min(self.per_shard, self.keys - shard * self.per_shard)


def make_plan(source: str, address: str, *, per_shard: int = PER_SHARD) -> Plan:
    """List a source and write its plan; a million keys take some 100 MB of memory.

    Args:
        source: As for :func:`undark.fleet.listing.list_source`.
        address: The plan's folder, here or in a bucket.
        per_shard: Keys in a shard.

    Raises:
        UsageError: There is a plan already, or two photos' results would have one name.
        UnreadableError: The source is not there, or holds no photo.
        OutputError: The plan cannot be written.
    """
    store = open_store(address)
    if store.exists("plan.json"):
        raise UsageError(f"{store.address}: there is a plan already; name another folder")
    listing = list_source(source)
    names, contents = Hashes(), Hashes()
    shard: list[Key] = []
    count = total = shards = 0
    for key in listing.read():
        _check_letters(key)
        shard.append(key)
        names.add(result_name(key.name, None))
        contents.add(_content(key))
        count += 1
        total += key.size or 0
        if len(shard) == per_shard:
            store.write(_name(shards), _coded(shard, set()))
            shards += 1
            shard = []
    if shard:
        store.write(_name(shards), _coded(shard, set()))
        shards += 1
    if not count:
        raise UnreadableError(f"{without_secrets(source)}: no photo or video found")
    plan = Plan(store, listing.root, count, total, shards, per_shard)
    _check_names(plan, names.twice())
    _mark_twins(plan, contents.twice())
    content = {"schema": _SCHEMA, "undark": this_version(), **as_dict(plan)}
    if not store.put("plan.json", json.dumps(content, indent=1).encode()):
        raise UsageError(f"{store.address}: another has just planned here; name another folder")
    return plan


def as_dict(plan: Plan) -> dict[str, Any]:
    """The plan as JSON has it, without its store."""
    return {
        name: getattr(plan, name) for name in ("source", "keys", "bytes", "shards", "per_shard")
    }


def open_plan(address: str) -> Plan:
    """The plan in that folder.

    Raises:
        UnreadableError: There is none.
        DataError: It is of a newer undark.
    """
    store = open_store(address)
    data = store.find("plan.json")
    if data is None:
        raise UnreadableError(f"{store.address}: there is no plan; make one with undark fleet plan")
    content = json.loads(data)
    if content.pop("schema") != _SCHEMA:
        raise DataError(f"{store.address}: this plan is of another version of undark")
    del content["undark"]
    return Plan(store, **content)


def _content(key: Key) -> str:
    """What keys of the same bytes have in common, as far as a listing tells.

    An ETag of 32 digits and no part count is the MD5 of the bytes; else the size must do.
    """
    digest = key.version if len(key.version) == _MD5 and key.version.isalnum() else ""
    return f"{key.size} {digest}"


def _name(shard: int) -> str:
    return f"shards/{shard:06d}.parquet"


def _coded(keys: list[Key], twins: set[int]) -> bytes:
    return encoded([{**asdict(key), "twin": _is_twin(key, twins)} for key in keys], _COLUMNS)


def _is_twin(key: Key, twins: set[int]) -> bool:
    return key.size is None or short_hash(_content(key)) in twins


def _keys(plan: Plan, shard: int) -> list[Key]:
    return [Key(row.key, row.name, row.size, row.version, row.truth) for row in plan.rows(shard)]


def _mark_twins(plan: Plan, twins: set[int]) -> None:
    """Write anew the shards in which keys may hold the same bytes as others."""
    for shard in range(plan.shards) if twins else ():
        keys = _keys(plan, shard)
        if any(_is_twin(key, twins) for key in keys):
            plan.store.write(_name(shard), _coded(keys, twins))


def _check_letters(key: Key) -> None:
    """See that names can be kept: what disks take for letters may be none."""
    try:
        f"{key.key}{key.name}".encode()
    except UnicodeEncodeError as error:
        raise UnreadableError(
            f"{ascii(key.key)[1:-1]}: its name is not UTF-8; rename it"
        ) from error


def _check_names(plan: Plan, twice: set[int]) -> None:
    """See that no two results would have one name."""
    if not twice:
        return
    met: dict[str, str] = {}
    for key in _every(plan):
        name = result_name(key.name, None)
        if short_hash(name) in twice and met.setdefault(name, key.key) != key.key:
            raise UsageError(
                f"{met[name]} and {key.key} would both become {name}; give them a column name"
            )
    if len(met) < len(twice):
        return
    first = next(iter(met.values()))
    raise UsageError(f"{first} is named twice; name each photo once")


def _every(plan: Plan) -> Iterator[Key]:
    for shard in range(plan.shards):
        yield from _keys(plan, shard)
