"""Plots as inline SVG: nothing is loaded, and colours follow the page's scheme."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

__all__ = ["COLOURS", "Point", "Ridge", "ridges", "scatter"]

COLOURS: Final = 10
"""The page defines the classes ``s0`` to ``s9`` for series; later ones begin anew. ``plain`` is
what belongs to none."""

_WIDTH: Final = 480
_HEIGHT: Final = 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 12, 26, 40
_LINE: Final = 13
_RIDGE, _NAMES = 34, 158
_LONGEST: Final = 24


@dataclass(frozen=True, slots=True)
class Point:
    """A named point with an error bar; `filled` sets models apart from baselines."""

    name: str
    x: float
    y: float
    low: float
    high: float
    filled: bool


@dataclass(frozen=True, slots=True)
class Ridge:
    """A named row of bars evenly spread over the axis, where (0..1) its mean lies, its series."""

    name: str
    heights: Sequence[float]
    mark: float | None = None
    series: int | None = None


def scatter(points: Sequence[Point], *, x_label: str, y_label: str) -> str:
    """Points over a logarithmic x axis, with names beside them; those not finite are left out."""
    shown = [item for item in points if math.isfinite(item.x) and math.isfinite(item.y)]
    shown = [item for item in shown if item.x > 0]
    if not shown:
        return ""
    logs = [math.log10(item.x) for item in shown]
    first, last = math.floor(min(logs)), math.ceil(max(logs) + 0.05)
    ends = [end for item in shown for end in (item.low, item.high, item.y) if math.isfinite(end)]
    ticks = _ticks(min(ends), max(ends))
    low, high = min(ticks[0], *ends), max(ticks[-1], *ends)

    def across(x: float) -> float:
        place = (math.log10(x) - first) / (last - first)
        return _LEFT + place * (_WIDTH - _LEFT - _RIGHT)

    def up(y: float) -> float:
        return _TOP + (high - y) / (high - low) * (_HEIGHT - _TOP - _BOTTOM)

    parts: list[str] = []
    for power in range(first, last + 1):
        x = across(10.0**power)
        parts.append(_line("grid", x, _TOP, x, _HEIGHT - _BOTTOM))
        parts.append(_text(x, _HEIGHT - _BOTTOM + 15, f"{10.0**power:g}", "middle"))
    for tick in ticks:
        parts.append(_line("grid", _LEFT, up(tick), _WIDTH - _RIGHT, up(tick)))
        parts.append(_text(_LEFT - 6, up(tick) + 4, f"{tick:g}", "end"))
    parts.append(_text(_WIDTH - _RIGHT, _HEIGHT - 6, x_label, "end"))
    parts.append(_text(4, 12, y_label, "start"))
    taken: list[tuple[float, float]] = []
    for place, item in enumerate(points):
        if item not in shown:
            continue
        colour, x, y = f"s{place % COLOURS}", across(item.x), up(item.y)
        if math.isfinite(item.low) and math.isfinite(item.high):
            parts.append(_line(f"{colour} bar", x, up(item.low), x, up(item.high)))
        hollow = "" if item.filled else " hollow"
        parts.append(f'<circle class="{colour}{hollow}" cx="{x:.1f}" cy="{y:.1f}" r="4.5"/>')
        right = x > _WIDTH * 0.62
        height = _free(y + 4, x, taken)
        taken.append((x, height))
        anchor = "end" if right else "start"
        parts.append(_text(x + (-9 if right else 9), height, _cut(item.name), anchor))
    label = f"{y_label} against {x_label}"
    return _svg(_HEIGHT, label, parts)


def ridges(rows: Sequence[Ridge], *, ticks: Sequence[tuple[float, str]], label: str) -> str:
    """Rows of bars above one axis, each scaled to its own highest bar.

    Args:
        rows: From top to bottom.
        ticks: Where (0..1) along the axis stands which text.
        label: What the plot shows, for those who cannot see it.
    """
    width = _WIDTH - _NAMES - _RIGHT
    height = len(rows) * _RIDGE + 26
    parts: list[str] = []
    for place, text in ticks:
        x = _NAMES + place * width
        parts.append(_line("grid", x, 4, x, height - 20))
        anchor = "end" if place > 0.97 else "middle"
        parts.append(_text(x, height - 6, text, anchor))
    for place, row in enumerate(rows):
        base = (place + 1) * _RIDGE
        colour = "plain" if row.series is None else f"s{row.series % COLOURS}"
        parts.append(_text(_NAMES - 8, base - 4, _cut(row.name), "end"))
        highest = max(row.heights, default=0.0) or 1.0
        step = width / len(row.heights)
        outline = " ".join(
            f"L{_NAMES + index * step:.1f} {base - value / highest * (_RIDGE - 6):.1f}h{step:.1f}"
            for index, value in enumerate(row.heights)
        )
        right = _NAMES + width
        parts.append(
            f'<path class="{colour} area" d="M{_NAMES} {base} {outline} L{right:.1f} {base}Z"/>'
        )
        if row.mark is not None and math.isfinite(row.mark):
            x = _NAMES + min(max(row.mark, 0), 1) * width
            parts.append(_line(f"{colour} mark", x, base - _RIDGE + 6, x, base))
    return _svg(height, label, parts)


def _svg(height: int, label: str, parts: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img"'
        f' aria-label="{escape(label)}">{"".join(parts)}</svg>'
    )


def _line(name: str, x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line class="{name}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _cut(name: str) -> str:
    """The end of a name that is too long: that is where paths differ."""
    return name if len(name) <= _LONGEST else "…" + name[1 - _LONGEST :]


def _free(height: float, x: float, taken: Sequence[tuple[float, float]]) -> float:
    """The nearest height to `height` at which a name at `x` covers no other."""
    near = [other for place, other in taken if abs(place - x) < _WIDTH / 3]
    for step in range(40):
        for sign in (1, -1):
            found = height + sign * step * 3
            free = all(abs(found - other) >= _LINE for other in near)
            if free and _TOP < found < _HEIGHT - _BOTTOM:
                return found
    return height


def _ticks(low: float, high: float) -> list[float]:
    """About five round numbers from at most `low` to at least `high`."""
    span = max(high - low, abs(high) * 1e-3, 1e-6)
    rough = span / 4
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough)
    first, last = math.floor(low / step), math.ceil(high / step)
    last = max(last, first + 1)
    return [round(index * step, 10) for index in range(first, last + 1)]
