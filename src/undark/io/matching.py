"""Which dark photo and which light one show the same, told by the names people give them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from undark.errors import DataError
from undark.io.names import natural_key

__all__ = ["LAYOUTS", "Matched", "in_one_folder", "in_two_folders", "same", "side_folders"]

LAYOUTS = (
    ("low_light", "ground_truth"),
    ("low", "high"),
    ("low", "normal"),
    ("dark", "light"),
    ("input", "target"),
    ("before", "after"),
    ("lq", "gt"),
)
"""Usual folder names of the dark and of the well-lit side, compared without regard to case."""

_DARK = (
    *("low_light", "lowlight", "low", "dark", "night", "inputs", "input", "in"),
    *("before", "lq", "short", "source", "src", "underexposed", "under"),
)
_LIGHT = (
    *("ground_truth", "groundtruth", "gt", "high", "light", "bright", "normal", "targets"),
    *("target", "labels", "label", "after", "output", "out", "hq", "long", "reference", "ref"),
)
_LETTERS = ({"a", "x"}, {"b", "y"})
"""Folder names too short to be looked for in the names of files."""


@dataclass(frozen=True, slots=True)
class Matched:
    """What was matched, and by which rule.

    Attributes:
        pairs: The dark and the light photo of each, in natural order of the dark ones.
        alone: Photos without a partner.
        rule: In words for a user.
    """

    pairs: tuple[tuple[Path, Path], ...]
    alone: tuple[Path, ...]
    rule: str


def same(stem: str) -> str:
    """A name as it is compared: file systems differ in case and in Unicode form."""
    return unicodedata.normalize("NFC", stem).lower()


def side_folders(folder: Path, children: Iterable[str]) -> tuple[str, str] | None:
    """The names, in lower case, of the dark and the light side among a folder's `children`.

    A usual layout goes before any other word for a dark side with any for a light one.

    Raises:
        DataError: There are several of each kind.
    """
    names = set(children)
    known = [sides for sides in LAYOUTS if names.issuperset(sides)]
    dark, light = (
        sorted(names & (set(words) | letters))
        for words, letters in zip((_DARK, _LIGHT), _LETTERS, strict=True)
    )
    found = known or [(low, high) for low in dark for high in light]
    if len(found) > 1:
        both = " and ".join(f"{low}/ + {high}/" for low, high in found)
        raise DataError(f"{folder}: holds {both}; give the folder of one, or write a pairs.csv")
    return found[0] if found else None


Key = Callable[[Path], str | None]


def in_two_folders(
    lows: Sequence[Path], highs: Sequence[Path], sides: tuple[Path, Path]
) -> Matched:
    """Match photos of a dark and of a light folder, and of the folders in these.

    Of all rules the one that matches most is taken; of equals, the one that asks for more.

    Raises:
        DataError: Two photos of one side have the same name.
    """

    def place(path: Path, side: Path) -> str:
        return same(path.parent.relative_to(side).as_posix())

    def stripped(path: Path, side: Path, words: Sequence[str]) -> str:
        return _without(words, path.stem, glued=side.name) or same(path.stem)

    def by(side: Path, words: Sequence[str]) -> tuple[Key, ...]:
        return (
            lambda path: f"{place(path, side)}/{same(path.stem)}",
            lambda path: f"{place(path, side)}/{stripped(path, side, words)}",
            lambda path: same(path.stem),
            lambda path: stripped(path, side, words),
        )

    names = f"{sides[0].name}/ with {sides[1].name}/, by"
    rules = (
        f"{names} the same name",
        f"{names} the name without the word for its side",
        f"{names} the same name in any folder",
        f"{names} the name without the word for its side, in any folder",
    )
    found = [
        _joined(_keyed(lows, low), _keyed(highs, high), [*lows, *highs], rule)
        for low, high, rule in zip(by(sides[0], _DARK), by(sides[1], _LIGHT), rules, strict=True)
    ]
    best = max(found, key=lambda matched: len(matched.pairs))
    if best is found[0]:
        _refuse_doubles(lows)
        _refuse_doubles(highs)
    return best


def in_one_folder(photos: Sequence[Path]) -> Matched:
    """Match the photos of one folder by the word for its side in each name: ``a_low``, ``a_gt``."""
    dark, light = ([p for p in photos if _word(w, p.stem)] for w in (_DARK, _LIGHT))
    words = sorted({(_word(_DARK, a.stem), _word(_LIGHT, b.stem)) for a in dark for b in light})
    tried = [
        _joined(
            _keyed(dark, lambda path, word=low: _without((word,), path.stem)),
            _keyed(light, lambda path, word=high: _without((word,), path.stem)),
            photos,
            f"names with {low!r} to the same names with {high!r}",
        )
        for low, high in words
    ]
    none = Matched((), tuple(photos), "")
    return max(tried, key=lambda matched: len(matched.pairs), default=none)


def _joined(
    lows: dict[str, Path], highs: dict[str, Path], photos: Sequence[Path], rule: str
) -> Matched:
    pairs = [(lows[key], highs[key]) for key in lows.keys() & highs.keys()]
    pairs.sort(key=lambda pair: natural_key(same(pair[0].with_suffix("").as_posix())))
    taken = {path for pair in pairs for path in pair}
    return Matched(tuple(pairs), tuple(path for path in photos if path not in taken), rule)


def _keyed(photos: Sequence[Path], key: Key) -> dict[str, Path]:
    """The photos by their keys, without those that share one."""
    found: dict[str, list[Path]] = {}
    for path in photos:
        if (name := key(path)) is not None:
            found.setdefault(name, []).append(path)
    return {name: paths[0] for name, paths in found.items() if len(paths) == 1}


def _refuse_doubles(photos: Sequence[Path]) -> None:
    seen: dict[tuple[Path, str], Path] = {}
    for path in photos:
        other = seen.setdefault((path.parent, same(path.stem)), path)
        if other is not path:
            raise DataError(f"{path.parent}: {other.name} and {path.name} have the same stem")


_GAP = r"[ ._\-]"


def _word(words: Sequence[str], stem: str) -> str:
    """The first of `words` that stands at the start or the end of `stem`, or is it; or ''."""
    return next((word for word in words if _without((word,), stem) is not None), "")


def _without(words: Sequence[str], stem: str, *, glued: str = "") -> str | None:
    """`stem` without the first of `words` that it starts or ends with, or None without one.

    A gap sets the word apart, or a digit. `glued`, a folder's own name, needs neither at the
    start: ``low00690``.
    """
    text = same(stem)
    for word in words:
        if text == word:
            return ""
        pattern = (
            rf"{re.escape(word)}(?:{_GAP}+|(?=\d))(.+)|(.+?)(?:{_GAP}+|(?<=\d)){re.escape(word)}"
        )
        if found := re.fullmatch(pattern, text):
            return found[1] or found[2]
    own = same(glued)
    return text.removeprefix(own) if own and text.startswith(own) and text != own else None
