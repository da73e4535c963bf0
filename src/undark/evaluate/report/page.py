"""The report as one HTML file that opens offline: everything is in it, nothing is fetched."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping, Sequence
from html import escape
from importlib import resources
from io import BytesIO
from string import Template
from typing import Any

import numpy as np
from PIL import Image

from undark.evaluate.machine import hardware, versions
from undark.evaluate.metrics import METRICS
from undark.evaluate.report.album import extremes
from undark.evaluate.report.plots import Point, Ridge, ridges, scatter
from undark.evaluate.report.results import ContenderResult, Findings
from undark.evaluate.report.text import megabytes, probability, written
from undark.evaluate.statistics import CONFIDENCE
from undark.io.names import counted

__all__ = ["asset", "page"]

_BINS = 24
_CASES = 4
_QUICKEST = 1e-3  # Doing nothing takes no time; a logarithmic axis must begin somewhere.
_TIMED = ("s/photo", "peak MB")


def page(report: Findings) -> str:
    """The whole page; names and paths are escaped, and the JSON in it cannot end its element."""
    values = {
        "title": escape(report.data),
        "lead": escape(_lead(report)),
        "warning": _warnings(report),
        "formula": escape(report.formula),
        "results": _results(report),
        "certainty": escape(report.certainty),
        "memory": escape(_memory(report)),
        "paired": _paired(report),
        "scatter": _scatter(report),
        "shown": f"{len(report.album)} of {report.images} images",
        "headline": escape(METRICS[report.headline].heading),
        "distributions": _distributions(report),
        "tones": _tones(report),
        "each_title": escape(f"{METRICS[report.headline].heading} of {report.images} images"),
        "each": _each(report),
        "left_out": _left_out(report),
        "how": _how(report),
        "data": _data(report),
        "style": asset("report.css"),
        "script": asset("report.js"),
    }
    return Template(asset("report.html")).substitute(values)


def asset(name: str) -> str:
    """The text of a file that pages are made of."""
    found = resources.files("undark.evaluate.report").joinpath("assets", name)
    return found.read_text(encoding="utf-8").strip()


def _lead(report: Findings) -> str:
    names = ", ".join(item.name for item in report.contenders)
    truth = "with truths" if report.has_truth else "without truths"
    images, scenes = counted(report.images, "image"), counted(report.scenes, "scene")
    return f"{names}; {images} of {scenes}, {truth}."


def _warnings(report: Findings) -> str:
    lines = [f'<p class="note">{escape(line)}</p>' for line in report.notes]
    if report.chosen.uses_truth:
        line = f"The protocol {report.protocol} uses the truth: these are no user's results."
        lines.insert(0, f'<p class="warning">{escape(line)}</p>')
    return "\n".join(lines)


def _memory(report: Findings) -> str:
    if report.memory_on is None:
        return ""
    return (
        "Peak memory is that of a process that does nothing but read and enhance one image"
        f" ({report.memory_on}), interpreter and libraries included."
    )


def _results(report: Findings) -> str:
    """The means, in two tables: one of all metrics would be wider than a window."""
    compared, alone = _halves(report.metrics)
    tables: list[str] = []
    if compared:
        tables.append(_scrolled("Against the truth", _means(report, compared, timed=False)))
    heading = "The output alone, and what it took"
    tables.append(_scrolled(heading, _means(report, alone, timed=True)))
    return "\n".join(tables)


def _halves(metrics: Sequence[str]) -> tuple[list[str], list[str]]:
    """Those that compare with a truth, and those that look at the output alone."""
    compared = [name for name in metrics if METRICS[name].needs_truth]
    return compared, [name for name in metrics if name not in compared]


def _scrolled(heading: str, table: str) -> str:
    """A table under its heading; in a window that is too narrow it scrolls, by keyboard too."""
    label = escape(heading)
    return (
        f"<h3>{label}</h3>\n"
        f'<div class="wide" role="region" aria-label="{label}" tabindex="0">{table}</div>'
    )


def _means(report: Findings, metrics: Sequence[str], *, timed: bool) -> str:
    best = {name: _best(name, report.contenders) for name in metrics}
    rows: list[str] = []
    for item in report.contenders:
        cells: list[str] = []
        for name in metrics:
            mean, (low, high) = item.means[name], item.intervals[name]
            range_ = "" if math.isnan(low) else f"{written(name, low)} – {written(name, high)}"
            mark = ' class="best"' if written(name, mean) == best[name] else ""
            small = f"<small>{range_}</small>"
            cells.append(f"<td{_value(mean)}{mark}>{written(name, mean)}{small}</td>")
        if timed:
            peak = item.peak_memory
            cells.append(f"<td{_value(item.seconds)}>{item.seconds:.3f}</td>")
            cells.append(f"<td{_value(math.nan if peak is None else peak)}>{megabytes(peak)}</td>")
        rows.append(_row(item.name, cells))
    headings: list[tuple[str, str, str | None]] = [
        (METRICS[name].heading, METRICS[name].meaning, METRICS[name].better) for name in metrics
    ]
    return _table("model", headings + [(name, "", None) for name in _TIMED if timed], rows)


def _best(name: str, contenders: Sequence[ContenderResult]) -> str | None:
    """The best mean as it is written, where one way is better and there is something to choose."""
    known = [item.means[name] for item in contenders if not math.isnan(item.means[name])]
    if METRICS[name].better is None or len({written(name, mean) for mean in known}) < 2:
        return None
    return written(name, max(known) if METRICS[name].better == "more" else min(known))


def _paired(report: Findings) -> str:
    if not report.differences:
        return ""
    ordered = [name for name in report.metrics if METRICS[name].better is not None]
    headings = ("Differences against the truth", "Differences of the output alone")
    tables = [
        _scrolled(heading, _differences(report, metrics))
        for heading, metrics in zip(headings, _halves(ordered), strict=True)
        if metrics
    ]
    first = escape(report.contenders[0].name)
    return f"""<section id="paired">
<h2>Against {first}</h2>
<p>Mean of the differences, image by image. Coloured where the interval leaves zero out and p is
below {1 - CONFIDENCE:.2f}: green is better than {first}, red is worse.</p>
{"".join(tables)}
</section>"""


def _differences(report: Findings, metrics: Sequence[str]) -> str:
    rows: list[str] = []
    for name, found in report.differences.items():
        cells: list[str] = []
        for metric in metrics:
            item = found[metric]
            # NaN compares as false: without an interval or a test, nothing is sure.
            sure = (item.low > 0 or item.high < 0) and item.p < 1 - CONFIDENCE
            more = (item.mean > 0) == (METRICS[metric].better == "more")
            mark = f' class="{"better" if more else "worse"}"' if sure else ""
            range_ = (
                ""
                if math.isnan(item.low)
                else f"<small>{_signed(metric, item.low)} to {_signed(metric, item.high)}</small>"
            )
            small = f"{range_}<small>p {escape(probability(item.p))}</small>"
            cells.append(f"<td{_value(item.mean)}{mark}>{_signed(metric, item.mean)}{small}</td>")
        rows.append(_row(name, cells))
    headings = [(METRICS[name].heading, "", METRICS[name].better) for name in metrics]
    return _table("model", headings, rows)


def _signed(metric: str, value: float) -> str:
    text = written(metric, value)
    return text if value < 0 or math.isnan(value) else f"+{text}"


def _each(report: Findings) -> str:
    headline = report.headline
    rows = [
        _row(
            results[0].image,
            [
                f"<td{_value(result.values[headline])}>"
                f"{written(headline, result.values[headline])}</td>"
                for result in results
            ],
        )
        for results in zip(*(item.images for item in report.contenders), strict=True)
    ]
    better = METRICS[headline].better
    return _table("image", [(item.name, "", better) for item in report.contenders], rows)


def _table(
    corner: str, headings: Sequence[tuple[str, str, str | None]], rows: Sequence[str]
) -> str:
    cells = [f'<th scope="col"><button type="button">{escape(corner)}</button></th>']
    for text, title, better in headings:
        order = ' data-first="descending"' if better == "more" else ""
        hint = f' title="{escape(title)}"' if title else ""
        button = f'<button type="button">{escape(text)}</button>'
        cells.append(f'<th scope="col"{order}{hint}>{button}</th>')
    body = "\n".join(rows)
    head = f"<thead><tr>{''.join(cells)}</tr></thead>"
    return f'<table class="sortable">{head}<tbody>\n{body}\n</tbody></table>'


def _row(name: str, cells: Sequence[str]) -> str:
    return f'<tr><th scope="row">{escape(name)}</th>{"".join(cells)}</tr>'


def _value(number: float) -> str:
    """What a table sorts by; JavaScript knows Infinity, and nothing stands for NaN."""
    if math.isnan(number):
        return ' data-value=""'
    text = f"{number:.9g}" if math.isfinite(number) else f"{'-' if number < 0 else ''}Infinity"
    return f' data-value="{text}"'


def _scatter(report: Findings) -> str:
    headline = report.headline
    points = [
        Point(
            item.name,
            max(item.seconds, _QUICKEST),
            item.means[headline],
            *item.intervals[headline],
            filled=item.sha256 is not None,
        )
        for item in report.contenders
    ]
    better = METRICS[headline].better
    return (
        scatter(
            points,
            x_label="seconds per photo, at least 0.001",
            y_label=f"{METRICS[headline].heading}, {better} is better",
        )
        or "<p>Nothing can be drawn: no mean is finite.</p>"
    )


def _distributions(report: Findings) -> str:
    names = ("psnr", "ssim", "niqe") if report.has_truth else ("niqe", "brisque", "mean_level")
    shown = report.measured(*names)
    figures: list[str] = []
    for name in shown:
        known = {
            item.name: np.array([value for value in item.values(name) if math.isfinite(value)])
            for item in report.contenders
        }
        every = np.concatenate(list(known.values()))
        if every.size == 0:
            continue
        low, high = float(every.min()), float(every.max())
        high = high if high > low else low + 1.0
        rows: list[Ridge] = []
        for label, values in known.items():
            counts, _ = np.histogram(values, bins=_BINS, range=(low, high))
            mark = (float(values.mean()) - low) / (high - low) if values.size else None
            rows.append(Ridge(label, counts.tolist(), mark, len(rows)))
        form = METRICS[name].form
        ticks = [
            (place, form.format(low + place * (high - low)))
            for place in (0.0, 0.25, 0.5, 0.75, 1.0)
        ]
        heading = METRICS[name].heading
        figures.append(_figure(heading, ridges(rows, ticks=ticks, label=f"histogram of {heading}")))
    return "\n".join(figures)


def _tones(report: Findings) -> str:
    ticks = [(level / 256, str(level)) for level in (0, 64, 128, 192, 255)]
    # Square roots: a dark image's few levels would flatten all the rest.
    series = {item.name: place for place, item in enumerate(report.contenders)}
    rows = [
        Ridge(
            name,
            np.sqrt(np.asarray(parts)).tolist(),
            float(np.dot(parts, np.arange(len(parts)) + 0.5) / len(parts)),
            series.get(name),
        )
        for name, parts in report.tones.items()
    ]
    label = "Luma, 0 to 255 (bars are square roots; the line is the mean)"
    return _figure(label, ridges(rows, ticks=ticks, label="histograms of luma")) if rows else ""


def _figure(caption: str, plot: str) -> str:
    return f"<figure><figcaption>{escape(caption)}</figcaption>{plot}</figure>"


def _left_out(report: Findings) -> str:
    lines = [f"{item.image}: {item.reason}" for item in report.failures]
    lines += [f"{path}: it has no partner" for path in report.unmatched]
    if not lines:
        return ""
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f'<section id="left-out"><h2>Left out</h2><ul>{items}</ul></section>'


def _how(report: Findings) -> str:
    meanings = {
        METRICS[name].heading: METRICS[name].meaning
        + (f"; {METRICS[name].better} is better" if METRICS[name].better else "")
        for name in report.metrics
    }
    weights = {
        item.name: f"{item.runtime or 'a function'}, sha256 {item.sha256}"
        for item in report.contenders
        if item.sha256 is not None
    }
    parts = [_list("Metrics", meanings), _list("Models", weights)]
    parts += [_list("Hardware", hardware()), _list("Versions", versions())]
    return "\n".join(parts)


def _list(heading: str, entries: Mapping[str, Any]) -> str:
    if not entries:
        return ""
    items = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(str(text))}</dd>" for name, text in entries.items()
    )
    return f"<h3>{escape(heading)}</h3><dl>{items}</dl>"


def _data(report: Findings) -> str:
    """What the script draws: images as base64, texts, and which are worst and best."""
    headline = report.headline
    names = [item.name for item in report.contenders]
    labels = ["dark", *names, *(["truth"] if report.has_truth else [])]
    rows: list[dict[str, Any]] = []
    for index, row in sorted(report.album.items()):
        with Image.open(BytesIO(row[0])) as first:
            width, height = first.size
        scores = [
            f"{METRICS[headline].heading.split()[0]} "
            + written(headline, item.images[index].values[headline])
            for item in report.contenders
        ]
        rows.append(
            {
                "index": index,
                "name": report.contenders[0].images[index].image,
                "width": width,
                "height": height,
                "images": [base64.b64encode(item).decode() for item in row],
                "scores": ["", *scores, ""],
            }
        )
    more = METRICS[headline].better == "more"
    cases: dict[str, dict[str, list[int]]] = {}
    for item in report.contenders:
        known = {index: item.images[index].values[headline] for index in report.album}
        known = {index: value for index, value in known.items() if not math.isnan(value)}
        lowest, highest = extremes(known, _CASES)
        worst, best = (lowest, highest) if more else (highest, lowest)
        cases[item.name] = {"worst": worst, "best": best}
    found = {"labels": labels, "left": 0, "right": 1, "rows": rows, "extremes": cases}
    # No "<" can end the script element early.
    return json.dumps(found, ensure_ascii=False).replace("<", "\\u003c")
