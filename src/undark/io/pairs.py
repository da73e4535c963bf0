"""Finding pairs of a dark photo and its well-lit truth, in the layouts people really have.

Used by training and by evaluation. Nothing is decoded here but some images of a folder that may
hold A|B images: sizes are checked by those who load.
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from undark.errors import DataError, UsageError
from undark.io.formats import is_readable_name
from undark.io.halves import DARK_HALVES, DarkHalf, Half, Shot, halves_in
from undark.io.matching import (
    LAYOUTS,
    Matched,
    in_one_folder,
    in_two_folders,
    named_sides,
    same,
    side_folders,
)
from undark.io.names import counted, natural_key

__all__ = [
    "LAYOUTS",
    "PairSet",
    "TrainingPair",
    "find_pairs",
    "holds_pairs",
    "photos_below",
    "swapped",
]

_UNDERSTOOD = (
    ", ".join(f"{low}/ + {high}/" for low, high in LAYOUTS)
    + ", the same with a name (night_in/ + night_out/), names such as a_low.png + a_high.png,"
    " A|B images, or pairs.csv with columns low,high"
)

_MEASURING = re.compile(r"(test|eval|val)(?![a-z])|(testing|evaluation|validation)")
"""How folders begin that are kept for measuring."""

_SERIES = 4
"""So many sub-folders or more are taken for scenes or clips, each of which is split as one."""

_BRIGHTER = 1.05
"""So many times as bright as its truth is brighter than that: noise alone makes less."""


@dataclass(frozen=True, slots=True)
class TrainingPair:
    """One dark photo and its truth.

    Attributes:
        low: The dark photo.
        high: The well-lit photo of the same view.
        scene: Pairs of one scene belong on one side of a split.
        name: What the pair is called in reports; unique within its set.
    """

    low: Shot
    high: Shot
    scene: str
    name: str


@dataclass(frozen=True, slots=True)
class PairSet:
    """What a folder of pairs holds.

    Attributes:
        pairs: In natural order of their names (2 before 10); at least one.
        unmatched: Photos without a partner, and files that pairs.csv names but are not there.
        rules: How they were matched, in words.
    """

    pairs: tuple[TrainingPair, ...]
    unmatched: tuple[Path, ...]
    rules: tuple[str, ...] = ()

    def explain(self, folder: Path) -> list[str]:
        """How the pairs were matched, with three of them: lines for a user."""
        count = len(self.pairs)
        middle = sorted({0, count // 2, count - 1})
        return [
            f"{folder}: {counted(count, 'pair')}; {'; '.join(self.rules)}",
            *(
                f"  {_below(folder, self.pairs[i].low)} with {_below(folder, self.pairs[i].high)}"
                for i in middle
            ),
        ]


def _below(folder: Path, path: Shot) -> str:
    if isinstance(path, Half):
        return f"{_below(folder, path.path)}, {path.side} half,"
    return Path(os.path.relpath(path, folder)).as_posix()


def find_pairs(folder: Path, dark_half: DarkHalf = "guess") -> PairSet:
    """The pairs in `folder`, by its ``pairs.csv``, its two sub-folders or the names of its files.

    ``pairs.csv`` has the columns ``low,high`` and optionally ``scene``; its paths are relative to
    `folder`, or to an ``images`` folder in it. Two sub-folders (see `LAYOUTS`; other usual words
    are known too), and the folders in them, are matched by stem across formats: ``low/1.webp``
    and ``high/1.jpg``, ``low/low1.png`` and ``normal/normal1.png``, ``input/1_in.png`` and
    ``gt/1_gt.png``. A ``scenes.csv`` beside them (``scene,name``) groups pairs into scenes; where
    it is absent, four or more folders inside the sides are a scene each, and otherwise each pair
    is one. Two folders may also share a name that such a word ends or begins: ``night_in`` and
    ``night_out``. Files that lie together are matched by a word for their side: ``a_low.png`` and
    ``a_high.png``, ``before.jpg`` and ``after.jpg``. What is none of these is looked for in the
    folders inside `folder`. Images that hold both sides, left and right (A|B), are recognised
    where nothing else is, or where `dark_half` says which half is the dark one.

    Raises:
        UsageError: `dark_half` is none of `DARK_HALVES`.
        DataError: No layout is recognised, more than one is, or it holds no pair; or it holds
            pairs to learn from and pairs to measure on (``train/``, ``test/``).
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DataError(f"{folder}: not a folder of pairs; expected {_UNDERSTOOD}")
    parts = _parts(folder, dark_half)
    if not parts:
        raise DataError(f"{folder}: no pairs found; expected {_UNDERSTOOD}")
    found = parts[0][1] if len(parts) == 1 else _together(parts, folder)
    if not found.pairs:
        raise DataError(
            f"{folder}: no dark photo has a partner of the same stem"
            f" ({len(found.unmatched)} without); expected {_UNDERSTOOD}"
        )
    if _passes_over(folder, parts):
        raise DataError(
            f"{folder}: its photos are no pairs, though {parts[0][0]} holds some; give that folder,"
            f" or arrange {_UNDERSTOOD}"
        )
    _check_one_purpose(folder, found.pairs)
    return found


def swapped(
    folder: Path, pairs: Sequence[TrainingPair], levels: Sequence[tuple[float, float]]
) -> str | None:
    """A warning, where the dark side is clearly brighter than the truth in most pairs.

    Over-exposed photos are learned from so, so it need not be a mistake.

    Args:
        folder: Of the pairs.
        pairs: As `find_pairs` gives them.
        levels: Mean levels of the dark photo and of the truth of each that can be used.
    """
    brighter = sum(low > _BRIGHTER * high for low, high in levels)
    if not pairs or 2 * brighter <= len(levels):
        return None
    low, high = pairs[0].low, pairs[0].high
    if isinstance(low, Half):
        how = f"say --ab {'right' if low.side == 'left' else 'left'}"
    elif (folder / "pairs.csv").is_file():
        how = "exchange the columns low and high of pairs.csv"
    elif isinstance(high, Half) or low.parent == high.parent:
        how = f"exchange the words for the sides in the names ({low.name}, {_below(folder, high)})"
    else:
        sides = [_below(folder, side.parent) for side in (low, high)]
        how = f"exchange the names of the folders {sides[0]}/ and {sides[1]}/"
    count = f"in {brighter} of {len(levels)} pairs" if len(levels) > 1 else "in its pair"
    return (
        f"warning: {folder}: {count} the dark side is brighter than the truth; if the sides are"
        f" swapped, {how}"
    )


def _parts(folder: Path, dark_half: DarkHalf) -> list[tuple[Path, PairSet]]:
    """Each folder of pairs at or below `folder`, with what it holds."""
    if dark_half not in DARK_HALVES:
        raise UsageError(f"the dark half is left or right, not {dark_half!r}", argument="dark_half")
    found = _search(folder, depth=4) if dark_half == "guess" else []
    return found or _search_halves(folder, depth=4, dark_half=dark_half)


def _search_halves(folder: Path, depth: int, dark_half: DarkHalf) -> list[tuple[Path, PairSet]]:
    """Each folder of A|B images at or below `folder`, with its pairs."""
    found: list[tuple[Path, PairSet]] = []
    if (halves := halves_in(_photos(folder), dark_half)) is not None:
        pairs = [
            TrainingPair(low, high, f"pair {low.path.stem}", low.path.stem)
            for low, high in halves.pairs
        ]
        found.append((folder, PairSet(tuple(pairs), (), (halves.rule,))))
    for child in _folders(folder) if depth > 0 else ():
        found += _search_halves(child, depth - 1, dark_half)
    return found


def holds_pairs(folder: Path, dark_half: DarkHalf = "guess") -> bool:
    """Whether `folder` is one of pairs, and not just one of photos.

    Raises:
        DataError: It is, and more than one layout is recognised, or its ``pairs.csv`` is wrong.
    """
    parts = _parts(Path(folder), dark_half)
    return bool(parts) and not _passes_over(Path(folder), parts)


def _passes_over(folder: Path, parts: Sequence[tuple[Path, PairSet]]) -> bool:
    """Whether `folder` has more photos of its own than there are pairs in the folders inside."""
    count = sum(len(part.pairs) for _, part in parts)
    return parts[0][0] != folder and len(_photos(folder)) > count


def photos_below(folder: Path) -> list[Path]:
    """The photos in `folder` and in the folders inside it, in order; hidden ones left out."""
    found: list[Path] = []
    seen = {folder.resolve()}
    for here, folders, files in os.walk(folder, followlinks=True):
        inside = [Path(here, name) for name in folders if not name.startswith(".")]
        folders[:] = [path.name for path in inside if path.resolve() not in seen]
        seen.update(path.resolve() for path in inside)
        found += [Path(here, name) for name in files if is_readable_name(Path(name))]
    return sorted(found, key=lambda path: natural_key(path.relative_to(folder).as_posix()))


def _search(folder: Path, depth: int) -> list[tuple[Path, PairSet]]:
    """Each folder of pairs at or below `folder`, with what it holds."""
    table = folder / "pairs.csv"
    if table.is_file():
        return [(folder, _from_table(table))]
    children = _folders(folder)
    inside = {path.name.lower(): path for path in reversed(children)}
    sides = side_folders(folder, inside)
    if sides is not None:
        return [(folder, _from_sides(folder, (inside[sides[0]], inside[sides[1]])))]
    found: list[tuple[Path, PairSet]] = []
    photos = _photos(folder)
    together = in_one_folder(photos)
    # Where less than half of the photos are of pairs, the words mean something else.
    if together.pairs and 4 * len(together.pairs) >= len(photos):
        found.append((folder, _named(together, [], folder)))
    for child in children if depth > 0 else ():
        found += _search(child, depth - 1)
    if found:
        return found
    sets = {
        name: _from_sides(folder, (inside[low], inside[high]))
        for name, (low, high) in named_sides(folder, inside).items()
    }
    # Such names may mean something else too, so without a pair they are no sides.
    sets = {name: pairs for name, pairs in sets.items() if pairs.pairs}
    # Of several, each is a set by itself, under the name that its sides share.
    return [(folder if len(sets) == 1 else folder / name, pairs) for name, pairs in sets.items()]


def _folders(folder: Path) -> list[Path]:
    return sorted(
        (path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")),
        key=lambda path: natural_key(path.name),
    )


def _photos(folder: Path) -> list[Path]:
    found = (path for path in folder.iterdir() if is_readable_name(path) and path.is_file())
    return sorted(found, key=lambda path: natural_key(path.name))


def _together(parts: Sequence[tuple[Path, PairSet]], folder: Path) -> PairSet:
    """The pairs of several folders as one set; each keeps its folder in its name."""

    scene_each = len(parts) >= _SERIES
    pairs: list[TrainingPair] = []
    for here, part in parts:
        place = "" if here == folder else here.relative_to(folder).as_posix()
        for pair in part.pairs:
            name = f"{place}/{pair.name}".lstrip("/")
            scene = f"{place}/{pair.scene}".lstrip("/")
            if pair.scene == f"pair {pair.name}":
                scene = place if scene_each and place else f"pair {name}"
            pairs.append(replace(pair, name=name, scene=scene))
    rules = list(dict.fromkeys(rule for _, part in parts for rule in part.rules))
    rules.append(
        f"in {len(parts)} folders" + (", each of which is one scene" if scene_each else "")
    )
    unmatched = [path for _, part in parts for path in part.unmatched]
    return PairSet(tuple(pairs), tuple(unmatched), tuple(rules))


def _check_one_purpose(folder: Path, pairs: Sequence[TrainingPair]) -> None:
    """Refuse a folder that holds both what one learns from and what one measures on."""
    places = {pair.low.parent.relative_to(folder) for pair in pairs if folder in pair.low.parents}
    parts = {part for place in places for part in place.parts}
    measuring = sorted(part for part in parts if _MEASURING.match(part.lower()))
    apart = [
        place for place in sorted(places) if not any(part in measuring for part in place.parts)
    ]
    if measuring and apart:
        raise DataError(
            f"{folder}: holds pairs to learn from ({apart[0].as_posix()}) and to measure on"
            f" ({', '.join(measuring)}); give the folder of one"
        )


def _rows(table: Path, columns: Iterable[str]) -> list[dict[str, str]]:
    """The rows of a CSV file that must have `columns`; blank lines are left out."""
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, restval="", skipinitialspace=True)
            names = [(name or "").strip().lower() for name in reader.fieldnames or ()]
            reader.fieldnames = names
            if missing := [name for name in columns if name not in names]:
                raise DataError(f"{table}: the first line must name the column {missing[0]!r}")
            rows = [{k: v.strip() for k, v in row.items() if k in names} for row in reader]
    except (OSError, UnicodeError, csv.Error) as error:
        raise DataError(f"{table}: cannot be read as CSV: {error}") from error
    return [row for row in rows if any(row.values())]


def _from_table(table: Path) -> PairSet:
    pairs: list[TrainingPair] = []
    unmatched: list[Path] = []
    names: set[str] = set()
    seen: set[tuple[Path, Path]] = set()
    for number, row in enumerate(_rows(table, ("low", "high")), start=2):
        if not row["low"] or not row["high"]:
            raise DataError(f"{table}: line {number} lacks its low or its high photo")
        low, high = (_locate(table.parent, row[side]) for side in ("low", "high"))
        if missing := [path for path in (low, high) if not path.is_file()]:
            unmatched += missing
            continue
        if (low, high) in seen:
            raise DataError(f"{table}: line {number} repeats the pair {row['low']}, {row['high']}")
        seen.add((low, high))
        name = Path(row["low"]).with_suffix("").as_posix()
        if name in names:
            name = f"{row['low']} to {row['high']}"
        names.add(name)
        pairs.append(TrainingPair(low, high, row.get("scene") or f"pair {name}", name))
    pairs.sort(key=lambda pair: natural_key(pair.name))
    return PairSet(tuple(pairs), tuple(unmatched), (f"as {table.name} says",))


def _locate(folder: Path, written: str) -> Path:
    """The file that a row of pairs.csv means: in the folder itself or in its ``images``."""
    plain = folder / written
    beside = folder / "images" / written
    return beside if not plain.is_file() and beside.is_file() else plain


def _from_sides(folder: Path, sides: tuple[Path, Path]) -> PairSet:
    lows, highs = (photos_below(side) for side in sides)
    scenes = folder / "scenes.csv"
    rows = _rows(scenes, ("scene", "name")) if scenes.is_file() else []
    return _named(in_two_folders(lows, highs, sides), rows, sides[0])


def _named(matched: Matched, scenes: Sequence[dict[str, str]], low_side: Path) -> PairSet:
    """Matched photos as pairs with names, and with scenes as `scenes` and their folders say."""
    given = {same(row["name"]): row["scene"] for row in scenes}
    places = {low.parent for low, _ in matched.pairs}
    series = len(places) >= _SERIES
    pairs: list[TrainingPair] = []
    for low, high in matched.pairs:
        name = low.relative_to(low_side).with_suffix("").as_posix()
        own = low.parent.relative_to(low_side).as_posix() if series else f"pair {name}"
        scene = given.get(same(name)) or given.get(same(low.stem)) or own
        pairs.append(TrainingPair(low, high, scene, name))
    rule = matched.rule
    if series and not given:
        rule += f"; each of {len(places)} folders in {low_side.name}/ is one scene"
    return PairSet(tuple(pairs), matched.alone, (rule,))
