"""When a file is whole: any order of events, with news that is late or lost."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from undark.serve.intake import Intake, Signature

QUIET = 2.0
NAMES = st.sampled_from([Path(name) for name in "abc"])
ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("create"), NAMES, NAMES),
        st.tuples(st.just("write on"), NAMES, NAMES),
        st.tuples(st.just("rename"), NAMES, NAMES),
        st.tuples(st.just("remove"), NAMES, NAMES),
        st.tuples(st.just("news"), NAMES, NAMES),
        st.tuples(st.just("scan"), NAMES, NAMES),
        st.tuples(st.just("wait"), st.sampled_from([0.1, 1.0, 1.9, 2.0, 5.0]), NAMES),
        st.tuples(st.just("hand out"), st.booleans(), NAMES),
    ),
    max_size=60,
)


@dataclass
class Disk:
    """Files, a clock, and what looks at them as the watcher does."""

    intake: Intake = field(default_factory=lambda: Intake(QUIET))
    now: float = 0.0
    files: dict[Path, Signature] = field(default_factory=dict)
    changed: dict[Signature, float] = field(default_factory=dict)
    handed: list[tuple[Path, Signature]] = field(default_factory=list)
    number: int = 0

    def put(self, path: Path, inode: int) -> None:
        self.number += 1
        self.files[path] = (inode or self.number, self.number, self.number)
        self.changed[self.files[path]] = self.now

    def look(self, path: Path) -> None:
        if path in self.files:
            self.intake.see(path, self.files[path], self.now)
        else:
            if path in self.intake.known():  # a new one may have the same contents
                self.handed = [item for item in self.handed if item[0] != path]
            self.intake.gone(path)

    def scan(self) -> None:
        for path in self.files.keys() | self.intake.known():
            self.look(path)

    def hand_out(self, meanwhile: bool) -> None:
        for path in self.intake.due(self.now):
            if path not in self.files:
                self.look(path)
            elif self.intake.take(path, self.files[path], self.now):
                taken = (path, self.files[path])
                assert taken not in self.handed, "done twice"
                assert self.now - self.changed[taken[1]] > QUIET - 1e-6, "taken too early"
                self.handed.append(taken)
                if meanwhile:  # it is written on while it is enhanced
                    self.put(path, taken[1][0])
                self.look(path)

    def act(self, what: str, first: object, second: Path) -> None:
        match what, first:
            case "create", Path() as path:
                self.put(path, 0)
            case "write on", Path() as path:
                if path in self.files:
                    self.put(path, self.files[path][0])
            case "rename", Path() as path:
                if path in self.files:
                    self.files[second] = self.files.pop(path)
            case "remove", Path() as path:
                self.files.pop(path, None)
            case "news", Path() as path:
                self.look(path)
            case "scan", _:
                self.scan()
            case "wait", float() as seconds:
                self.now += seconds
            case _:
                self.hand_out(bool(first))


@given(ACTIONS)
def test_no_file_is_lost_taken_early_or_done_twice(actions: list[tuple[str, object, Path]]) -> None:
    disk = Disk()
    for what, first, second in actions:
        disk.act(what, first, second)
    for _ in range(2):
        disk.scan()
        disk.now += QUIET
        disk.hand_out(False)
    assert {path: signature for path, signature in disk.handed if path in disk.files} == disk.files
    assert not disk.intake.waits
    before = list(disk.handed)
    disk.scan()
    disk.now += 10 * QUIET
    disk.hand_out(False)
    assert disk.handed == before


def test_what_failed_without_fault_comes_again() -> None:
    disk = Disk()
    path = Path("a")
    disk.put(path, 0)
    disk.scan()
    disk.now += QUIET
    disk.hand_out(False)
    disk.intake.again(path, disk.now + 60)
    disk.handed.clear()
    disk.scan()
    disk.now += 59
    disk.hand_out(False)
    assert not disk.handed
    disk.now += 1
    disk.hand_out(False)
    assert disk.handed == [(path, disk.files[path])]
    disk.intake.again(path, disk.now + 60)
    disk.put(path, 0)
    disk.handed.clear()
    disk.scan()
    disk.now += QUIET
    disk.hand_out(False)
    assert disk.handed == [(path, disk.files[path])], "one that changed does not wait a minute"
