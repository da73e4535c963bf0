"""A run goes on from its own folder, may be lengthened, and shows how it goes."""

from __future__ import annotations

import csv
import json
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from small_recipe import SMALL
from typer.testing import CliRunner

from undark.cli.app import app
from undark.errors import DivergedError, RecipeError, TrainError, UsageError
from undark.train import Progress, Stopped, fit, history, run
from undark.train.data.datasets import load_datasets
from undark.train.data.stream import BatchStream
from undark.train.methods import make_method
from undark.train.methods.base import Method
from undark.train.weights import load_weights

LR = ("--sweep", "fit.lr=1e-4,1e-3")


def rows(folder: Path) -> dict[int, dict[str, str]]:
    """The history's rows with losses, by step."""
    with (folder / "history.csv").open(encoding="utf-8") as file:
        return {int(row["step"]): row for row in csv.DictReader(file) if row["train/loss"]}


def stopping_at(step: int) -> Callable[[Progress], None]:
    def watch(now: Progress) -> None:
        if now.step == step:
            signal.raise_signal(signal.SIGINT)

    return watch


@pytest.fixture(scope="module")
def whole(pairs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of eight steps that nothing stopped."""
    out = tmp_path_factory.mktemp("whole") / "run"
    return run("unet", data=pairs, out=out, overrides=SMALL, steps=8).folder


@pytest.fixture
def short(pairs: Path, tmp_path: Path) -> Path:
    """A finished run of four steps."""
    return run("unet", data=pairs, out=tmp_path / "short", overrides=SMALL, steps=4).folder


def test_a_run_stopped_before_its_first_line_has_a_history_that_goes_on(
    pairs: Path, tmp_path: Path
) -> None:
    settings = (*SMALL, "fit.validate_every=100")  # a line every two steps
    whole = run("unet", data=pairs, out=tmp_path / "whole", overrides=settings, steps=40).folder
    cut = tmp_path / "cut"
    with pytest.raises(Stopped):
        run("unet", data=pairs, out=cut, overrides=settings, steps=40, progress=stopping_at(1))
    assert set(rows(cut)) == {1}
    assert (cut / "curves.png").stat().st_size > 1000
    run(str(cut), resume=True)
    assert rows(cut) == rows(whole)


def test_curves_are_drawn_at_the_first_validation(pairs: Path, tmp_path: Path) -> None:
    def watch(now: Progress) -> None:
        if now.step == 4:  # after the validation at 3, before the next
            drawn.append((tmp_path / "run" / "curves.png").is_file())

    drawn: list[bool] = []
    run("unet", data=pairs, out=tmp_path / "run", overrides=SMALL, progress=watch)
    assert drawn == [True]


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="no terminal to close")
def test_a_run_that_is_to_outlive_its_terminal_does(pairs: Path, tmp_path: Path) -> None:
    def watch(now: Progress) -> None:
        if now.step == 2:
            signal.raise_signal(signal.SIGHUP)

    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        run("unet", data=pairs, out=tmp_path / "run", overrides=SMALL, progress=watch)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
    assert (tmp_path / "run" / "measured.json").is_file()


def test_a_stopped_run_has_everything_and_goes_on_from_its_folder(
    pairs: Path, tmp_path: Path, whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGINT)
    cut = tmp_path / "cut"
    with pytest.raises(Stopped) as stopped:
        run("unet", data=pairs, out=cut, overrides=SMALL, steps=8, progress=stopping_at(5))
    assert (stopped.value.folder, stopped.value.step) == (cut, 5)
    assert signal.getsignal(signal.SIGINT) is before
    assert set(rows(cut)) == {1, 2, 3, 4, 5}
    assert (cut / "curves.png").stat().st_size > 1000
    assert {grid.name for grid in (cut / "grids").glob("*.png")} == {
        "step_0000003.png",
        "step_0000005.png",
    }
    monkeypatch.chdir(tmp_path)  # where the data lie is known wherever one stands
    told: list[str] = []
    done = run("cut", resume=True, notify=told.append)
    assert "resumed at step 5 of 8" in told
    assert set(rows(cut)) == set(range(1, 9))
    expected, found = load_weights(whole).state, load_weights(done.folder).state
    assert all(torch.equal(value, found[key]) for key, value in expected.items())


def test_a_finished_run_is_lengthened_by_the_schedule_of_the_new_length(
    short: Path, whole: Path
) -> None:
    told: list[str] = []
    run(short, resume=True, steps=8, notify=told.append)
    assert "fit.steps is now 8 (was 4)" in told
    assert load_weights(short).recipe.fit.steps == 8
    longer, expected = rows(short), rows(whole)
    assert set(longer) == set(range(1, 9))
    for step in range(5, 9):
        assert float(longer[step]["lr"]) == float(expected[step]["lr"])
    assert float(longer[4]["lr"]) < float(expected[4]["lr"])
    assert json.loads((short / "measured.json").read_text(encoding="utf-8"))


def test_the_peak_of_the_learning_rate_may_change(short: Path, whole: Path) -> None:
    run(short, resume=True, steps=8, overrides=["fit.lr=0.0004"])
    for step in range(5, 9):
        assert float(rows(short)[step]["lr"]) == pytest.approx(float(rows(whole)[step]["lr"]) / 2)


def test_every_key_that_differs_is_named(short: Path) -> None:
    changes = ["data.crop=48", "loss.pixel=2.0", "fit.validate_on=1"]
    with pytest.raises(RecipeError) as failed:
        run(short, resume=True, overrides=changes)
    said = str(failed.value).partition("Only")[0]
    assert "data.crop: 32 there, 48 asked" in said
    assert "loss.pixel: 1.0 there, 2.0 asked" in said
    assert "validate_on" not in said
    with pytest.raises(RecipeError, match="stands at step 4"):
        run(short, resume=True, steps=3)
    with pytest.raises(RecipeError, match="method: 'unet' there, 'relight' asked"):
        run("relight", out=short, resume=True)
    text = (short / "recipe.toml").read_text(encoding="utf-8")
    (short / "recipe.toml").write_text(text.replace("seed = 1", "seed = 2"), encoding="utf-8")
    with pytest.raises(RecipeError, match="seed: 1 there, 2 asked"):
        run(short, resume=True)


def test_a_run_of_before_needs_to_be_told_its_data(short: Path, pairs: Path) -> None:
    (short / "run.json").unlink()
    with pytest.raises(UsageError, match="learns from"):
        run(short, resume=True, steps=5)
    run(short, resume=True, steps=5, data=pairs)
    run(short, resume=True, steps=6)
    assert set(rows(short)) == {1, 2, 3, 4, 5, 6}


def test_which_run_is_to_go_on_must_be_said(tmp_path: Path, whole: Path) -> None:
    with pytest.raises(UsageError, match="name its folder"):
        run(resume=True)
    with pytest.raises(UsageError, match="learns from pairs"):
        run(out=tmp_path / "new")
    (tmp_path / "recipe.toml").write_bytes((whole / "recipe.toml").read_bytes())
    with pytest.raises(TrainError, match="before its first checkpoint"):
        run(tmp_path, resume=True)


def test_threads_are_those_of_the_run_alone(pairs: Path, tmp_path: Path) -> None:
    before, during = torch.get_num_threads(), list[int]()
    run(
        "unet",
        data=pairs,
        out=tmp_path / "run",
        overrides=SMALL,
        threads=before + 1,
        progress=lambda now: during.append(torch.get_num_threads()),
    )
    assert set(during) == {before + 1}
    assert torch.get_num_threads() == before


def test_the_command_goes_on_and_says_how(
    pairs: Path, tmp_path: Path, short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["train", "--resume", str(short), "--steps", "5", "--threads", "1"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.stderr
    assert "resumed at step 4 of 5" in done.stderr
    assert "psnr_matched: the same, once" in done.stderr
    assert done.stdout.strip() == str(short / "weights.safetensors")

    done = CliRunner().invoke(app, ["train", "--resume", str(short)])
    assert done.exit_code == 0, done.stderr
    assert "all of its 5 steps are done; more (--steps) lengthen it" in done.stderr
    assert "resumed" not in done.stderr

    monkeypatch.setattr(fit, "load_datasets", interrupted)
    done = CliRunner().invoke(app, ["train", "--resume", str(short), "--steps", "6"])
    assert done.exit_code == 130
    assert f"undark train --resume {short} goes on from step 5" in done.stderr
    new = ["train", "unet", "--data", str(pairs), "-o", str(tmp_path / "new")]
    done = CliRunner().invoke(app, new)
    assert done.exit_code == 130
    assert "nothing was learned yet" in done.stderr
    assert "--resume" not in done.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["unet", "--data", "nowhere"], "nowhere: no such folder"),
        (["nothing.toml", "--data", "."], "cannot read the recipe"),
        (["unte", "--data", "."], "did you mean 'unet'?"),
        (["unet", "--data", ".", "--set", "fit.step=3"], "did you mean 'fit.steps'?"),
        (["odd.toml", "--data", "."], "did you mean 'unet'?"),
        (["bad.toml", "--data", "."], "did you mean 'method'?"),
        (["--resume", "nowhere"], "there is no run to resume"),
        (["--resume"], "name its folder"),
        (["--resume", "empty"], "it holds no run: no recipe.toml"),
        (["--resume", "empty", "-o", "whole"], "which run is to go on, empty or whole?"),
        (["--resume", "whole", "--from", "relight"], "weights of its own"),
        (["--resume", "whole", "--steps", "0"], "fit.steps: must be at least 1"),
        (["--resume", "unte", "-o", "whole"], "did you mean 'unet'?"),
        (["--resume", "named.toml"], "runs/named: there is no run to resume"),
        (["empty", "--data", "."], "empty is a folder without a run"),
        (["whole", "--data", "."], "whole holds a run, which --resume goes on with"),
        (["unet", "--data", ".", "--ab", "top"], "left or right, not 'top'"),
        (["unet", "--data", ".", "--device", "tpu"], "known: auto, cpu, cuda (--device)"),
        (["unet", "--data", ".", "-o", "bad.toml"], "bad.toml is a file"),
        (["unet", "--data", ".", "-o", "bad.toml/x"], "bad.toml is a file"),
        (["unet", "--data", ".", "-o", "x" * 300], "no run can be kept there"),
        (["unet", "--data", ".", "--steps", "-5"], "fit.steps: must be at least 1"),
        (["unet", "--data", ".", "--threads", "0"], "at least 1, not 0 (--threads)"),
        (["unet", "--data", ".", "--devices", "0"], "at least 1, not 0 (--devices)"),
        (["unet", "--data", ".", "--nodes", "0"], "at least 1, not 0 (--nodes)"),
        (["unet", "--data", ".", "--logger", "nosuch"], "no such logger: 'nosuch'"),
        (["unet", "--data", ".", "--from", "nosuch"], "no such run or file of weights"),
        (["unet", "--data", ".", "--from", "runs/nosuch"], "no such run or file of weights"),
        (["unet", "--data", ".", "--trials", "2"], "--trials is of a sweep"),
        (["unet", "--data", ".", *LR, "--trials", "0"], "trials must be at least 1"),
        (["unet", "--data", ".", "--sweep", "fit.lr"], "expected KEY=A,B"),
        (["unet", "--data", ".", "--sweep", "fit.lr=1..2"], "a range needs a number of trials"),
        (["unet", "--data", ".", *LR, *LR], "swept twice"),
        (["unet", "--data", ".", "--sweep", "fit.lr=1e-4,-1"], "fit.lr=-1: fit.lr: must be above"),
        (["unet", "--data", ".", *LR, "-o", "bad.toml"], "bad.toml is a file"),
        (["unet", "--data", ".", "-o", "held"], "already holds a run"),
    ],
)
def test_what_is_wrong_is_said_before_pytorch_is_loaded(
    words: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.toml").write_text("name = 'a'\nmetod = 'unet'\n", encoding="utf-8")
    (tmp_path / "named.toml").write_text("name = 'named'\nmethod = 'unet'\n", encoding="utf-8")
    (tmp_path / "odd.toml").write_text("name = 'odd'\nmethod = 'unte'\n", encoding="utf-8")
    for name in ("held", "empty", "whole"):
        (tmp_path / name).mkdir()
    (tmp_path / "held" / "last.ckpt").touch()
    (tmp_path / "whole" / "last.ckpt").touch()
    (tmp_path / "whole" / "recipe.toml").write_text("name = 'a'\nmethod = 'unet'", encoding="utf-8")
    before = sorted(tmp_path.rglob("*"))
    for name in [name for name in sys.modules if name.startswith("undark.train")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    done = CliRunner().invoke(app, ["train", *words])
    assert done.exit_code in (1, 2)
    assert says in done.stderr
    assert "undark[train]" not in done.stderr
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("option", ["--data", "--dark", "--light", "-o", "--from", "--resume"])
def test_an_empty_name_is_not_the_folder_that_we_are_in(
    option: str, pairs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(pairs)
    done = CliRunner().invoke(app, ["train", option, ""])
    assert done.exit_code == 2
    assert "an empty name" in done.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--logger", "wandb"], "needs a package: pip install wandb"),
        (["--sweep", "fit.lr=1e-4"], "pip install 'undark[sweep]'"),
    ],
)
def test_a_missing_package_is_named_before_pytorch_is_loaded(
    words: list[str], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.startswith("undark.train")]:
        monkeypatch.delitem(sys.modules, name)
    for name in ("torch", "wandb", "optuna"):
        monkeypatch.setitem(sys.modules, name, None)
    done = CliRunner().invoke(app, ["train", "unet", "--data", ".", *words])
    assert done.exit_code == 2
    assert says in done.stderr


@pytest.mark.skipif(torch.cuda.is_available(), reason="for machines without a GPU")
def test_a_gpu_that_is_not_there_is_named_as_it_was_asked_for(pairs: Path) -> None:
    for more in ([], ["--check"]):
        words = ["train", "unet", "--data", str(pairs), "--device", "cuda", *more]
        done = CliRunner().invoke(app, words)
        assert done.exit_code == 2
        assert "no GPU on this machine for cuda" in done.stderr
        assert "(--device)" in done.stderr


@pytest.mark.parametrize("workers", [0, 2])
def test_a_step_of_several_batches_resumes_exactly(
    pairs: Path, tmp_path: Path, workers: int
) -> None:
    settings = [*SMALL, "fit.accumulate=3", f"data.workers={workers}"]
    seen: list[int] = []
    done = run(
        "unet",
        data=pairs,
        out=tmp_path / "whole",
        overrides=settings,
        progress=lambda now: seen.append(now.step),
    )
    assert seen == [1, 2, 3, 4, 5, 6]
    cut = tmp_path / "cut"
    with pytest.raises(Stopped):
        run("unet", data=pairs, out=cut, overrides=settings, progress=stopping_at(4))
    run(cut, resume=True)
    expected, found = load_weights(done.folder).state, load_weights(cut).state
    assert all(torch.equal(value, found[key]) for key, value in expected.items())
    assert [row["train/loss"] for row in rows(cut).values()] == [
        row["train/loss"] for row in rows(done.folder).values()
    ]


def test_a_step_of_several_batches_averages_their_gradients(pairs: Path, tmp_path: Path) -> None:
    settings = [*SMALL, "fit.accumulate=3", "fit.ema=0.0", "fit.clip=0.0", "fit.steps=1"]
    done = run("unet", data=pairs, out=tmp_path / "run", overrides=settings)
    plan = load_weights(done.folder).recipe
    torch.manual_seed(plan.seed)
    method = make_method(plan)
    datasets, _ = load_datasets(
        plan.data, root=pairs, glance=method.glance, seed=plan.seed, notify=print
    )
    optimizer = method.configure_optimizers()["optimizer"]
    for batch, _ in zip(method.stream(datasets), range(3), strict=False):
        (method.training_step(batch, 0) / 3).backward()
    optimizer.step()
    learned = load_weights(done.folder).state
    for key, value in method.network.state_dict().items():
        torch.testing.assert_close(learned[key], value, atol=1e-6, rtol=1e-4)
    first, second = (method.stream(datasets).at(0, part) for part in (0, 1))
    assert not torch.equal(first["image"], second["image"])


def interrupted(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_a_long_run_is_never_silent(
    pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = (*SMALL, "fit.steps=40")
    lines: dict[float, list[str]] = {}
    for silence in (1e9, 0.0):
        monkeypatch.setattr(history, "_SILENCE", silence)
        told: list[str] = []
        run("unet", data=pairs, out=tmp_path / str(silence), overrides=settings, notify=told.append)
        lines[silence] = [line for line in told if line.startswith("step") and "left" in line]
    assert len(lines[1e9]) == 20
    assert len(lines[0.0]) == 40
    assert "steps a second" in lines[0.0][0]


def test_whoever_watches_sees_each_step(pairs: Path, tmp_path: Path) -> None:
    seen: list[Progress] = []
    told: list[str] = []
    run(
        "unet",
        data=pairs,
        out=tmp_path / "run",
        overrides=SMALL,
        notify=told.append,
        progress=seen.append,
    )
    assert [now.step for now in seen] == [1, 2, 3, 4, 5, 6]
    assert not any("steps a second" in line for line in told)
    assert all(now.rate > 0 and now.losses["loss"] > 0 for now in seen)
    assert seen[-1].left == 0
    assert not seen[0].scores
    assert "dB" in seen[-1].scores


def test_a_run_that_fails_leaves_its_history(pairs: Path, tmp_path: Path) -> None:
    settings = [*SMALL, "fit.lr=1e30", "fit.clip=0.0", "fit.steps=20", "fit.warmup=0"]
    with pytest.raises(DivergedError):
        run("unet", data=pairs, out=tmp_path / "wild", overrides=settings)
    assert rows(tmp_path / "wild")


def test_a_run_that_diverges_keeps_its_last_good_checkpoint(pairs: Path, tmp_path: Path) -> None:
    out = run("unet", data=pairs, out=tmp_path / "wild", overrides=SMALL, steps=2).folder
    before = (out / "last.ckpt").read_bytes()
    with pytest.raises(DivergedError):
        run(out, resume=True, steps=20, overrides=["fit.lr=1e30", "fit.validate_every=100"])
    assert (out / "last.ckpt").read_bytes() == before


def test_a_run_that_fails_while_it_measures_loses_nothing(
    pairs: Path, tmp_path: Path, whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, told = tmp_path / "cut", list[str]()

    def fail(*_: object) -> None:
        raise UsageError("cannot be measured")

    def break_at_six(now: Progress) -> None:
        if now.step == 6:
            monkeypatch.setattr(Method, "measure", fail)

    with pytest.raises(UsageError, match="cannot be measured"):
        run(
            "unet",
            data=pairs,
            out=out,
            overrides=SMALL,
            steps=8,
            progress=break_at_six,
            notify=told.append,
        )
    assert (
        f"after step 6, which is saved; once that is mended, undark train --resume {out}"
        in (told[-1])
    )
    assert set(rows(out)) == {1, 2, 3, 4, 5, 6}
    monkeypatch.undo()
    run(out, resume=True)
    expected, found = load_weights(whole).state, load_weights(out).state
    assert all(torch.equal(value, found[key]) for key, value in expected.items())


@pytest.mark.parametrize("workers", [0, 1])
def test_a_run_whose_data_fail_loses_nothing(
    pairs: Path, tmp_path: Path, whole: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    at = BatchStream.at

    def fail(self: BatchStream, step: int, part: int = 0) -> object:
        if step == 5:
            raise OSError("the disk is gone")
        return at(self, step, part)

    monkeypatch.setattr(BatchStream, "at", fail)
    out, settings = tmp_path / "cut", [*SMALL, f"data.workers={workers}"]
    with pytest.raises(OSError, match="the disk is gone"):
        run("unet", data=pairs, out=out, overrides=settings, steps=8)
    monkeypatch.undo()
    told: list[str] = []
    run(out, resume=True, notify=told.append)
    assert "resumed at step" in "".join(told)
    expected, found = load_weights(whole).state, load_weights(out).state
    assert all(torch.equal(value, found[key]) for key, value in expected.items())
