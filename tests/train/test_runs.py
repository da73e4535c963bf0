from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import safetensors.numpy
import torch
from PIL import Image
from small_recipe import SMALL

from undark import Enhancer
from undark.errors import DataError, DivergedError, ModelError, RecipeError, TrainError, UsageError
from undark.models import Card
from undark.train import export_model, run
from undark.train.weights import load_weights


@pytest.fixture(scope="session")
def finished(pairs: Path, tmp_path_factory: pytest.TempPathFactory):
    """A small run that has learned for sixty steps, and what it told."""
    told: list[str] = []
    settings = (*SMALL, "fit.steps=60", "fit.lr=0.004", "fit.validate_every=30", "fit.ema=0.9")
    done = run(
        "unet",
        data=pairs,
        out=tmp_path_factory.mktemp("runs") / "small",
        overrides=settings,
        notify=told.append,
    )
    return done, told


def test_a_run_learns_and_leaves_everything(finished) -> None:
    done, told = finished
    rows = (done.folder / "history.csv").read_text(encoding="utf-8").splitlines()
    column = rows[0].split(",").index("train/loss")
    values = [float(v) for row in rows[1:] if (v := row.split(",")[column])]
    assert values[-1] < 0.7 * values[0]
    assert any("unseen" in line for line in told)
    with Image.open(done.folder / "curves.png") as plot:
        assert plot.size[0] > 300
    assert len(list((done.folder / "grids").glob("*.png"))) == 2
    assert list(done.folder.glob("events.out.tfevents.*"))
    assert done.measured[0]["pictures"] == 2
    assert done.measured[0]["psnr"] > 12


def test_weights_hold_the_recipe_and_unpickle_nothing(finished) -> None:
    done, _ = finished
    weights = load_weights(done.folder)
    assert weights.recipe.fit.steps == 60
    assert weights.measured == done.measured
    assert safetensors.numpy.load_file(done.weights).keys() == weights.state.keys()
    checkpoint = torch.load(done.folder / "last.ckpt", weights_only=True)
    assert checkpoint["recipe"]["name"] == "unet"
    from_checkpoint = load_weights(done.folder / "last.ckpt").state
    assert all(torch.equal(v, weights.state[k]) for k, v in from_checkpoint.items())


def test_an_export_runs_in_the_enhancer_and_can_be_learned_from(
    finished, pairs: Path, tmp_path: Path
) -> None:
    done, _ = finished
    exported = export_model(done.folder, tmp_path / "mine.onnx", name="mine")
    assert exported.difference < 1e-4
    card = Card.load(exported.card)
    assert (card.name, card.method, card.recipe) == ("mine", "supervised", "unet.toml")
    assert card.glance is not None
    assert card.metrics[0].values["psnr"] == pytest.approx(done.measured[0]["psnr"], abs=1e-3)
    assert max(entry.version for entry in onnx.load(exported.model).opset_import) <= 20

    with Image.open(pairs / "dark" / "1.png") as opened:
        dark = np.asarray(opened)
    bright = Enhancer(exported.model).enhance(dark)
    assert bright.shape == dark.shape
    assert bright.mean() > 2 * dark.mean()

    back = load_weights(exported.model)
    original = load_weights(done.folder)
    assert back.recipe == original.recipe
    assert all(torch.equal(v, back.state[k]) for k, v in original.state.items())
    tuned = run(
        "unet",
        data=pairs,
        out=tmp_path / "tuned",
        overrides=[s for s in SMALL if not s.startswith("net.")],
        start=exported.model,
    )
    assert load_weights(tuned.folder).recipe.net == original.recipe.net
    with pytest.raises(UsageError, match="has weights of its own"):
        run(tuned.folder, start=exported.model, resume=True)
    again = run(
        "unet",
        data=pairs,
        out=tmp_path / "tuned",
        overrides=[s for s in SMALL if not s.startswith("net.")],
        resume=True,
    )
    assert again.measured == tuned.measured


def test_a_plain_unet_is_exported_as_a_guided_model(pairs: Path, tmp_path: Path) -> None:
    settings = [*(s for s in SMALL if "glance" not in s), "net.glance=0", "fit.steps=2"]
    done = run("unet", data=pairs, out=tmp_path / "plain", overrides=settings)
    card = Card.load(export_model(done.folder, tmp_path / "plain.onnx").card)
    assert card.glance is None
    assert card.scaling.mode == "guided"


def test_resuming_needs_the_same_recipe_and_starting_over_another_folder(
    finished, pairs: Path
) -> None:
    done, _ = finished
    with pytest.raises(TrainError, match="already holds a run"):
        run("unet", data=pairs, out=done.folder, overrides=SMALL)
    with pytest.raises(RecipeError, match="fit"):
        run("unet", data=pairs, out=done.folder, overrides=SMALL, resume=True)
    with pytest.raises(TrainError, match="no run to resume"):
        run("unet", data=pairs, out=done.folder / "none", overrides=SMALL, resume=True)


def test_a_seed_makes_a_run_repeat_itself(pairs: Path, tmp_path: Path) -> None:
    first, second, other = (
        load_weights(
            run("unet", data=pairs, out=tmp_path / name, overrides=[*SMALL, f"seed={seed}"]).folder
        ).state
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    assert all(torch.equal(value, second[key]) for key, value in first.items())
    assert not all(torch.equal(value, other[key]) for key, value in first.items())


def test_a_diverged_run_says_so(pairs: Path, tmp_path: Path) -> None:
    settings = [*SMALL, "fit.lr=1e30", "fit.clip=0.0", "fit.steps=50"]
    with pytest.raises(DivergedError, match=r"fit\.lr"):
        run("unet", data=pairs, out=tmp_path / "wild", overrides=settings)


@pytest.mark.parametrize(
    ("name", "error", "says"),
    [
        ("untt", RecipeError, "'unet'"),
        ("missing.toml", RecipeError, "cannot read"),
    ],
)
def test_an_unknown_method_or_recipe(
    pairs: Path, tmp_path: Path, name: str, error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        run(name, data=pairs, out=tmp_path / "x")


def test_missing_data_and_foreign_weights(pairs: Path, tmp_path: Path, finished) -> None:
    with pytest.raises(DataError, match="no such folder"):
        run("unet", data=tmp_path / "none", out=tmp_path / "x")
    with pytest.raises(DataError, match="expected"):
        run("unet", data=tmp_path, out=tmp_path / "x")
    (tmp_path / "bad.safetensors").write_bytes(b"nonsense")
    with pytest.raises(ModelError, match=r"bad\.safetensors"):
        export_model(tmp_path / "bad.safetensors", tmp_path / "bad.onnx")
    with pytest.raises(ModelError, match=r"\.onnx"):
        export_model(finished[0].folder, tmp_path / "model.bin")
    with pytest.raises(RecipeError, match="another network"):
        run(
            "unet",
            data=pairs,
            out=tmp_path / "y",
            overrides=[*SMALL, "net.widths=[4, 4]"],
            start=finished[0].folder,
        )


def command(*words: object) -> list[str]:
    return [sys.executable, "-m", "undark", *map(str, words)]


@pytest.mark.slow  # four processes, each of which imports torch
@pytest.mark.skipif(sys.platform == "win32", reason="no process groups to send signals to")
def test_a_run_stopped_by_signals_resumes_to_the_very_step(pairs: Path, tmp_path: Path) -> None:
    """They reach the process that draws ahead too, as a terminal's Ctrl-C does."""
    settings = [
        word
        for s in (*SMALL, "fit.steps=300", "fit.validate_every=100", "data.workers=1")
        for word in ("--set", s)
    ]
    words = ["train", "unet", "--data", pairs, *settings]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    whole = subprocess.run(
        command(*words, "--out", tmp_path / "whole"),
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    assert whole.stdout.strip().endswith("weights.safetensors")

    resume: list[str] = []
    closed = getattr(signal, "SIGHUP", signal.SIGTERM)  # the terminal
    for number, step in ((signal.SIGINT, 15), (signal.SIGTERM, 45), (closed, 75)):
        with subprocess.Popen(
            command(*words, "--out", tmp_path / "cut", *resume),
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            start_new_session=True,
        ) as process:
            assert process.stderr is not None
            for line in process.stderr:
                if f"step {step} of" in line:
                    os.killpg(process.pid, number)
                    break
            rest = process.stderr.read()
            assert process.wait() == 130, rest
        assert "--resume" in rest
        stopped = torch.load(tmp_path / "cut" / "last.ckpt", weights_only=True)["batches"]
        assert step <= stopped < 300
        resume = ["--resume"]

    subprocess.run(
        command(*words, "--out", tmp_path / "cut", "--resume"),
        capture_output=True,
        check=True,
        env=environment,
    )
    expected = load_weights(tmp_path / "whole").state
    resumed = load_weights(tmp_path / "cut").state
    assert all(torch.equal(value, resumed[key]) for key, value in expected.items())
    steps = [
        line.split(",")[0]
        for line in (tmp_path / "cut" / "history.csv").read_text(encoding="utf-8").splitlines()
    ]
    assert steps[-1] == "300"
    assert json.loads((tmp_path / "cut" / "measured.json").read_text(encoding="utf-8"))


def test_weights_of_half_size_lose_next_to_nothing(finished, pairs: Path, tmp_path: Path) -> None:
    done, _ = finished
    whole = export_model(done.folder, tmp_path / "whole.onnx")
    half = export_model(done.folder, tmp_path / "half.onnx", half=True)
    assert half.difference < 1e-4
    assert half.model.stat().st_size < 0.75 * whole.model.stat().st_size
    with Image.open(pairs / "dark" / "1.png") as opened:
        dark = np.asarray(opened)
    one, two = (
        Enhancer(made.model, runtime="onnxruntime", device="cpu")(dark) for made in (whole, half)
    )
    assert np.abs(one.astype(int) - two).max() <= 2
    state, rounded = load_weights(done.folder).state, load_weights(half.model).state
    assert all(rounded[name].dtype == value.dtype for name, value in state.items())
    for name, value in state.items():
        torch.testing.assert_close(rounded[name], value, atol=1e-6, rtol=1e-3)


def test_pictures_may_be_shrunk_to_be_seen_whole(pairs: Path, tmp_path: Path) -> None:
    settings = (*SMALL, "net.glance=0", "data.max_side=32")
    with pytest.raises(RecipeError, match="max_side"):
        run("unet", data=pairs, out=tmp_path / "run", overrides=settings)
    settings = (*SMALL, "net.glance=0", "data.max_side=64", "fit.steps=2")
    done = run("unet", data=pairs, out=tmp_path / "run", overrides=settings)
    exported = export_model(done.folder, tmp_path / "mine.onnx")
    scaling = Card.load(exported.card).scaling
    assert (scaling.mode, scaling.max_side) == ("guided", 64)
    large = np.random.default_rng(0).integers(0, 60, (150, 211, 3), dtype=np.uint8)
    assert Enhancer(exported.model)(large).shape == large.shape
