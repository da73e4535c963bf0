"""What a sweep tries: the values of each key, listed or between two bounds."""

from __future__ import annotations

import itertools
import math
import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import tomli_w

from undark.errors import UsageError

__all__ = ["GRID", "Axis", "combinations", "read_axes", "read_axis"]

GRID = 64
"""Combinations up to which all are tried unasked."""

_RANGE = re.compile(r"\s*([-+0-9.e]+?)\s*\.\.\s*([-+0-9.e]+)\s*", re.IGNORECASE)
_WIDE = 10.0
"""Bounds whose ratio is at least this are searched by their logarithm."""


@dataclass(frozen=True, slots=True)
class Axis:
    """A key and what it may be.

    Attributes:
        key: As a setting names it.
        values: Those listed, as a setting writes them; empty for a range.
        bounds: Lowest and highest of a range; None for a list. Of whole numbers where both are.
    """

    key: str
    values: tuple[str, ...] = ()
    bounds: tuple[float, float] | tuple[int, int] | None = None

    @property
    def examples(self) -> tuple[str, ...]:
        """The values of a list, or both ends of a range, as a setting writes them."""
        return self.values if self.bounds is None else tuple(map(repr, self.bounds))

    @property
    def logarithmic(self) -> bool:
        """Whether it is searched by its logarithm."""
        return self.bounds is not None and 0 < self.bounds[0] <= self.bounds[1] / _WIDE

    def ask(self, trial: Any) -> str:
        """A value, as a setting writes it, that Optuna's `trial` suggests."""
        if self.bounds is None:
            return str(trial.suggest_categorical(self.key, self.values))
        low, high = self.bounds
        log = self.logarithmic
        if isinstance(low, int) and isinstance(high, int):
            return str(trial.suggest_int(self.key, low, high, log=log))
        return f"{trial.suggest_float(self.key, low, high, log=log)!r}"

    def written(self, value: Any) -> str:
        """A value that Optuna keeps of this key, as a setting writes it."""
        return value if isinstance(value, str) else repr(value)


def read_axis(text: str) -> Axis:
    """The key and its values in ``KEY=A,B,C`` or ``KEY=LOW..HIGH``.

    Values are TOML, and what is not TOML is text: ``fit.lr=1e-4,4e-4``,
    ``net.widths=[16,32],[32,64]``, ``data.sources.0.darkness=dim,night``, ``fit.lr=1e-4..1e-2``.

    Raises:
        UsageError: It is neither.
    """
    key, separator, written = text.partition("=")
    if not separator or not key.strip() or not written.strip():
        raise UsageError(
            f"{text}: expected KEY=A,B or KEY=LOW..HIGH, such as fit.lr=1e-4,4e-4",
            argument="sweep",
        )
    if found := _RANGE.fullmatch(written):
        try:
            low, high = (
                int(number) if re.fullmatch(r"[-+]?[0-9]+", number) else float(number)
                for number in found.groups()
            )
        except ValueError:
            raise UsageError(f"{text}: expected numbers around ..", argument="sweep") from None
        if not (low < high and math.isfinite(low) and math.isfinite(high)):
            raise UsageError(f"{text}: {low} is not below {high}", argument="sweep")
        whole = isinstance(low, int) and isinstance(high, int)
        return Axis(key.strip(), bounds=(low, high) if whole else (float(low), float(high)))
    values = tuple(dict.fromkeys(_values(written)))
    return Axis(key.strip(), values)


def read_axes(axes: Sequence[str], trials: int | None) -> list[Axis]:
    """All axes of a sweep of so many `trials`.

    Raises:
        UsageError: One makes no sense, or there is no number of trials where there must be one.
    """
    found = [read_axis(text) for text in axes]
    keys = [axis.key for axis in found]
    if twice := next((key for key in keys if keys.count(key) > 1), None):
        raise UsageError(f"{twice} is swept twice; list its values in one", argument="sweep")
    if trials is not None and trials < 1:
        raise UsageError(f"trials must be at least 1, not {trials}", argument="trials")
    grid = combinations(found)
    if trials is None and (grid is None or len(grid) > GRID):
        what = "a range" if grid is None else f"a choice among {len(grid)} combinations"
        raise UsageError(f"{what} needs a number of trials", argument="trials")
    return found


def combinations(axes: Sequence[Axis]) -> list[dict[str, str]] | None:
    """Every combination of the values, or None where one is a range."""
    if any(axis.bounds is not None for axis in axes):
        return None
    return [
        dict(zip((axis.key for axis in axes), values, strict=True))
        for values in itertools.product(*(axis.values for axis in axes))
    ]


def _values(written: str) -> Iterator[str]:
    """The values of a list, each as TOML writes it; those that are no TOML as they stand."""
    try:
        found = tomllib.loads(f"values = [{written}]")["values"]
    except tomllib.TOMLDecodeError:
        yield from (part.strip() for part in written.split(",") if part.strip())
        return
    for value in cast("list[Any]", found):
        yield _toml(value)


def _toml(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_toml(item) for item in cast('list[Any]', value))}]"
    return tomli_w.dumps({"x": value}).partition("=")[2].strip()
