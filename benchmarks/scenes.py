"""Models and baselines on scenes held out of training, and on photos that are bright already.

    python benchmarks/scenes.py --data DATA -m relight -m unet --baselines --matched
    python benchmarks/scenes.py --data DATA -m runs/mine.onnx --only lol-v1 --report report/

Prints a Markdown table for each set. The scenes are those that a training with `held_out = 0.15`
and `run = 4` does not see (`undark.train.data.split`); a model trained with another choice, or on
all, has seen some of them. `--report` writes the HTML report of each set.

| set | images |
|---|---|
| lol-v1 | `lol_v1_train`: pairs of the held-out scenes |
| sice | `sice_train`: pairs of the held-out scenes |
| toys | `toys_train`: pairs of the held-out shots, found by likeness |
| kept | the light sides of all those, each its own truth: a bright photo should stay as it is |
| bright | `well_lit`, each its own truth |
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path
from statistics import median

from undark.engine.enhancer import Enhancer
from undark.evaluate.choice import bring_metrics
from undark.evaluate.machine import hardware, versions
from undark.evaluate.memory import Origin
from undark.evaluate.metrics import psnr
from undark.evaluate.protocol import protocol
from undark.evaluate.report.report import Report
from undark.evaluate.report.text import megabytes, written
from undark.evaluate.run import BASELINES, Contender, contender, evaluate
from undark.evaluate.samples import Samples, images_in
from undark.io.halves import read_shot
from undark.io.pairs import TrainingPair, find_pairs
from undark.train.data.split import scenes_by_likeness, split_by_scene

HELD_OUT, RUN = 0.15, 4
COLUMNS = (
    "ssim",
    "ms_ssim",
    "delta_e2000",
    "feature_distance",
    "lpips",
    "dists",
    "niqe",
    "brisque",
    "blown_added",
)


def held_out(folder: Path, *, likeness: bool = False) -> list[TrainingPair]:
    pairs = list(find_pairs(folder).pairs)
    return split_by_scene(
        scenes_by_likeness(pairs) if likeness else pairs, held_out=HELD_OUT, run=RUN
    )[1]


def all_held_out(data: Path) -> list[TrainingPair]:
    return [
        *held_out(data / "lol_v1_train"),
        *held_out(data / "sice_train"),
        *held_out(data / "toys_train", likeness=True),
    ]


def kept(data: Path) -> Samples:
    """Each light image once: several dark ones may share it."""
    lights = dict.fromkeys(pair.high for pair in all_held_out(data) if isinstance(pair.high, Path))
    return Samples.of_images("light sides of held-out pairs", list(lights), to_themselves=True)


SETS: dict[str, Callable[[Path], Samples]] = {
    "lol-v1": lambda data: Samples.of_pairs(
        "LOL-v1, held-out scenes", held_out(data / "lol_v1_train")
    ),
    "sice": lambda data: Samples.of_pairs("SICE, held-out scenes", held_out(data / "sice_train")),
    "toys": lambda data: Samples.of_pairs(
        "toys, held-out shots", held_out(data / "toys_train", likeness=True)
    ),
    "kept": kept,
    "bright": lambda data: Samples.of_images(
        "BSDS500 as it is", images_in(data / "well_lit"), to_themselves=True
    ),
}


def opened(model: str, threads: int | None) -> Contender:
    enhancer = Enhancer(model, threads=threads)
    name = model if model.endswith(".onnx") else enhancer.card.name
    return contender(name, enhancer, origin=Origin(model=model, threads=threads))


def matched_psnr(samples: Samples, contenders: list[Contender], report: Report) -> dict[str, float]:
    """Mean PSNR by the protocol gt-mean on the images of `report`."""
    done = {result.image for result in report.contenders[0].images}
    prepare = protocol("gt-mean").prepare
    found: dict[str, list[float]] = {item.name: [] for item in contenders}
    for sample in samples.items:
        if sample.name not in done or sample.truth is None:
            continue
        dark, truth = read_shot(sample.dark), read_shot(sample.truth).pixels
        for item in contenders:
            found[item.name].append(psnr(prepare(item.enhance(dark).pixels, truth), truth))
    return {name: sum(values) / len(values) for name, values in found.items()}


def table(report: Report, matched: dict[str, float]) -> str:
    columns = [name for name in COLUMNS if name in report.metrics]
    # A photo that is left exactly as it is has no finite PSNR, and so no mean of several.
    headings = ["model", "PSNR dB [95 %]", "median", "35 dB or more", *columns]
    headings += ["PSNR, gt-mean"] if matched else []
    headings += ["p against the first", "s/photo", "peak MB"]
    lines = [f"| {' | '.join(headings)} |", f"|---{'|---:' * (len(headings) - 1)}|"]
    for item in report.contenders:
        mean, (low, high) = item.means["psnr"], item.intervals["psnr"]
        range_ = "" if math.isnan(low) else f" [{low:.2f}, {high:.2f}]"
        cells = [item.name, f"{mean:.2f}{range_}"]
        values = item.values("psnr")
        cells += [f"{median(values):.2f}", f"{sum(x >= 35 for x in values) / len(values):.0%}"]
        cells += [written(name, item.means[name]) for name in columns]
        if matched:
            cells.append(written("psnr", matched[item.name]))
        found = report.differences.get(item.name)
        cells.append("–" if found is None else f"{found['psnr'].p:.3g}")
        cells += [f"{item.seconds:.3f}", megabytes(item.peak_memory)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="holds the sets' folders")
    parser.add_argument("-m", "--model", action="append", default=[])
    parser.add_argument("--baselines", action="store_true")
    parser.add_argument("--only", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--matched", action="store_true", help="also by the protocol gt-mean")
    parser.add_argument("--limit", type=int, help="images of a set, evenly spread")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--features", type=Path, help="weights of MobileNetV2")
    for name in ("--lpips-weights", "--dists-weights"):
        parser.add_argument(name, type=Path, nargs="+", default=[])
    parser.add_argument("--report", type=Path, help="folder for a report of each set")
    options = parser.parse_args()

    contenders = [opened(model, options.threads) for model in options.model]
    contenders += BASELINES if options.baselines else ()
    brought = bring_metrics(
        features=options.features, lpips=options.lpips_weights, dists=options.dists_weights
    )
    print(f"{hardware()}\n{versions()}")
    for name in options.only:
        samples = SETS[name](options.data)
        report = evaluate(
            samples,
            contenders,
            limit=options.limit,
            brought=brought,
            memory=True,
            images=options.report is not None,
        )
        # A photo held against itself is matched by being left alone.
        asked = options.matched and name not in ("kept", "bright")
        matched = matched_psnr(samples, contenders, report) if asked else {}
        print(f"\n{samples.label}: {report.images} images of {report.scenes} scenes\n")
        print(table(report, matched), flush=True)
        if options.report is not None:
            report.write(options.report / name)


if __name__ == "__main__":
    main()
