"""Many runs of one recipe: every combination or a search, stopped early, and gone on with."""

from __future__ import annotations

import csv
import shutil
import signal
from importlib import import_module
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_recipe import SMALL
from typer.testing import CliRunner

from undark.cli.app import app
from undark.errors import RecipeError, TrainError, UsageError
from undark.train import Progress, Stopped, sweep
from undark.train.layers import setting
from undark.train.space import combinations, read_axis

pytest.importorskip("optuna", reason="sweeps need Optuna")

TINY = (*SMALL, "data.crop=16", "fit.steps=4", "fit.validate_every=2")


def table(folder: Path) -> list[dict[str, str]]:
    with (folder / "trials.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


values = st.one_of(
    st.integers(-1000, 1000),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.text(min_size=1),
    st.lists(st.integers(0, 64), min_size=1, max_size=4),
)


@given(st.lists(values, min_size=1, max_size=4))
def test_a_listed_value_is_the_setting_that_it_says(listed: list[object]) -> None:
    import tomli_w

    written = tomli_w.dumps({"x": listed}, multiline_strings=False).partition("=")[2].strip()
    axis = read_axis(f"some.key={written[1:-1]}")
    read = [setting(f"some.key={value}")[1] for value in axis.values]
    expected = [value for i, value in enumerate(listed) if repr(value) not in map(repr, listed[:i])]
    assert list(map(repr, read)) == list(map(repr, expected))


def test_plain_words_and_ranges_are_understood() -> None:
    assert read_axis("data.sources.0.darkness=dim, night").values == ("dim", "night")
    assert read_axis("net.widths=[8,12],[16,24]").values == ("[8, 12]", "[16, 24]")
    assert read_axis("fit.lr=1e-4..1e-2").bounds == (1e-4, 1e-2)
    assert read_axis("fit.lr=1e-4..1e-2").logarithmic
    whole = read_axis("fit.warmup=100..500")
    assert whole.bounds == (100, 500)
    assert not whole.logarithmic
    assert combinations([read_axis("a=1,2"), read_axis("b=x,y")]) == [
        {"a": "1", "b": "x"},
        {"a": "1", "b": "y"},
        {"a": "2", "b": "x"},
        {"a": "2", "b": "y"},
    ]
    for wrong in ("fit.lr", "fit.lr=", "=1,2", "fit.lr=3..2", "fit.lr=1e..2"):
        with pytest.raises(UsageError):
            read_axis(wrong)


def test_every_combination_is_a_run_and_the_command_says_which_is_best(
    pairs: Path, tmp_path: Path
) -> None:
    out = tmp_path / "sweep"
    words = ["train", "unet", "--data", str(pairs), "-o", str(out)]
    words += [word for item in TINY for word in ("--set", item)]
    words += ["--sweep", "fit.lr=1e-5,5e-3", "--sweep", "net.widths=[8, 12],[12, 16]"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.stderr
    found = table(out)
    assert [(row["fit.lr"], row["net.widths"]) for row in found] == [
        ("1e-05", "[8, 12]"),
        ("1e-05", "[12, 16]"),
        ("0.005", "[8, 12]"),
        ("0.005", "[12, 16]"),
    ]
    assert {row["state"] for row in found} == {"complete"}
    best = max(found, key=lambda row: float(row["score"]))
    assert best["fit.lr"] == "0.005"  # the other hardly moves in four steps
    assert done.stdout.splitlines()[-1] == str(Path(best["folder"]) / "weights.safetensors")
    assert f"--set 'net.widths={best['net.widths']}'" in done.stderr
    assert (out / "sweep.png").stat().st_size > 1000
    assert "lr = 1e-05" in (out / "000" / "recipe.toml").read_text(encoding="utf-8")
    before = {path: path.stat().st_mtime_ns for path in out.glob("*/last.ckpt")}
    again = CliRunner().invoke(app, words)
    assert again.exit_code == 0, again.stderr
    assert again.stdout == done.stdout
    assert {path: path.stat().st_mtime_ns for path in out.glob("*/last.ckpt")} == before
    other = CliRunner().invoke(app, [*words, "--set", "seed=2"])
    assert other.exit_code == 1
    assert "holds another sweep (seed: 1 there, 2 asked)" in other.stderr


def test_a_search_stops_what_is_bad_and_goes_on_where_it_was_stopped(
    pairs: Path, tmp_path: Path
) -> None:
    out = tmp_path / "sweep"
    axes = ["fit.lr=1e-6..5e-3"]
    lines: list[str] = []

    def watch(now: Progress) -> None:
        if now.step == 3 and len(runs(lines)) == 3:
            signal.raise_signal(signal.SIGINT)

    def runs(said: list[str]) -> list[str]:
        return [line for line in said if line.startswith("trial ") and "fit.lr" in line]

    def go(**more: object) -> None:
        sweep(
            "unet", axes, out=out, trials=10, data=pairs, overrides=TINY, notify=lines.append,
            **more,
        )  # fmt: skip

    with pytest.raises(Stopped):
        go(progress=watch)
    assert len(table(out)) == 2
    stopped = runs(lines)[-1]
    lines.clear()
    go()
    found = table(out)
    assert len(found) == 10
    assert runs(lines)[0].partition(": ")[2] == stopped.partition(": ")[2]
    assert "goes on" in runs(lines)[0]
    assert "resumed at step 3 of 4" in lines
    assert [int(row["trial"]) for row in found] == list(range(10))
    assert [int(Path(row["folder"]).name) for row in found] == list(range(10))
    pruned = [row for row in found if row["state"] == "pruned"]
    assert pruned
    complete = [row for row in found if row["state"] == "complete"]
    best = max(complete, key=lambda row: float(row["score"]))
    assert all(float(row["score"]) < float(best["score"]) for row in pruned)
    assert not any((Path(row["folder"]) / "weights.safetensors").exists() for row in pruned)


def test_a_search_among_listed_values_tries_none_twice(pairs: Path, tmp_path: Path) -> None:
    settings = (*TINY, "fit.steps=1")
    axes = ["fit.lr=1e-4,1e-3", "fit.clip=0.5,1.0,2.0"]
    given_ = {"data": pairs, "overrides": settings, "out": tmp_path}
    assert len(sweep("unet", axes, trials=3, **given_).trials) == 3
    found = sweep("unet", axes, trials=5, **given_).trials
    assert len({trial.settings for trial in found}) == 5
    assert len(sweep("unet", axes, **given_).trials) == 6


def test_a_combination_that_cannot_be_is_named_and_the_others_run(
    pairs: Path, tmp_path: Path
) -> None:
    out = tmp_path / "sweep"
    given_ = {"data": pairs, "overrides": TINY}
    axes = ["data.crop=16,18", "net.widths=[8],[8, 12]"]
    done = sweep("unet", axes, out=out, **given_)
    assert [trial.state for trial in done.trials] == ["complete", "complete", "complete", "failed"]
    assert "data.crop: must be a multiple" in done.trials[3].why
    assert done.best in done.trials[:3]
    with pytest.raises(RecipeError, match=r"data\.crop=18: data\.crop: must be a multiple"):
        sweep("unet", ["fit.lr=1e-4,1e-3", "data.crop=16,18"], out=tmp_path / "none", **given_)
    with pytest.raises(RecipeError, match=r"fit\.lr=-1: fit\.lr: must be above 0"):
        sweep("unet", ["fit.lr=1e-4,-1"], out=tmp_path / "none", **given_)
    with pytest.raises(RecipeError, match=r"net\.dropout=1\.5: net\.dropout: must be in"):
        sweep("unet", ["net.dropout=0..1.5"], trials=2, out=tmp_path / "none", **given_)
    assert not (tmp_path / "none").exists()
    with pytest.raises(RecipeError, match=r"did you mean 'fit\.lr'"):
        sweep("unet", ["fit.lrr=1,2"], out=tmp_path / "typo", **given_)
    with pytest.raises(UsageError, match="a range needs a number of trials"):
        sweep("unet", ["fit.lr=1e-5..1e-3"], out=tmp_path / "open", **given_)
    with pytest.raises(UsageError, match="swept twice"):
        sweep("unet", ["fit.lr=1,2", "fit.lr=3"], out=tmp_path / "twice", **given_)
    assert not (tmp_path / "typo").exists()


def test_without_unseen_pairs_the_loss_is_compared(pairs: Path, tmp_path: Path) -> None:
    settings = (*TINY, "data.held_out=0.0")
    done = sweep("unet", ["fit.lr=1e-6,5e-3"], out=tmp_path, data=pairs, overrides=settings)
    assert all(trial.score is not None and trial.score < 0 for trial in done.trials)
    assert done.best is done.trials[1]


def test_a_sweep_of_something_else_is_not_taken_for_this_one(pairs: Path, tmp_path: Path) -> None:
    out, other = tmp_path / "sweep", tmp_path / "other"
    shutil.copytree(pairs, other)
    axes = ["fit.lr=1e-4"]
    usual = {"data": pairs, "overrides": TINY, "steps": 1, "out": out}
    kept = sweep("unet", axes, **usual)
    recipe = tmp_path / "mine.toml"
    recipe.write_text("name = 'mine'\nmethod = 'unet'\n", encoding="utf-8")
    weights = kept.trials[0].folder
    for asked, more, named in (
        ("unet", {"data": other}, rf"data: .*{pairs.name} there, .*other asked"),
        ("unet", {"steps": 2}, "fit.steps: 1 there, 2 asked"),
        ("unet", {"overrides": [*TINY, "seed=2"]}, "seed: 1 there, 2 asked"),
        ("unet", {"start": weights}, "weights to start from: none there, .*000 asked"),
        ("unet", {"dark": other / "dark"}, "dark photos: none there"),
        (recipe, {}, "name: 'unet' there, 'mine' asked"),
    ):
        with pytest.raises(TrainError, match=named):
            sweep(asked, axes, **usual | more)
    with pytest.raises(TrainError, match="keys or values to try"):
        sweep("unet", ["fit.lr=1e-3"], **usual)
    assert sweep("unet", axes, **usual) == kept
    _forget(out, keep={"axes", "overrides"})  # as versions did that noted no more
    assert sweep("unet", axes, **usual | {"data": other}) == kept
    _forget(out, keep={"axes", "overrides"})
    with pytest.raises(TrainError, match=r"settings: .*seed=2 asked"):
        sweep("unet", axes, **usual | {"overrides": [*TINY, "seed=2"]})


def _forget(out: Path, keep: set[str]) -> None:
    """Leave in the study's note only what is to be kept."""
    from optuna import load_study
    from optuna.storages.journal import JournalFileBackend, JournalStorage

    file = JournalFileBackend(str(out / "study.log"))
    study = load_study(study_name="sweep", storage=JournalStorage(file))
    about = study.user_attrs["about"]
    study.set_user_attr("about", {key: value for key, value in about.items() if key in keep})


def test_a_trial_that_goes_on_keeps_its_number_and_its_own_weights(
    pairs: Path, tmp_path: Path
) -> None:
    first = sweep("unet", ["fit.lr=1e-4"], out=tmp_path / "first", data=pairs, overrides=TINY)
    usual = {"data": pairs, "overrides": TINY, "start": first.trials[0].folder}

    def stop(now: Progress) -> None:
        if now.step == 3:
            signal.raise_signal(signal.SIGINT)

    axes = ["fit.lr=1e-4,1e-3"]
    with pytest.raises(Stopped):
        sweep("unet", axes, out=tmp_path / "sweep", progress=stop, **usual)
    done = sweep("unet", axes, out=tmp_path / "sweep", **usual)
    assert [(trial.number, trial.folder.name) for trial in done.trials] == [(0, "000"), (1, "001")]


def test_a_sweep_that_was_stopped_before_it_began_says_so(
    pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(import_module("undark.train.sweeping"), "check_early", stopped)
    words = ["train", "unet", "--data", str(pairs), "--sweep", "fit.lr=1e-4"]
    done = CliRunner().invoke(app, [*words, "-o", str(tmp_path / "sweep")])
    assert done.exit_code == 130
    assert "nothing was begun yet" in done.stderr
    assert "goes on" not in done.stderr
