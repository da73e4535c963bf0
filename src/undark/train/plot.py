"""The curves of a run, and the trials of a sweep, as one image each."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

__all__ = ["plot_curves", "plot_trials"]

_COLUMNS = 4
_PLAYERS = ("generator", "discriminator")


def plot_curves(rows: Sequence[dict[str, float]]) -> bytes:
    """A PNG of what a run noted.

    Args:
        rows: Each with ``step`` and values named ``train/TERM`` or ``val/SOURCE/METRIC``,
            or ``lr``.

    Returns:
        One panel for the loss that is minimised, one for its terms, one for the players of an
        adversarial game where there is one, one for each metric, and one for the learning rate.
    """
    from matplotlib.figure import Figure

    panels: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for row in rows:
        for name, value in row.items():
            if name != "step":
                title, label = _place(name)
                panels.setdefault(title, {}).setdefault(label, []).append((row["step"], value))
    columns = min(_COLUMNS, max(1, len(panels)))
    lines = -(-len(panels) // columns) or 1
    figure = Figure(figsize=(4.2 * columns, 3.3 * lines), layout="constrained")
    for index, (title, curves) in enumerate(panels.items()):
        axes = figure.add_subplot(lines, columns, index + 1)
        for label, points in curves.items():
            axes.plot(*zip(*points, strict=True), label=label, marker="." * (len(points) < 40))
        if title == "terms" and all(value > 0 for p in curves.values() for _, value in p):
            axes.set_yscale("log")  # their sizes differ by far
        axes.set_title(title)
        axes.set_xlabel("step")
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    return _drawn(figure)


def plot_trials(
    trials: Sequence[tuple[int, float, bool, dict[str, Any]]], *, logarithmic: Sequence[str]
) -> bytes:
    """A PNG of a sweep.

    Args:
        trials: Number, score, whether it came to its end, and the values by key.
        logarithmic: Keys whose values are drawn so.

    Returns:
        One panel of the scores in their order with the best so far, and one for each key.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    keys = list(trials[0][3])
    columns = min(_COLUMNS, 1 + len(keys))
    lines = -(-(1 + len(keys)) // columns)
    figure = Figure(figsize=(4.2 * columns, 3.3 * lines), layout="constrained")
    marks = {True: ("o", "finished"), False: ("x", "pruned")}
    for index, key in enumerate(["", *keys]):
        axes = figure.add_subplot(lines, columns, index + 1)
        listed = key and isinstance(trials[0][3][key], str)
        names = list(dict.fromkeys(trial[3][key] for trial in trials)) if listed else []
        for done, (mark, label) in marks.items():
            chosen = [trial for trial in trials if trial[2] == done]
            at = [
                names.index(trial[3][key]) if listed else trial[3][key] if key else trial[0]
                for trial in chosen
            ]
            if chosen:
                axes.scatter(at, [trial[1] for trial in chosen], marker=mark, label=label)
        if not key:
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            best = list(accumulate((t[1] if t[2] else -math.inf for t in trials), max))
            known = [(t[0], b) for t, b in zip(trials, best, strict=True) if b > -math.inf]
            if known:
                axes.plot(*zip(*known, strict=True), color="grey", label="best so far")
        if listed:
            axes.set_xticks(range(len(names)), names)
        if key in logarithmic:
            axes.set_xscale("log")
        axes.set_xlabel(key or "trial")
        axes.set_ylabel("score")
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    return _drawn(figure)


def _drawn(figure: Any) -> bytes:
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=100)
    return content.getvalue()


def _place(name: str) -> tuple[str, str]:
    """The panel that `name` is drawn in, and its label there."""
    kind, _, rest = name.partition("/")
    if name == "lr":
        return "learning rate", "of the step"
    if kind != "train":
        source, _, metric = rest.rpartition("/")
        return metric, source
    if rest == "loss":
        return "loss", "minimised"
    return ("generator and discriminator" if rest in _PLAYERS else "terms"), rest
