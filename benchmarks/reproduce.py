"""Whether a shipped model comes out of its recipe again.

    python benchmarks/reproduce.py curve --data DATA            # a shortened run: minutes
    python benchmarks/reproduce.py curve --data DATA --full     # the whole one, against the card
    python benchmarks/reproduce.py curve --data DATA --record --seeds 1 2 3
    python benchmarks/reproduce.py --list

A shortened run is the recipe with fewer steps and fewer scenes held out. It is held against
`curves/NAME.json`: losses by fifths of the run, and the scores on held-out scenes at its end, of
runs with several seeds. The run is on the curve where each value lies in its band: their mean and
four standard deviations among the seeds (pooled over the values of a kind) on either side, at least
a floor (`FLOORS`). It exits with 1 where one does not, and with 2 where nothing is recorded.

`--full` runs the recipe as its head says and holds the scores on held-out scenes against those on
the shipped model's card: no more than 0.5 dB and 0.02 of SSIM below. These two are a choice, not
measured: nobody has trained the whole of it with several seeds. DATA holds the folders that the
sources name.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import math
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib import metadata
from pathlib import Path
from statistics import fmean, variance

from undark.errors import UndarkError, UsageError
from undark.evaluate.machine import processor
from undark.models.store import resolve
from undark.train import run
from undark.train.layers import leaves, read_tables
from undark.train.recipe import Recipe, load_recipe, override

RECORDS = Path(__file__).parent / "curves"
RECIPES = Path(__file__).parents[1] / "recipes"
PARTS = 5

FLOORS = {"loss": 0.05, "psnr": 0.3, "ssim": 0.01}
"""The least reach of a band on either side: a fraction of a loss, dB, and SSIM."""

SPREADS = 4.0
"""Its reach in standard deviations among the seeds."""

BELOW = {"psnr": 0.5, "ssim": 0.02}
"""How far a whole run may stay below the card."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One `undark train`: settings put into the recipe, and the weights that it starts from.

    `start` is a name of the catalog, or None; a later stage starts from the one before it.
    """

    settings: tuple[str, ...] = ()
    start: str | None = None


def _short(steps: int, warmup: int, *more: str, start: str | None = None) -> Stage:
    lengths = (f"fit.steps={steps}", f"fit.warmup={warmup}", "fit.ema=0.98")
    usual = ("data.held_out=0.05", "fit.validate_every=1000000", "fit.precision=32-true")
    return Stage((*lengths, *usual, *more), start)


_SMALL = ("data.crop=64", "data.batch=4")
SHORT: dict[str, Stage] = {
    "agent": _short(20, 3, "options.alone=10"),
    "curve": _short(200, 20),
    "cyclegan": _short(200, 30, *_SMALL),
    "pix2pix": _short(200, 30, "data.crop=96"),
    "relight": _short(200, 30, *_SMALL, start="relight-open"),
    "relight-open": _short(200, 30, *_SMALL),
    "unet": _short(200, 30, *_SMALL),
}
"""How a run is shortened, so that it takes about a minute of one CPU core."""

_SPLIT = "data.held_out=0.15"
_LARGER = (_SPLIT, "fit.lr=4e-4", "fit.warmup=200", "data.crop=160", "data.batch=6")
_DECISION = "options.learn=decision data.crop=32 data.batch=16 data.fresh=500 fit.steps=3500"
_HELD = ("fit.lr=2e-4", "fit.warmup=50", "fit.ema=0.998", "fit.glance_lr=0.001")
_SURER = "options.entropy=0.002 options.alone=80 fit.lr=7e-4 fit.steps=140 seed=2"
_SHOWN = "options.entropy=0.002 options.alone=0 options.demonstrations=256 fit.lr=1e-6 fit.steps=28"
FULL: dict[str, tuple[Stage, ...]] = {
    "agent": (Stage(), Stage(tuple(_SURER.split())), Stage((*_SHOWN.split(), "seed=3"))),
    "unet": (Stage((_SPLIT,)),),
    "relight-open": (
        Stage((_SPLIT, "fit.steps=15000")),
        Stage((_SPLIT, *_HELD, "fit.steps=3000")),
    ),
    "relight": (
        Stage((*_LARGER, "fit.steps=17000"), start="relight-open"),
        Stage((*_LARGER, "fit.steps=40000")),
        Stage((_SPLIT, *_DECISION.split(), "fit.lr=2e-3", "augment.share=0.5")),
        Stage(
            (
                _SPLIT,
                "data.crop=160",
                "data.batch=6",
                "fit.steps=700",
                "fit.lr=2e-4",
                "fit.ema=0.99",
            )
        ),
        Stage((_SPLIT, *_HELD, "data.crop=160", "data.batch=6", "fit.steps=4000")),
    ),
}
"""Where a whole run is not the recipe as it stands."""

_LOL, _SICE = "LOL-v1 training split (our485)", "SICE part 1, multi-exposure sequences"
_BEFORE = "held out of the run before the last"
ON = {
    "LOL-v1, scenes held out of the recipe's first run": _LOL,
    "SICE part 1, scenes held out of the recipe's first run": _SICE,
    f"LOL-v1, 32 scenes, {_BEFORE}": _LOL,
    f"SICE part 1, single shots, 24 scenes, {_BEFORE}": _SICE,
    f"toys, by likeness, {_BEFORE}": "Toys on a table, phone camera",
}
"""What cards call sources otherwise than the recipe does."""


@dataclass(frozen=True, slots=True)
class Record:
    """What runs with several seeds measured.

    Attributes:
        name: Of the recipe.
        stage: How it was shortened.
        recipe: Digest of the recipe as it was run, but for its seed.
        measured: On what.
        seeds: Of the runs.
        curves: By the value's name a list per seed: a loss has a mean for each fifth of the run, a
            score one value.
    """

    name: str
    stage: Stage
    recipe: str
    measured: str
    seeds: tuple[int, ...]
    curves: dict[str, list[list[float]]]

    def write(self, folder: Path) -> Path:
        """Leave it in `folder`."""
        path = folder / f"{self.name}.json"
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")
        return path

    @classmethod
    def read(cls, name: str, folder: Path) -> Record | None:
        """The record of `name` in `folder`; None where there is none."""
        path = folder / f"{name}.json"
        if not path.is_file():
            return None
        raw = json.loads(path.read_text(encoding="utf-8"))
        stage = Stage(tuple(raw["stage"]["settings"]), raw["stage"]["start"])
        return cls(**{**raw, "stage": stage, "seeds": tuple(raw["seeds"])})


@dataclass(frozen=True, slots=True)
class Point:
    """One value of a run beside its band."""

    name: str
    part: int | None
    value: float
    low: float
    high: float

    @property
    def inside(self) -> bool:
        """Whether it lies in the band; NaN does not."""
        return self.low <= self.value <= self.high

    def __str__(self) -> str:
        """One line of the table."""
        word = "" if self.inside else ("  ABOVE" if self.value > self.high else "  BELOW")
        where = f"{self.name}, fifth {self.part + 1}" if self.part is not None else self.name
        return f"{where}: {self.value:.4g} in [{self.low:.4g}, {self.high:.4g}]{word}"


def digest(recipe: Path, stage: Stage) -> str:
    """The same for the same keys and values of a recipe and a stage, but for the seed and texts."""
    raw, _ = read_tables(recipe)
    told = {"seed", "name", "title", "summary", "licence", "author"}
    values = sorted((key, repr(value)) for key, value in leaves(raw) if key not in told)
    return hashlib.sha256(repr((values, stage)).encode()).hexdigest()[:16]


def curves(history: Path) -> dict[str, list[float]]:
    """Losses by fifths of the run, and the last scores, from a run's ``history.csv``."""
    with history.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    last = max(int(row["step"]) for row in rows)
    found: dict[str, list[float]] = {}
    for key in rows[0]:
        values = [(int(row["step"]), float(row[key])) for row in rows if row[key]]
        if key == "train/loss":
            parts = [
                [v for s, v in values if math.ceil(PARTS * s / last) - 1 == i] for i in range(5)
            ]
            if all(parts):
                found[key] = [_rounded(fmean(part)) for part in parts]
        elif key.endswith(("/psnr", "/ssim")) and values:
            found[key] = [_rounded(values[-1][1])]
    return found


def _rounded(value: float) -> float:
    return float(f"{value:.6g}")


def compare(record: Record, found: Mapping[str, Sequence[float]]) -> list[Point]:
    """Every recorded value beside its band; one that the run lacks is NaN."""
    spread = {kind: _spread(record, kind) for kind in FLOORS}
    points: list[Point] = []
    for name, runs in record.curves.items():
        kind = _kind(name)
        reach = max(SPREADS * spread[kind], FLOORS[kind])
        means = [fmean(values) for values in zip(*runs, strict=True)]
        for part, mean in enumerate(means):
            value = found[name][part] if name in found else math.nan
            half = reach * abs(mean) if kind == "loss" else reach
            at = part if len(means) > 1 else None
            points.append(Point(name, at, value, mean - half, mean + half))
    return points


def _spread(record: Record, kind: str) -> float:
    """The standard deviation among the seeds, pooled over all values of one kind.

    A few seeds tell little about one value, and something about all of them. A loss's is relative.
    """
    variances = [
        variance(values) / (fmean(values) ** 2 if kind == "loss" else 1.0)
        for name, runs in record.curves.items()
        if _kind(name) == kind
        for values in zip(*runs, strict=True)
    ]
    return math.sqrt(fmean(variances)) if variances else 0.0


def _kind(name: str) -> str:
    return name.rpartition("/")[2]


def learn(recipe: Recipe, stages: Sequence[Stage], data: Path, out: Path) -> Path:
    """Run the stages one after another; the last one's folder."""
    start: str | Path | None = None
    folder = out
    for number, stage in enumerate(stages, start=1):
        folder = out / f"stage-{number}"
        run(
            override(recipe, stage.settings),
            data=data,
            out=folder,
            start=start or stage.start,
            notify=lambda line: print(line, file=sys.stderr, flush=True),
        )
        start = folder
    return folder


def reproduce(
    name: str,
    data: Path,
    *,
    seed: int = 1,
    changes: Sequence[str] = (),
    recipes: Path = RECIPES,
    records: Path = RECORDS,
) -> bool:
    """Say whether a shortened run of `name` is on its recorded curve.

    Args:
        name: Of a recipe with a record.
        data: Folder that its sources are relative to.
        seed: Of the run.
        changes: ``key=value`` settings against the record, to see whether they matter.
        recipes: Folder of the recipes.
        records: Folder of the records.

    Raises:
        UsageError: There is no record, or it is of another recipe.
    """
    held = Record.read(name, records)
    if held is None:
        raise UsageError(f"{name}: no curve is recorded; record one with --record")
    path = recipes / f"{name}.toml"
    if digest(path, held.stage) != held.recipe:
        raise UsageError(f"{path}: not the recipe whose curve is recorded; record it with --record")
    plan = replace(load_recipe(path), seed=seed)
    stage = replace(held.stage, settings=(*held.stage.settings, *changes))
    with tempfile.TemporaryDirectory() as place:
        points = compare(held, curves(learn(plan, [stage], data, Path(place)) / "history.csv"))
    for point in points:
        print(point)
    outside = sum(not point.inside for point in points)
    where = f"{outside} of {len(points)} values are off" if outside else f"{len(points)} values on"
    print(f"{name}, seed {seed}: {where} the curve recorded")
    return not outside


def record(
    name: str,
    data: Path,
    seeds: Sequence[int],
    stage: Stage,
    *,
    recipes: Path = RECIPES,
    records: Path = RECORDS,
) -> Path:
    """Run `name` as `stage` shortens it with each seed; the file of what came."""
    path = recipes / f"{name}.toml"
    plan = load_recipe(path)
    runs: list[dict[str, list[float]]] = []
    for seed in seeds:
        with tempfile.TemporaryDirectory() as place:
            folder = learn(replace(plan, seed=seed), [stage], data, Path(place))
            runs.append(curves(folder / "history.csv"))
    by_value = {key: [found[key] for found in runs] for key in runs[0]}
    on = f"{processor()}; PyTorch {metadata.version('torch')}"
    made = Record(name, stage, digest(path, stage), on, tuple(seeds), by_value)
    return made.write(records)


def whole(name: str, data: Path, out: Path) -> bool:
    """Say whether the whole of it scores as the shipped model's card says."""
    plan = load_recipe(RECIPES / f"{name}.toml")
    folder = learn(plan, FULL.get(name, (Stage(),)), data, out)
    measured = {item["on"]: item for item in json.loads((folder / "measured.json").read_text())}
    good = True
    for known in resolve(name).card.metrics:
        on = ON.get(known.on, known.on.removesuffix(", unseen scenes"))
        if on not in measured:
            print(f"{known.on}: not among what the run measures")
            continue
        for key, slack in BELOW.items():
            value, wanted = measured[on][key], known.values[key]
            fine = value >= wanted - slack
            good = good and fine
            print(
                f"{on}, {key}: {value:.4g}; the card says {wanted:.4g}{'' if fine else '  BELOW'}"
            )
    return good


def listed() -> None:
    """Say which names have a record."""
    for name in SHORT:
        held = Record.read(name, RECORDS)
        print(f"{name}: {f'seeds {held.seeds}; {held.measured}' if held else 'no record'}")


def main() -> int:
    """Read the command line, and exit with 1 where a model does not come out again."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", nargs="?", choices=sorted(SHORT))
    parser.add_argument("--data", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="changes")
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--out", type=Path, default=Path("runs/reproduce"))
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3], help="at least two")
    parser.add_argument("--list", action="store_true")
    asked = parser.parse_args()
    if asked.list or asked.name is None:
        listed()
        return 0
    if asked.record and len(asked.seeds) < 2:
        parser.error("--seeds: a band needs at least two")
    if asked.data is None:
        parser.error("--data is needed: the folder that the recipe's sources lie in")
    try:
        if asked.record:
            print(record(asked.name, asked.data, asked.seeds, SHORT[asked.name]))
            return 0
        if asked.full:
            return 0 if whole(asked.name, asked.data, asked.out / asked.name) else 1
        with_these = {"seed": asked.seed, "changes": asked.changes, "records": RECORDS}
        return 0 if reproduce(asked.name, asked.data, **with_these) else 1
    except UndarkError as error:
        print(f"reproduce: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
