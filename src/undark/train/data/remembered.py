"""Which pairs a run learned from and which it held out, so that it does the same when it goes on.

Without this, a folder that has grown would be split anew, and what was learned from could be
measured as unseen.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from undark.errors import DataError
from undark.io.atomic import write_atomically
from undark.io.halves import Half
from undark.io.matching import same
from undark.io.pairs import TrainingPair
from undark.train.data.loading import Notify, tell_names

__all__ = ["Divided", "Splits"]

_FILE = "split.json"

Divided = tuple[list[TrainingPair], list[TrainingPair]]
"""The pairs to learn from, and those held out."""


@dataclass(frozen=True, slots=True)
class _Source:
    """What became of a source's pairs: each pair's name, with its dark file below the source.

    Attributes:
        name: Of the source.
        held_out: Never learned from.
        learned: All others.
        scenes: That another folder's split holds out, where the source goes by that one.
    """

    name: str
    held_out: dict[str, str]
    learned: dict[str, str]
    scenes: tuple[str, ...] = ()


class Splits:
    """How a run divided the pairs of its sources, by their numbers in the recipe."""

    def __init__(self, run: Path | None = None, known: dict[int, _Source] | None = None) -> None:
        """Those of a new run, or the `known` ones of the folder `run`."""
        self._run = run
        self._known = dict(known or {})
        self._now: dict[int, _Source] = {}

    @classmethod
    def read(cls, run: Path) -> Splits:
        """Those of the run in the folder `run`; none where it is older than such records.

        Raises:
            DataError: The record is damaged.
        """
        path = run / _FILE
        if not path.is_file():
            return cls(run)
        try:
            written: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["sources"]
            known = {
                int(number): _Source(
                    str(entry["name"]),
                    dict(entry["held_out"]),
                    dict(entry["learned"]),
                    tuple(entry["scenes"]),
                )
                for number, entry in written.items()
            }
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(
                f"{path}: does not say which pairs the run holds out ({error}); restore it, or"
                f" begin a new run with --from {run}"
            ) from error
        return cls(run, known)

    def write(self, run: Path) -> None:
        """Leave them in the folder `run`."""
        sources = {
            str(number): {
                "name": source.name,
                "held_out": source.held_out,
                "learned": source.learned,
                "scenes": source.scenes,
            }
            for number, source in sorted({**self._known, **self._now}.items())
        }
        text = json.dumps({"sources": sources}, indent=1, ensure_ascii=False)
        write_atomically(run / _FILE, text.encode())

    def keep(
        self,
        number: int,
        name: str,
        folder: Path,
        pairs: Sequence[TrainingPair],
        fresh: Divided,
        *,
        scenes: Sequence[str] = (),
        notify: Notify,
    ) -> Divided:
        """Divide `pairs` as the run did before; a new run, as `fresh` says.

        New pairs are learned from, unless they show a scene that is held out.

        Args:
            number: Of the source in the recipe.
            name: Of the source.
            folder: The source's.
            pairs: All there are now, in their order.
            fresh: As they would be divided if nothing were known.
            scenes: That another folder's split holds out, where the source goes by that one.
            notify: Told what is new and what has vanished.

        Raises:
            DataError: None of the run's pairs is there.
        """
        known = self._known.get(number)
        files = {id(pair): _file(pair, folder) for pair in pairs}
        learn, apart = fresh
        if known is not None:
            scenes = known.scenes
            learn, apart = self._as_before(known, folder, pairs, files, notify)
        held = {} if known is None else known.held_out
        learned = {} if known is None else known.learned
        self._now[number] = _Source(
            name,
            _joined(held, apart, files),
            _joined(learned, learn, files),
            tuple(sorted(scenes)),
        )
        return learn, apart

    def _as_before(
        self,
        known: _Source,
        folder: Path,
        pairs: Sequence[TrainingPair],
        files: dict[int, str],
        notify: Notify,
    ) -> Divided:
        found_held, vanished = _found(known.held_out, pairs, files)
        found_learned, _ = _found(known.learned, pairs, files)
        if not found_held and not found_learned and (known.held_out or known.learned):
            first = next(iter((known.held_out | known.learned).values()))
            raise DataError(
                f"{folder}: has none of the pairs that the run was begun with, such as {first}, so"
                " what is unseen cannot be told; say with --data where they are now, or begin a"
                f" new run on other pairs with --from {self._run}",
                argument="data",
            )
        tell_names(
            [f"{folder}: {vanished_name}" for vanished_name in vanished],
            " was held out and is no longer there",
            notify,
        )
        apart = [pair for pair in pairs if id(pair) in found_held]
        unseen = {*known.scenes, *(pair.scene for pair in apart)}
        new = [pair for pair in pairs if id(pair) not in found_held | found_learned]
        put_aside = [pair for pair in new if pair.scene in unseen]
        tell_names(
            [f"{folder}: {pair.name}" for pair in put_aside],
            " is new and shows a scene that is held out",
            notify,
        )
        if count := len(new) - len(put_aside):
            what = "pair is" if count == 1 else "pairs are"
            notify(f"{folder}: {count} {what} new since the run was begun, to learn from")
        neither = found_held | {id(pair) for pair in put_aside}
        return [pair for pair in pairs if id(pair) not in neither], apart


def _file(pair: TrainingPair, folder: Path) -> str:
    """The dark file's place below the source's folder, without its ending."""
    path = pair.low.path if isinstance(pair.low, Half) else pair.low
    return Path(os.path.relpath(path, folder)).with_suffix("").as_posix()


def _joined(
    before: dict[str, str], pairs: Sequence[TrainingPair], files: dict[int, str]
) -> dict[str, str]:
    """What was noted `before`, and those of `pairs` whose file was not."""
    noted = {same(file) for file in before.values()}
    added = {pair.name: files[id(pair)] for pair in pairs if same(files[id(pair)]) not in noted}
    return before | added


def _found(
    noted: dict[str, str], pairs: Sequence[TrainingPair], files: dict[int, str]
) -> tuple[set[int], list[str]]:
    """Which pairs (by ``id``) are `noted`, by file or else by name; and the names that are not.

    Names change where a folder of pairs comes to lie beside another one, and files where all are
    moved. One dark file may have several truths.
    """
    by_key: dict[tuple[str, ...], list[int]] = {}
    for pair in pairs:
        file, name = same(files[id(pair)]), same(pair.name)
        for key in ((file, name), ("file", file, ""), ("name", name, "")):
            by_key.setdefault(key, []).append(id(pair))
    found: set[int] = set()
    missing: list[str] = []
    for name, file in ((same(name), same(file)) for name, file in noted.items()):
        keys = ((file, name), ("file", file, ""), ("name", name, ""))
        there = next((by_key[key] for key in keys if key in by_key), None)
        found.update(there or ())
        if there is None:
            missing.append(file)
    return found, missing
