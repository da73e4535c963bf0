"""Several processes share each batch: the run is the same, stops and goes on, and ends as one."""

from __future__ import annotations

import csv
import json
import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from small_recipe import SMALL

from undark.errors import RecipeError, TrainError, UsageError
from undark.train import Progress, Stopped, run
from undark.train.parallel import find_world
from undark.train.weights import load_weights

HALF = (*SMALL, "data.crop=16", "data.batch=4", "fit.lr=0.0005")
"""Dropout and all augmentation are on: what is random must be shared too."""


def losses(folder: Path) -> dict[int, dict[str, float]]:
    with (folder / "history.csv").open(encoding="utf-8") as file:
        return {
            int(row["step"]): {
                name: float(value)
                for name, value in row.items()
                if name.startswith("train/") and value
            }
            for row in csv.DictReader(file)
            if row["train/loss"]
        }


def same_losses(one: Path, other: Path, tolerance: float = 2e-4) -> None:
    first, second = losses(one), losses(other)
    assert first.keys() == second.keys()
    for step, values in first.items():
        assert second[step] == pytest.approx(values, rel=tolerance, abs=1e-6), step


@pytest.fixture(scope="module")
def alone(pairs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six steps of four crops, in one process."""
    out = tmp_path_factory.mktemp("alone") / "run"
    return run("unet", data=pairs, out=out, overrides=HALF).folder


def test_two_processes_learn_what_one_learns_of_the_whole_batch(
    alone: Path, pairs: Path, tmp_path: Path
) -> None:
    told: list[str] = []
    done = run(
        "unet", data=pairs, out=tmp_path / "two", overrides=HALF, devices=2, notify=told.append
    )
    same_losses(alone, done.folder)
    assert "2 processes share each batch, 2 crops each" in told
    assert len([line for line in told if line.startswith("step 6, ")]) == 1
    assert {path.name for path in done.folder.iterdir()} == {
        path.name if not path.name.startswith("events") else event.name
        for path in alone.iterdir()
        for event in done.folder.glob("events*")
    }
    expected = json.loads((alone / "measured.json").read_text(encoding="utf-8"))
    assert done.measured[0]["pictures"] == expected[0]["pictures"] == 2
    assert done.measured[0]["psnr"] == pytest.approx(expected[0]["psnr"], abs=0.01)
    assert not multiprocessing.active_children()
    assert not torch.distributed.is_initialized()


def test_a_shared_run_stops_and_goes_on_with_another_number_of_processes(
    alone: Path, pairs: Path, tmp_path: Path
) -> None:
    def stop(now: Progress) -> None:
        if now.step == 3:
            signal.raise_signal(signal.SIGINT)

    out = tmp_path / "run"
    with pytest.raises(Stopped) as stopped:
        run("unet", data=pairs, out=out, overrides=HALF, devices=2, progress=stop)
    assert stopped.value.step == 3
    assert not multiprocessing.active_children()
    run(out, resume=True)
    same_losses(alone, out)
    longer = run(out, resume=True, steps=7, devices=2)
    assert load_weights(longer.folder).recipe.fit.steps == 7
    assert set(losses(out)) == set(range(1, 8))


@pytest.mark.parametrize("accumulate", [2])
def test_batches_gathered_over_processes_and_steps_are_one_batch(
    alone: Path, pairs: Path, tmp_path: Path, accumulate: int
) -> None:
    settings = (*HALF, "data.batch=2", f"fit.accumulate={accumulate}", "net.dropout=0.0")
    whole = (*HALF, "net.dropout=0.0")
    one = run("unet", data=pairs, out=tmp_path / "one", overrides=whole, steps=3)
    two = run("unet", data=pairs, out=tmp_path / "two", overrides=settings, steps=3, devices=2)
    same_losses(one.folder, two.folder)


def ended_by(way: Callable[[int], None]) -> Callable[[Progress], None]:
    def watch(now: Progress) -> None:
        if now.step == 2:
            (other,) = multiprocessing.active_children()
            assert other.pid is not None
            way(other.pid)
            other.join(10)

    return watch


def test_a_process_that_dies_ends_all_with_a_line(pairs: Path, tmp_path: Path) -> None:
    watch = ended_by(lambda process: os.kill(process, signal.SIGKILL))
    with pytest.raises(TrainError, match="process 2 of 2 was ended by SIGKILL"):
        run("unet", data=pairs, out=tmp_path / "run", overrides=HALF, devices=2, progress=watch)
    assert not multiprocessing.active_children()
    assert not torch.distributed.is_initialized()


def test_what_cannot_be_shared_is_refused(pairs: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"data\.batch: 4 crops cannot be shared equally by 3"):
        run("unet", data=pairs, out=tmp_path / "a", overrides=HALF, devices=3, device="cpu")
    with pytest.raises(UsageError, match="agent learns in one process"):
        run("agent", data=pairs, out=tmp_path / "b", devices=2, device="cpu")
    with pytest.raises(UsageError, match="devices must be at least 1"):
        run("unet", data=pairs, out=tmp_path / "c", devices=0)
    with pytest.raises(UsageError, match="MASTER_ADDR"):
        run("unet", data=pairs, out=tmp_path / "d", nodes=2)
    assert not list(tmp_path.iterdir())


def test_who_a_process_is_comes_from_its_launcher() -> None:
    told = {"MASTER_ADDR": "10.0.0.1", "MASTER_PORT": "29500"}
    world = find_world(4, 2, "cpu", {**told, "NODE_RANK": "1"})
    assert (world.rank, world.local, world.size, world.leads) == (4, 0, 8, False)
    assert not world.given
    by_torchrun = {
        "TORCHELASTIC_RUN_ID": "x",
        "RANK": "3",
        "LOCAL_RANK": "1",
        "WORLD_SIZE": "4",
        "LOCAL_WORLD_SIZE": "2",
    }
    world = find_world(1, 1, "cpu", {**told, **by_torchrun})
    assert (world.rank, world.local, world.devices, world.nodes) == (3, 1, 2, 2)
    assert world.given
    with pytest.raises(UsageError, match="NODE_RANK must be from 0 to 1"):
        find_world(1, 2, "cpu", {**told, "NODE_RANK": "2"})


# Two interpreters load PyTorch anew: several seconds each.
@pytest.mark.slow
def test_two_machines_run_the_same_command(alone: Path, pairs: Path, tmp_path: Path) -> None:
    settings = [word for setting in HALF for word in ("--set", setting)]
    command = [sys.executable, "-m", "undark", "train", "unet", "--data", str(pairs), "--nodes"]
    started: list[subprocess.Popen[str]] = []
    for node in range(2):
        told = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29517", "NODE_RANK": str(node)}
        started.append(
            subprocess.Popen(
                [*command, "2", "-o", str(tmp_path / "run"), "--threads", "1", *settings],
                env={**os.environ, **told},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    results = [process.communicate(timeout=200) for process in started]
    assert [process.returncode for process in started] == [0, 0], results
    assert results[0][0].strip() == str(tmp_path / "run" / "weights.safetensors")
    assert results[1] == ("", "")
    same_losses(alone, tmp_path / "run")
