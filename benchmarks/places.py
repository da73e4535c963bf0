"""How models light the places of a photo: lamps, black skies, shadows against a bright sky; colour.

    python benchmarks/places.py PHOTOS -m relight -m unet --baselines
    python benchmarks/places.py --pairs PAIRS -m relight -m unet --json

Prints a Markdown table for each folder. Folders of dark photos need no truths. Each photo is
shrunk to a longest side of 700 pixels (`--side`) and enhanced; what is compared before and after
is luma (Rec. 709, of the encoded values, 0 to 1). The values are means over photos:

| value | of which photos | what |
|---|---|---|
| burnt | lamp-lit | fraction of the pixels that were in 0.35 to 0.8 and end at 0.95 or above |
| black becomes | lamp-lit | mean of what the pixels under 0.03 become |
| shadows rise | backlit | log2((after + 0.01) / (before + 0.01)) of the means over the pixels in 0.02 to 0.12, in EV of encoded values |
| untouched | backlit | fraction of photos that come back bit for bit as they were |
| blown + | backlit; the rest | pixels at 0.98 or above, after less before, in percent of all |

A photo is lamp-lit if its mean is under 0.2, over 2 % of its pixels lie in 0.35 to 0.8 and over a
quarter under 0.03. It is backlit if over a fifth lie under 0.12 and over 15 % above 0.5. It can be
both; the rest is neither.

`--pairs` takes a folder of pairs in any layout of `undark evaluate` and prints PSNR, SSIM and
CIEDE2000 by the protocol plain, and the chroma of coloured places over that of the truth.
"""  # noqa: E501 - a table's row is one line

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from undark import Enhancer, Photo, read_photo
from undark.errors import InputError
from undark.evaluate.metrics import METRICS, chroma_ratio, delta_e2000, psnr, ssim
from undark.evaluate.metrics.base import Compare
from undark.evaluate.protocol import protocol
from undark.evaluate.report.text import written
from undark.evaluate.run import BASELINES, Contender, contender
from undark.evaluate.samples import images_in
from undark.io.halves import Shot, read_shot
from undark.io.pairs import find_pairs
from undark.photo import area_resize, from_float
from undark.pixels.colour import luma

SIDE = 700
LAMP_LIT, BACKLIT, REST = "lamp-lit", "backlit", "rest"
COLUMNS: dict[str, tuple[str, str]] = {
    "burnt": ("burnt", "{:.0%}"),
    "black_becomes": ("black becomes", "{:.3f}"),
    "shadows_rise": ("shadows rise, EV", "{:+.2f}"),
    "untouched": ("untouched", "{:.0%}"),
    "blown_added_backlit": ("blown +, backlit", "{:+.2f} %"),
    "blown_added_rest": ("blown +, rest", "{:+.2f} %"),
}
"""The values of a folder of photos: heading and form."""

PAIRED: dict[str, Compare] = {
    "psnr": psnr,
    "ssim": ssim,
    "delta_e2000": delta_e2000,
    "chroma_ratio": chroma_ratio,
}
"""The metrics of a folder of pairs."""

Level = NDArray[np.float32]
Values = dict[str, float]


def shrunk(photo: Photo, side: int) -> Photo:
    """The photo in its own depth, its longer side at most `side` pixels; alpha is dropped."""
    scale = min(1.0, side / max(photo.height, photo.width))
    size = (max(1, round(photo.height * scale)), max(1, round(photo.width * scale)))
    return Photo(from_float(area_resize(photo.pixels, *size), photo.pixels.dtype))


def kinds(before: Level) -> set[str]:
    """What kinds of photo this is, by its luma."""
    found: set[str] = set()
    well_exposed = np.mean((before >= 0.35) & (before <= 0.8))
    if before.mean() < 0.2 and well_exposed > 0.02 and np.mean(before < 0.03) > 0.25:
        found.add(LAMP_LIT)
    if np.mean(before < 0.12) > 0.2 and np.mean(before > 0.5) > 0.15:
        found.add(BACKLIT)
    return found or {REST}


def burnt(before: Level, after: Level) -> float:
    """Fraction of the pixels in 0.35 to 0.8 that end at 0.95 or above; NaN if there are none."""
    return mean_of((after >= 0.95)[(before >= 0.35) & (before <= 0.8)])


def black_becomes(before: Level, after: Level) -> float:
    """Mean of what the pixels under 0.03 become; NaN if there are none."""
    return mean_of(after[before < 0.03])


def shadows_rise(before: Level, after: Level) -> float:
    """By how much the pixels in 0.02 to 0.12 rise, in EV; NaN if there are none."""
    shadows = (before >= 0.02) & (before <= 0.12)
    return math.log2((mean_of(after[shadows]) + 0.01) / (mean_of(before[shadows]) + 0.01))


def blown_added(before: Level, after: Level) -> float:
    """Pixels at 0.98 or above, after less before, in percent of all."""
    return 100 * (float(np.mean(after >= 0.98)) - float(np.mean(before >= 0.98)))


def mean_of(values: Iterable[float] | NDArray[np.generic]) -> float:
    """The mean of what is not NaN; NaN where nothing is left."""
    known = np.asarray(values, np.float64)
    known = known[~np.isnan(known)]
    return float(known.mean()) if known.size else math.nan


def judged(photo: Photo, result: Photo) -> Values:
    """What enhancing did to one photo, as far as its kinds ask for it."""
    before, after = luma(photo.rgb()), luma(result.rgb())
    of_kind = kinds(before)
    values: Values = {}
    if LAMP_LIT in of_kind:
        values["burnt"] = burnt(before, after)
        values["black_becomes"] = black_becomes(before, after)
    if BACKLIT in of_kind:
        values["shadows_rise"] = shadows_rise(before, after)
        values["untouched"] = float(np.array_equal(photo.pixels, result.pixels))
        values["blown_added_backlit"] = blown_added(before, after)
    if REST in of_kind:
        values["blown_added_rest"] = blown_added(before, after)
    return values


def means(rows: Sequence[Values], names: Iterable[str]) -> Values:
    """Of each value the mean over the photos that have it; NaN where none has."""
    return {name: mean_of([row[name] for row in rows if name in row]) for name in names}


def on_photos(
    photos: Sequence[Path], contenders: Sequence[Contender], side: int
) -> tuple[dict[str, int], dict[str, Values]]:
    """How many photos are of which kind, and the means of each contender."""
    counts = {"photos": 0, LAMP_LIT: 0, BACKLIT: 0, REST: 0}
    rows: dict[str, list[Values]] = {item.name: [] for item in contenders}
    for path in photos:
        try:
            photo = shrunk(read_photo(path), side)
        except InputError as error:
            print(f"left out: {error}", file=sys.stderr)
            continue
        counts["photos"] += 1
        for kind in kinds(luma(photo.rgb())):
            counts[kind] += 1
        for item in contenders:
            rows[item.name].append(judged(photo, item.enhance(photo)))
    return counts, {name: means(values, COLUMNS) for name, values in rows.items()}


def on_pairs(
    pairs: Sequence[tuple[Shot, Shot]], contenders: Sequence[Contender]
) -> dict[str, Values]:
    """The means of each contender over pairs of a dark photo and its truth."""
    prepare = protocol("plain").prepare
    rows: dict[str, list[Values]] = {item.name: [] for item in contenders}
    for low, high in pairs:
        dark, truth = read_shot(low), read_shot(high).pixels
        for item in contenders:
            output = prepare(item.enhance(dark).pixels, None)
            rows[item.name].append({name: of(output, truth) for name, of in PAIRED.items()})
    return {name: means(values, PAIRED) for name, values in rows.items()}


def table(
    headings: Mapping[str, str], rows: Mapping[str, Values], form: Callable[[str, float], str]
) -> str:
    """Markdown: a row for each contender, a column for each value."""
    lines = [f"| model | {' | '.join(headings.values())} |", f"|---|{'---:|' * len(headings)}"]
    for name, values in rows.items():
        lines.append(f"| {name} | {' | '.join(form(key, values[key]) for key in headings)} |")
    return "\n".join(lines)


def formed(name: str, value: float) -> str:
    return "–" if math.isnan(value) else COLUMNS[name][1].format(value)


def finite(rows: Mapping[str, Values]) -> dict[str, dict[str, float | None]]:
    """The values as JSON can hold them: NaN and infinity become null."""
    return {
        name: {key: value if math.isfinite(value) else None for key, value in values.items()}
        for name, values in rows.items()
    }


def opened(model: str, threads: int | None) -> Contender:
    enhancer = Enhancer(model, threads=threads)
    return contender(model if model.endswith(".onnx") else enhancer.card.name, enhancer)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, nargs="*", help="dark photos, without truths")
    parser.add_argument("--pairs", type=Path, action="append", default=[], help="pairs")
    parser.add_argument("-m", "--model", action="append", default=[])
    parser.add_argument("--baselines", action="store_true")
    parser.add_argument("--side", type=int, default=SIDE, help="longest side of the photos")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    options = parser.parse_args(arguments)
    if not options.folder and not options.pairs:
        parser.error("name a folder of photos, or one of pairs with --pairs")
    contenders = [opened(model, options.threads) for model in options.model]
    contenders += BASELINES if options.baselines else ()
    if not contenders:
        parser.error("name a model with -m, or ask for --baselines")

    found: dict[str, list[dict[str, object]]] = {"photos": [], "pairs": []}
    for folder in options.folder:
        photos = sorted(images_in(folder))
        if not photos:
            parser.error(f"{folder}: no photos in it")
        counts, rows = on_photos(photos, contenders, options.side)
        found["photos"].append({"folder": str(folder), "counts": counts, "models": finite(rows)})
        if not options.json:
            listed = ", ".join(f"{counts[kind]} {kind}" for kind in (LAMP_LIT, BACKLIT, REST))
            print(f"\n{folder}: {counts['photos']} photos ({listed})\n")
            print(table({key: text for key, (text, _) in COLUMNS.items()}, rows, formed))
    for folder in options.pairs:
        pairs = [(pair.low, pair.high) for pair in find_pairs(folder).pairs]
        rows = on_pairs(pairs, contenders)
        found["pairs"].append({"folder": str(folder), "pairs": len(pairs), "models": finite(rows)})
        if not options.json:
            print(f"\n{folder}: {len(pairs)} pairs\n")
            print(table({name: METRICS[name].heading for name in PAIRED}, rows, written))
    if options.json:
        print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
