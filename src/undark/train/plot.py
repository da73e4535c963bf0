"""The curves of a run: losses and metrics by step, as one image."""

from __future__ import annotations

import io
from collections.abc import Sequence

__all__ = ["plot_curves"]

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
