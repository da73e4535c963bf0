"""Finding pairs of a dark photo and its well-lit truth, in the layouts people really have.

Used by training and by evaluation. Nothing is decoded here: sizes are checked by those who load.
"""

from __future__ import annotations

import csv
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from undark.errors import DataError
from undark.io.formats import is_readable_name
from undark.io.names import natural_key

__all__ = ["LAYOUTS", "PairSet", "TrainingPair", "find_pairs"]

LAYOUTS = (
    ("low_light", "ground_truth"),
    ("low", "high"),
    ("low", "normal"),
    ("dark", "light"),
    ("input", "target"),
)
"""Folder names of the dark and of the well-lit side, compared without regard to case."""

_UNDERSTOOD = (
    ", ".join(f"{low}/ + {high}/" for low, high in LAYOUTS) + ", or pairs.csv with columns low,high"
)


@dataclass(frozen=True, slots=True)
class TrainingPair:
    """One dark photo and its truth.

    Attributes:
        low: The dark photo.
        high: The well-lit photo of the same view.
        scene: Pairs of one scene belong on one side of a split.
        name: What the pair is called in reports; unique within its set.
    """

    low: Path
    high: Path
    scene: str
    name: str


@dataclass(frozen=True, slots=True)
class PairSet:
    """What a folder of pairs holds.

    Attributes:
        pairs: In natural order of their names (2 before 10); at least one.
        unmatched: Photos without a partner, and files that pairs.csv names but are not there.
    """

    pairs: tuple[TrainingPair, ...]
    unmatched: tuple[Path, ...]


def find_pairs(folder: Path) -> PairSet:
    """The pairs in `folder`, by its ``pairs.csv`` or by the names of its two sub-folders.

    ``pairs.csv`` has the columns ``low,high`` and optionally ``scene``; its paths are relative to
    `folder`, or to an ``images`` folder in it. Two sub-folders (see `LAYOUTS`) are matched by
    stem across formats: ``low/1.webp`` and ``high/1.jpg`` (or ``low/low1.png`` and
    ``normal/normal1.png``); a ``scenes.csv`` beside them (``scene,name``) groups pairs into
    scenes. A pair without a scene is a scene of its own.

    Raises:
        DataError: No layout is recognised, more than one is, or it holds no pair.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DataError(f"{folder}: not a folder of pairs; expected {_UNDERSTOOD}")
    table = folder / "pairs.csv"
    found = _from_table(table) if table.is_file() else _from_folders(folder)
    if not found.pairs:
        raise DataError(
            f"{folder}: no dark photo has a partner of the same stem"
            f" ({len(found.unmatched)} without); expected {_UNDERSTOOD}"
        )
    return found


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
    return PairSet(tuple(pairs), tuple(unmatched))


def _locate(folder: Path, written: str) -> Path:
    """The file that a row of pairs.csv means: in the folder itself or in its ``images``."""
    plain = folder / written
    beside = folder / "images" / written
    return beside if not plain.is_file() and beside.is_file() else plain


def _from_folders(folder: Path) -> PairSet:
    children: dict[str, Path] = {}
    for child in sorted(folder.iterdir()):
        if child.is_dir():
            children.setdefault(child.name.lower(), child)
    present = [names for names in LAYOUTS if all(name in children for name in names)]
    if not present:
        raise DataError(f"{folder}: no pairs found; expected {_UNDERSTOOD}")
    if len(present) > 1:
        both = " and ".join(f"{low}/ + {high}/" for low, high in present)
        raise DataError(f"{folder}: holds {both}; give the folder of one, or write a pairs.csv")
    lows, highs = (_photos(children[name]) for name in present[0])
    if not lows.keys() & highs.keys():
        # LOL-v2 names its files low00690.png and normal00690.png.
        lows, highs = (
            {stem.removeprefix(side): path for stem, path in photos.items()}
            for side, photos in zip(present[0], (lows, highs), strict=True)
        )
    scenes_file = folder / "scenes.csv"
    scenes = (
        {_same(row["name"]): row["scene"] for row in _rows(scenes_file, ("scene", "name"))}
        if scenes_file.is_file()
        else {}
    )
    pairs = [
        TrainingPair(
            lows[stem],
            highs[stem],
            scenes.get(_same(lows[stem].stem)) or f"pair {lows[stem].stem}",
            lows[stem].stem,
        )
        for stem in sorted(lows.keys() & highs.keys(), key=natural_key)
    ]
    unmatched = [
        photos[stem]
        for photos, others in ((lows, highs), (highs, lows))
        for stem in sorted(photos.keys() - others.keys(), key=natural_key)
    ]
    return PairSet(tuple(pairs), tuple(unmatched))


def _same(stem: str) -> str:
    """A stem as it is compared: file systems differ in case and in Unicode form."""
    return unicodedata.normalize("NFC", stem).lower()


def _photos(folder: Path) -> dict[str, Path]:
    """The photos in `folder` by the stem they are compared with."""
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.is_file() and is_readable_name(path):
            other = found.setdefault(_same(path.stem), path)
            if other is not path:
                raise DataError(f"{folder}: {other.name} and {path.name} have the same stem")
    return found
