"""Receipts: whatever order deaths and retries come in, one stands for each key."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from undark.fleet.deaths import note_death
from undark.fleet.folder import Folder
from undark.fleet.plan import Plan, Row
from undark.fleet.receipts import Ledger, Receipt, standing
from undark.fleet.rounds import ask_again, rounds_of

pytest.importorskip("pyarrow", reason="the extra fleet is not installed")

T = TypeVar("T")
ROWS = 5


class DeathError(BaseException):
    """The process is killed here."""


class Steps(Folder):
    """A folder that is asked in steps: before and after each, its owner may be killed.

    Args:
        root: The folder.
    """

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.left: int | None = None
        self.turn: Callable[[], None] = lambda: None

    def _step(self, work: Callable[[], T]) -> T:
        self.turn()
        self._count()
        found = work()
        self._count()
        return found

    def _count(self) -> None:
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise DeathError

    def find(self, name: str) -> bytes | None:
        return self._step(lambda: super(Steps, self).find(name))

    def put(self, name: str, data: bytes) -> bool:
        return self._step(lambda: super(Steps, self).put(name, data))

    def delete(self, name: str) -> None:
        self._step(lambda: super(Steps, self).delete(name))


def receipt(row: int, round: int, mark: str, *, bad: bool) -> Receipt:
    """What a worker gives for a row: always the same result, by whoever it is done."""
    if bad:
        return Receipt(row, f"k{row}", kind="DamagedError", error=f"k{row}: is torn", note=mark)
    return Receipt(row, f"k{row}", f"id{row}", f"k{row}.jpg", f"sha{row}", note=f"{mark} {round}")


def write_shard(plan: Plan, mark: str, *, batch: int, upto: int, torn: frozenset[int]) -> None:
    """What a supervisor does with a shard, with its photos done at once."""
    state = standing(plan, 0, rounds_of(plan))
    if state.ledger is None:
        return
    round = state.ledger.round
    todo = list(state.pending)[:upto]
    for begin in range(0, len(todo), batch):
        some = todo[begin : begin + batch]
        state.ledger.append(
            [receipt(row, round, mark, bad=row in torn and round == 0) for row in some]
        )
    if set(state.pending) <= state.ledger.receipts.keys():
        state.ledger.pack()


class Deaths(RuleBasedStateMachine):
    """Supervisors that work on one shard, are killed anywhere, and begin again."""

    @initialize(torn=st.frozensets(st.integers(0, ROWS - 1), max_size=2))
    def begin(self, torn: frozenset[int]) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.store = Folder(Path(self.folder.name))
        self.plan = Plan(self.store, "", ROWS, 0, 1, ROWS)
        self.torn = torn
        self.seen: dict[tuple[int, int], Receipt] = {}
        self.number = 0

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self.folder.cleanup()

    def stepped(self, left: int | None) -> Plan:
        store = Steps(self.store.root)
        store.left = left
        return Plan(store, "", ROWS, 0, 1, ROWS)

    @rule(
        left=st.integers(0, 40),
        batch=st.integers(1, 3),
        upto=st.integers(1, ROWS),
    )
    def one_is_killed(self, left: int, batch: int, upto: int) -> None:
        self.number += 1
        plan, mark = self.stepped(left), f"w{self.number}"
        with contextlib.suppress(DeathError):
            write_shard(plan, mark, batch=batch, upto=upto, torn=self.torn)

    @rule(
        order=st.lists(st.integers(0, 2), max_size=80),
        lives=st.tuples(*[st.one_of(st.none(), st.integers(0, 40))] * 3),
        batch=st.integers(1, 3),
    )
    def several_at_once(self, order: list[int], lives: tuple[int | None, ...], batch: int) -> None:
        """Three supervisors; whose step in the store is next is drawn."""
        self.number += 1
        turns = _Turns(3, order)

        def work(who: int) -> None:
            plan = self.stepped(lives[who])
            plan.store.turn = lambda: turns.wait(who)  # type: ignore[attr-defined]
            try:
                mark = f"w{self.number}.{who}"
                write_shard(plan, mark, batch=batch, upto=ROWS, torn=self.torn)
            except DeathError:
                pass
            finally:
                turns.leave(who)

        threads = [threading.Thread(target=work, args=(who,)) for who in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
            assert not thread.is_alive()

    @rule()
    def retry(self) -> None:
        if not standing(self.plan, 0, rounds_of(self.plan)).pending and rounds_of(self.plan) < 2:
            ask_again(self.plan)

    @invariant()
    def what_stood_stands(self) -> None:
        """A receipt never changes and never goes, and no second one counts."""
        if not hasattr(self, "plan"):
            return
        for round in range(rounds_of(self.plan) + 1):
            ledger = Ledger(self.store, 0, round).load()
            assert not ledger.repeated
            for row in range(ROWS):
                old = self.seen.get((round, row))
                if old is not None:
                    assert ledger.receipts[row] == old
            self.seen.update(((round, row), item) for row, item in ledger.receipts.items())

    @invariant()
    def all_ends_alike(self) -> None:
        """Left to itself, a copy of the plan ends in the one set of receipts."""
        if not hasattr(self, "plan") or self.number % 4:
            return
        with tempfile.TemporaryDirectory() as copy:
            shutil.copytree(self.store.root, copy, dirs_exist_ok=True)
            plan = Plan(Folder(Path(copy)), "", ROWS, 0, 1, ROWS)
            write_shard(plan, "last", batch=2, upto=ROWS, torn=self.torn)
            write_shard(plan, "last", batch=2, upto=ROWS, torn=self.torn)
            state = standing(plan, 0, rounds_of(plan))
            assert not state.pending
            retried = rounds_of(plan) > 0
            for row, item in state.receipts.items():
                assert item.done == (row not in self.torn or retried)
                assert (item.key, item.sha256) == (f"k{row}", f"sha{row}" if item.done else "")


class _Turns:
    """Lets threads do one step at a time, in a given order, then as they come."""

    def __init__(self, count: int, order: list[int]) -> None:
        self._order = list(order)
        self._there = set(range(count))
        self._changed = threading.Condition()

    def wait(self, who: int) -> None:
        with self._changed:
            while self._next() not in (None, who):
                self._changed.wait(10)
            if self._order:
                self._order.pop(0)
            self._changed.notify_all()

    def leave(self, who: int) -> None:
        with self._changed:
            self._there.discard(who)
            self._changed.notify_all()

    def _next(self) -> int | None:
        while self._order and self._order[0] not in self._there:
            self._order.pop(0)
        return self._order[0] if self._order else None


TestDeaths: Any = Deaths.TestCase
TestDeaths.settings = settings(max_examples=25, stateful_step_count=10, deadline=None)


def test_three_deaths_set_a_key_aside_and_are_not_forgotten(tmp_path: Path) -> None:
    row = Row(0, 3, "a.jpg", "a.jpg", 1, "", twin=False)
    for number in range(3):
        aside = note_death(Folder(tmp_path), row, 0, "SIGSEGV")
        assert (aside is not None) == (number == 2)
    assert aside is not None
    assert aside.kind == "SetAside"
    assert "a.jpg: set aside: 3 workers died" in aside.error
    # Another round counts anew.
    assert note_death(Folder(tmp_path), row, 1, "SIGSEGV") is None


def test_a_late_writer_adds_nothing_to_a_packed_shard(tmp_path: Path) -> None:
    store = Folder(tmp_path)
    late = Ledger(store, 0).load()
    first = Ledger(store, 0).load()
    first.append([receipt(row, 0, "first", bad=False) for row in range(ROWS)])
    first.pack()
    assert late.append([receipt(2, 0, "late", bad=False)]) == []
    assert late.receipts == first.receipts
    assert not list((tmp_path / "receipts" / "000000.0").iterdir())
