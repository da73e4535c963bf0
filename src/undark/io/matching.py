"""Which dark photo and which light one show the same, told by the names people give them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from undark.errors import DataError
from undark.io.names import natural_key

__all__ = [
    "LAYOUTS",
    "Matched",
    "in_one_folder",
    "in_two_folders",
    "named_sides",
    "same",
    "side_folders",
]

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
        _refuse_several(folder, found)
    return found[0] if found else None


def named_sides(folder: Path, children: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Sides that share a name: ``night_in`` and ``night_out`` among a folder's `children`.

    Args:
        folder: The folder, for a message.
        children: Names in lower case.

    Returns:
        The names of the dark and the light side, by what they share.

    Raises:
        DataError: One of these names fits several sides.
    """
    names = sorted(children)
    found: dict[str, set[tuple[str, str]]] = {}
    for low, high in product(names, names):
        shared = _shared(low, _DARK) & _shared(high, _LIGHT)
        if low != high and shared:
            found.setdefault(min(shared), set()).add((low, high))
    for sides in found.values():
        if len(sides) > 1:
            _refuse_several(folder, sorted(sides))
    return {name: sides.pop() for name, sides in found.items()}


def _shared(name: str, words: Sequence[str]) -> set[str]:
    """What is left of a folder's name without each of `words` that it starts or ends with."""
    found = {_without((word,), name) for word in words}
    return {rest for rest in found if rest}


def _refuse_several(folder: Path, found: Sequence[tuple[str, str]]) -> None:
    both = " and ".join(f"{low}/ + {high}/" for low, high in found)
    raise DataError(f"{folder}: holds {both}; give the folder of one, or write a pairs.csv")


Key = Callable[[Path], str | None]


def in_two_folders(
    lows: Sequence[Path], highs: Sequence[Path], sides: tuple[Path, Path]
) -> Matched:
    """Match photos of a dark and of a light folder, and of the folders in these.

    Of all rules the one that matches most is taken; of equals, the one that asks for more.

    Raises:
        DataError: Two photos of one side have the same name.
    """

    def keyed(side: int, word: str | None, *, anywhere: bool) -> dict[str, Path]:
        folder = sides[side]

        def key(path: Path) -> str:
            stem = same(path.stem)
            if word is not None:
                stem = _without((word,), path.stem, glued=folder.name) or stem
            place = same(path.parent.relative_to(folder).as_posix())
            return stem if anywhere else f"{place}/{stem}"

        return _keyed((lows, highs)[side], key)

    # The words that occur, and none but the folder's own name.
    words = [("", *_by_word(*item)) for item in ((lows, _DARK), (highs, _LIGHT))]
    plain: list[tuple[str | None, str | None]] = [(None, None)]
    worded = list(product(*words))
    found = [
        _joined(
            keyed(0, low, anywhere=anywhere),
            keyed(1, high, anywhere=anywhere),
            [*lows, *highs],
            f"{sides[0].name}/ with {sides[1].name}/, by the {rule}",
        )
        for anywhere, pairs, rule in (
            (False, plain, "same name"),
            (False, worded, "name without the word for its side"),
            (True, plain, "same name in any folder"),
            (True, worded, "name without the word for its side, in any folder"),
        )
        for low, high in pairs
    ]
    best = max(found, key=lambda matched: len(matched.pairs))
    if best is found[0]:
        _refuse_doubles(lows)
        _refuse_doubles(highs)
    return best


def in_one_folder(photos: Sequence[Path]) -> Matched:
    """Match the photos of one folder by the word for its side in each name: ``a_low``, ``a_gt``."""
    dark, light = (_by_word(photos, words) for words in (_DARK, _LIGHT))
    tried = [
        _joined(
            _keyed(lows, lambda path, word=low: _without((word,), path.stem)),
            _keyed(highs, lambda path, word=high: _without((word,), path.stem)),
            photos,
            f"names with {low!r} to the same names with {high!r}",
        )
        for low, lows in dark.items()
        for high, highs in light.items()
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


def _by_word(photos: Sequence[Path], words: Sequence[str]) -> dict[str, list[Path]]:
    """The photos by each of `words` that stands at the start or the end of their names."""
    found: dict[str, list[Path]] = {}
    for path in photos:
        stem = same(path.stem)
        for word in words:
            if word in stem and _without((word,), stem) is not None:
                found.setdefault(word, []).append(path)
    return found


def _without(words: Sequence[str], stem: str, *, glued: str = "") -> str | None:
    """`stem` without the first of `words` that it starts or ends with, or None without one.

    A gap sets the word apart, or a digit. `glued`, a folder's own name, needs neither at the
    start: ``low00690``.
    """
    text = same(stem)
    for word in words:
        if not word:
            continue
        if text == word:
            return ""
        pattern = (
            rf"{re.escape(word)}(?:{_GAP}+|(?=\d))(.+)|(.+?)(?:{_GAP}+|(?<=\d)){re.escape(word)}"
        )
        if found := re.fullmatch(pattern, text):
            return found[1] or found[2]
    own = same(glued)
    return text.removeprefix(own) if own and text.startswith(own) and text != own else None
