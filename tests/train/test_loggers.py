"""Loggers besides the run's own files: asked for by name, gone on with, and nothing unasked."""

from __future__ import annotations

import csv
import importlib.util
import json
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from small_recipe import SMALL
from typer.testing import CliRunner

from undark.cli.app import app
from undark.errors import TrainError, UsageError
from undark.train import run
from undark.train.early import LOGGERS

TINY = (*SMALL, "data.crop=16", "fit.steps=3", "fit.validate_every=2")

_STAND_IN = """
import json
from pathlib import Path
from lightning.pytorch.loggers.logger import Logger

class Experiment:
    def __init__(self, file, hash):
        self.file, self.hash = file, hash
    def note(self, **said):
        with self.file.open("a") as file:
            file.write(json.dumps({"run": self.hash, **said}) + "\\n")
    def track(self, image, name, step):
        self.note(image=list(image.size), name=name, step=step)

class AimLogger(Logger):
    name, version = "aim", 0
    def __init__(self, experiment, run_hash=None):
        super().__init__()
        if experiment != "undark":
            raise RuntimeError("no such experiment")
        if (Path.cwd() / "refuse").exists():
            raise RuntimeError("the server\\nis away")
        self.experiment = Experiment(Path.cwd() / "aim.jsonl", run_hash or "first")
    def log_hyperparams(self, params):
        self.experiment.note(recipe=params)
    def log_metrics(self, metrics, step=None):
        self.experiment.note(metrics=metrics, step=step)
    def finalize(self, status):
        self.experiment.note(status=status)
"""


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package that is called as Aim is, and notes what it is told in a file."""
    package = tmp_path / "packages" / "aim"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("def Image(picture):\n    return picture\n")
    (package / "pytorch_lightning.py").write_text(textwrap.dedent(_STAND_IN))
    monkeypatch.syspath_prepend(str(package.parent))
    monkeypatch.chdir(tmp_path)
    yield tmp_path / "aim.jsonl"
    for name in [name for name in sys.modules if name.split(".")[0] == "aim"]:
        del sys.modules[name]


def noted(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def test_what_is_noted_is_logged_with_the_recipe_and_the_grids(
    stand_in: Path, pairs: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    words = ["train", "unet", "--data", str(pairs), "-o", str(out), "--logger", "aim"]
    done = CliRunner().invoke(app, [*words, *(w for item in TINY for w in ("--set", item))])
    assert done.exit_code == 0, done.stderr
    lines = noted(stand_in)
    assert lines[0]["recipe"]["fit"]["steps"] == 3
    logged: dict[tuple[int, str], float] = {
        (line["step"], name): value
        for line in lines
        for name, value in line.get("metrics", {}).items()
    }
    with (out / "history.csv").open(encoding="utf-8") as file:
        written = {
            (int(row["step"]), name): float(value)
            for row in csv.DictReader(file)
            for name, value in row.items()
            if name != "step" and value
        }
    assert logged == pytest.approx(written)
    assert [line["step"] for line in lines if "image" in line] == [2, 3]
    assert [line["status"] for line in lines if "status" in line] == ["success"]

    run(out, resume=True, steps=4, loggers=["aim"])
    assert {line["run"] for line in noted(stand_in)} == {"first"}
    assert noted(stand_in)[-2]["step"] == 4
    before = stand_in.read_bytes()
    run(out, resume=True, steps=5)
    assert stand_in.read_bytes() == before, "nothing is logged unless it is asked for"


def test_a_logger_that_cannot_start_is_one_line(
    stand_in: Path, pairs: Path, tmp_path: Path
) -> None:
    (tmp_path / "refuse").touch()
    with pytest.raises(TrainError, match="aim cannot start: the server is away"):
        run("unet", data=pairs, out=tmp_path / "run", overrides=TINY, loggers=["aim"])


def test_unknown_and_missing_loggers_are_named_before_all_else(
    pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"
    with pytest.raises(UsageError, match="no such logger: 'wanbd'; known: wandb, mlflow, aim"):
        run("unet", data=pairs, out=out, loggers=["wanbd"])
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    for name, package in LOGGERS.items():
        with pytest.raises(UsageError, match=f"pip install {package}"):
            run("unet", data=pairs, out=out, loggers=[name])
    assert not out.exists()


def test_mlflow_keeps_a_run(pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mlflow = pytest.importorskip("mlflow", reason="needs mlflow")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "mlruns").as_uri())
    out = tmp_path / "run"
    run("unet", data=pairs, out=out, overrides=TINY, loggers=["mlflow"])
    run(out, resume=True, steps=4, loggers=["mlflow"])
    client = mlflow.MlflowClient((tmp_path / "mlruns").as_uri())
    experiment = client.get_experiment_by_name("undark")
    (kept,) = client.search_runs([experiment.experiment_id])
    assert kept.info.status == "FINISHED"
    assert kept.data.params["fit/steps"] == "3"
    steps = [item.step for item in client.get_metric_history(kept.info.run_id, "train/loss")]
    assert steps == [1, 2, 3, 4]


def test_wandb_works_offline(pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb", reason="needs wandb")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_MODE", "offline")
    out = tmp_path / "run"
    run("unet", data=pairs, out=out, overrides=TINY, loggers=["wandb"])
    kept = list(out.glob("wandb/offline-run-*/*.wandb"))
    assert len(kept) == 1
    known = json.loads((out / "loggers.json").read_text(encoding="utf-8"))
    assert known["wandb"] in kept[0].name
