"""What was found in a folder of pairs, as one HTML file that opens offline."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

from undark.evaluate.dataset import DatasetFindings, Likeness, PairFacts
from undark.evaluate.report.plots import Ridge, ridges
from undark.evaluate.report.sheet import figure, section, sheet
from undark.io.names import counted

__all__ = ["dataset_page"]

_BINS = 24
_EXAMPLES = 12
_LISTED = 40
_DARKEST = -8.0


def dataset_page(found: DatasetFindings) -> str:
    """The whole page; names and paths are escaped."""
    facts = {item.name: item for item in found.facts}
    sizes: dict[str, int] = {}
    for item in found.facts:
        size = f"{item.width}×{item.height}"
        sizes[size] = sizes.get(size, 0) + 1
    common = sorted(sizes.items(), key=lambda item: -item[1])
    shown = [f"{name} ({count})" for name, count in common[:8]]
    shown += [f"{len(common) - 8} other sizes"] if len(common) > 8 else []
    scenes = len({item.scene for item in found.facts})
    sections = [
        section("How bright", _levels(found.facts), found.swapped or ""),
        section("Sizes", f"<p>{escape(', '.join(shown))}</p>"),
        section("Some of the pairs", _examples(found.facts)),
        section(
            "Pairs that do not lie over each other",
            _moved(found.misaligned),
            "A network learns blur from them. Take them out, or align them.",
        ),
        section(
            "Twice the same",
            _alike(found.duplicates, facts),
            "Truths of these pairs are nearly one image, and their dark sides as dark.",
        ),
        section(
            "Alike, but of different scenes",
            _alike(found.leaks, facts),
            "One may be held out while the other is learned from, and then figures on unseen scenes"
            " flatter. Name their scene in scenes.csv, or set scenes to likeness in the recipe.",
        ),
        section(
            "Here and in the other folder",
            _alike(found.shared, facts, elsewhere=True),
            "What is measured there has been learned from here.",
        ),
        section("Left out", _left_out(found)),
    ]
    return sheet(
        str(found.folder),
        f"{counted(len(found.facts), 'pair')} of {counted(scenes, 'scene')};"
        f" {'; '.join(found.found.rules)}.",
        sections,
    )


def _levels(facts: Sequence[PairFacts]) -> str:
    """Histograms of mean levels, and of how much the truth is brighter."""
    if not facts:
        return ""
    stops = [np.log2(max(getattr(item, side), 1e-4)) for side in ("low", "high") for item in facts]
    half = len(facts)
    edges = np.linspace(_DARKEST, 0.0, _BINS + 1)

    def row(name: str, values: Sequence[float], series: int) -> Ridge:
        heights = np.histogram(np.clip(values, _DARKEST, 0.0), edges)[0]
        mark = 1.0 - float(np.mean(values)) / _DARKEST
        return Ridge(name, [float(height) for height in heights], mark, series)

    rows = (row("dark", stops[:half], 0), row("truth", stops[half:], 1))
    ticks = [(1.0 - stop / _DARKEST, f"{stop:g}") for stop in (-8, -6, -4, -2, 0)]
    plot = ridges(rows, ticks=ticks, label="Mean levels of the dark photos and of their truths")
    gains = np.array(stops[half:]) - np.array(stops[:half])
    low, middle, high = np.percentile(gains, (5, 50, 95))
    return (
        f"{plot}<p class='small'>log2 of each photo's mean level, where white is 0. Truths are"
        f" {middle:.1f} brighter in the median ({low:.1f} to {high:.1f} for nine tenths).</p>"
    )


def _examples(facts: Sequence[PairFacts]) -> str:
    places = np.linspace(0, len(facts) - 1, min(_EXAMPLES, len(facts))).round()
    return "".join(_figure(facts[int(place)]) for place in places)


def _figure(fact: PairFacts, note: str = "", beside: PairFacts | None = None) -> str:
    """A pair, or two truths beside each other, with its name and a note."""
    sides = fact.pictures if beside is None else (fact.pictures[1], beside.pictures[1])
    return figure(sides, f"{fact.name} {note}")


def _moved(facts: Sequence[PairFacts]) -> str:
    figures = [
        _figure(item, f"by {item.shift[0]:+g}, {item.shift[1]:+g} pixels")
        for item in facts[:_LISTED]
    ]
    return "".join(figures) + _more(len(facts))


def _alike(
    found: Sequence[Likeness], facts: dict[str, PairFacts], *, elsewhere: bool = False
) -> str:
    figures = [
        _figure(
            facts[item.first],
            f"and {item.second}, {item.correlation:.2f}",
            None if elsewhere else facts[item.second],
        )
        for item in found[:_LISTED]
    ]
    return "".join(figures) + _more(len(found))


def _more(count: int) -> str:
    return f"<p>And {count - _LISTED} more.</p>" if count > _LISTED else ""


def _left_out(found: DatasetFindings) -> str:
    lines = [f"{name}: {reason}" for name, reason in found.unusable]
    lines += [f"{path}: has no partner" for path in found.found.unmatched]
    return "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>" if lines else ""
