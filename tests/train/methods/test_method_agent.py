from __future__ import annotations

import csv
import warnings
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import onnx
import pytest
import torch
from gymnasium.utils.env_checker import check_env
from PIL import Image

from undark import Enhancer
from undark.errors import DivergedError, RecipeError, UsageError
from undark.evaluate.metrics import psnr
from undark.models import Card
from undark.photo import Photo
from undark.pixels.look import ACTIONS, CHOICES, IN_PLACES, LIMIT, STATE, STOP, Look, cut_patches
from undark.pixels.steps import Step, apply_steps
from undark.train import export_model, run
from undark.train.callbacks import Stop
from undark.train.data.datasets import load_datasets
from undark.train.environment import ENVIRONMENT, Gallery, Retouch, Scene
from undark.train.losses.reward import Truth, no_reference
from undark.train.methods.agent import Agent
from undark.train.nets.policy import Policy
from undark.train.recipe import Augment, Data, Source
from undark.train.weights import Weights, load_into, load_weights

SMALL = (
    "net.widths=[32]",
    "net.glance=16",
    "fit.lr=0.004",
    "fit.warmup=1",
    "fit.ema=0.0",
    "fit.steps=4",
    "fit.validate_every=2",
    "options.environments=4",
    "options.horizon=16",
    "options.batch=32",
)


def action(operation: str, amount: float) -> int:
    return ACTIONS.index(Step(operation, amount))


def action_in(place: str, amount: float) -> int:
    return ACTIONS.index(Step("exposure", amount, place))


@pytest.fixture(scope="module")
def light() -> np.ndarray:
    coarse = np.random.default_rng(0).integers(90, 220, (6, 8, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((96, 80), Image.Resampling.BICUBIC))


def dark_of(light: np.ndarray) -> np.ndarray:
    noise = np.random.default_rng(1).normal(0, 1.5, light.shape)
    return (light * 0.15 + noise).clip(0, 255).astype(np.uint8)


def test_the_environment_is_registered_and_keeps_gymnasiums_rules() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Gymnasium: a state without bounds is meant
        check_env(gymnasium.make(ENVIRONMENT, glance=32).unwrapped)
        check_env(Retouch(glance=16, hints=True, render_mode="rgb_array"))


def test_a_step_is_worth_what_it_gains(light: np.ndarray) -> None:
    environment = Retouch(glance=16, cost=0.0)
    _, told = environment.reset(options={"photo": dark_of(light), "truth": light})
    before = told["score"]
    gained = 0.0
    for operation, amount in (("exposure", 3.0), ("exposure", 1.2)):
        _, reward, over, cut, told = environment.step(action(operation, amount))
        assert reward > 0
        assert not (over or cut)
        gained += reward
    assert told["score"] - before == pytest.approx(gained)
    assert environment.step(action("exposure", 3.0))[1] < 0
    _, reward, over, _, _ = environment.step(STOP)
    assert (reward, over) == (0.0, True)
    with pytest.raises(UsageError, match="reset"):
        environment.step(STOP)


def test_an_episode_ends_after_the_last_step_it_may_take() -> None:
    environment = Retouch(glance=16)
    environment.reset(seed=1)
    overs = [environment.step(action("gamma", 0.2))[2] for _ in range(LIMIT)]
    assert overs == [False] * (LIMIT - 1) + [True]


@pytest.mark.parametrize("number", IN_PLACES)
def test_an_episode_ends_with_a_step_in_a_place(number: int) -> None:
    environment = Retouch(glance=16)
    environment.reset(seed=1)
    _, first, over, _, before = environment.step(action("exposure", 0.4))
    assert not over
    _, reward, over, _, after = environment.step(number)
    assert over
    assert reward == pytest.approx(after["score"] - before["score"] - 0.005)
    assert first != 0.0


def test_a_seed_draws_the_same_scene() -> None:
    first, second = (Retouch(glance=16).reset(seed=5)[0] for _ in range(2))
    other = Retouch(glance=16).reset(seed=6)[0]
    assert all(np.array_equal(value, second[key]) for key, value in first.items())
    assert not np.array_equal(first["glance"], other["glance"])


def test_what_is_well_is_best_left_alone(light: np.ndarray) -> None:
    environment = Retouch(glance=16)
    for number in range(STOP):
        environment.reset(options={"photo": light, "truth": light})
        assert environment.step(number)[1] < 0


def test_photo_and_truth_must_be_of_one_size(light: np.ndarray) -> None:
    with pytest.raises(UsageError, match="differ"):
        Retouch(glance=16).reset(options={"photo": light, "truth": light[:40]})


def test_it_can_be_shown(light: np.ndarray) -> None:
    environment = Retouch(glance=16, render_mode="rgb_array")
    environment.reset(options={"photo": light})
    shown = environment.render()
    assert shown is not None
    environment.step(action("exposure", -1.2))
    darker = environment.render()
    assert darker is not None
    assert shown.shape == darker.shape
    assert darker.mean() < shown.mean()


def test_the_score_follows_the_whole_pictures(light: np.ndarray) -> None:
    photo, wanted = Photo(dark_of(light)), Photo(light)
    truth = Truth(wanted.glance(16, 16), cut_patches(light), structure=0.0)
    look = Look.of(photo, 16, 16)
    done: list[Step] = []
    for step in (Step("exposure", 3.0), Step("exposure", 1.2), Step("exposure", 1.2)):
        look, done = look.after(step), [*done, step]
        measured = psnr(apply_steps(photo.rgb(), done), light) / 10
        assert truth.score(look) == pytest.approx(measured, abs=0.08)


def test_without_a_truth_dark_noisy_and_blown_count_against(light: np.ndarray) -> None:
    fine = Look.of(Photo(light), 16, 16)
    assert no_reference(fine) > no_reference(Look.of(Photo(dark_of(light)), 16, 16))
    assert no_reference(fine) > no_reference(fine.after(Step("exposure", 3.0)))
    noise = np.random.default_rng(0).normal(0, 12, light.shape)
    noisy = (light + noise).clip(0, 255).astype(np.uint8)
    assert no_reference(fine) > no_reference(Look.of(Photo(noisy), 16, 16))


def test_scenes_come_from_pairs_and_from_dark_photos(pairs: Path) -> None:
    data = Data(sources=(Source(path="."), Source(kind="dark", path="dark")))
    datasets, _ = load_datasets(data, root=pairs, glance=16, seed=1, notify=lambda line: None)
    gallery = Gallery(datasets, Augment(share=0.5))
    scenes: list[Scene] = [gallery(np.random.default_rng(seed)) for seed in range(20)]
    assert {scene.truth is None for scene in scenes} == {True, False}
    assert all(scene.look.glance.shape == (16, 16, 3) for scene in scenes)


def test_scenes_may_show_windows_of_photos(pairs: Path) -> None:
    same = Data(sources=(Source(kind="keep", path="."),))
    datasets, _ = load_datasets(same, root=pairs, glance=16, seed=1, notify=lambda line: None)
    plain = Augment(flip=False, share=0.0)

    def looks(window: float) -> list[Scene]:
        gallery = Gallery(datasets, plain, window=window)
        return [gallery(np.random.default_rng(seed)) for seed in range(40)]

    def differing(scenes: list[Scene]) -> int:
        return len({scene.look.glance.tobytes() for scene in scenes})

    assert differing(looks(1.0)) <= len(datasets[0])
    windows = looks(0.5)
    assert differing(windows) == 40
    for scene in windows:  # of dark and truth, the same window: here they are one photo
        assert scene.truth is not None
        assert np.array_equal(scene.look.glance, scene.truth.glance)
        assert np.array_equal(scene.look.patches, scene.truth.patches)


@pytest.fixture(scope="module")
def trained(pairs: Path, tmp_path_factory: pytest.TempPathFactory):
    """A small agent after a few thousand steps: some seconds."""
    settings = (
        *SMALL,
        "fit.steps=16",
        "fit.validate_every=8",
        "options.environments=8",
        "options.horizon=32",
        "options.batch=64",
    )
    told: list[str] = []
    folder = tmp_path_factory.mktemp("agent") / "run"
    return run("agent", data=pairs, out=folder, overrides=settings, notify=told.append), told


def test_an_agent_learns_to_beat_stopping_at_once(trained, pairs: Path) -> None:
    done, told = trained
    assert any("gain" in line for line in told)
    with Image.open(pairs / "dark" / "3.png") as low, Image.open(pairs / "light" / "3.png") as high:
        unretouched = psnr(np.asarray(low), np.asarray(high))
    assert done.measured[0]["psnr"] > unretouched + 4
    rows = (done.folder / "history.csv").read_text(encoding="utf-8").splitlines()
    column = rows[0].split(",").index("train/gain")
    gains = [float(value) for row in rows[1:] if (value := row.split(",")[column])]
    assert gains[-1] > gains[0] + 0.5
    assert (done.folder / "curves.png").is_file()
    assert list((done.folder / "grids").glob("*.png"))


def test_an_exported_agent_runs_without_torch_and_is_tuned_further(
    trained, pairs: Path, tmp_path: Path
) -> None:
    done, _ = trained
    exported = export_model(done.folder, tmp_path / "mine.onnx", name="mine")
    assert exported.difference < 1e-4
    card = Card.load(exported.card)
    assert (card.method, card.scaling.mode) == ("reinforcement", "steps")
    graph = onnx.load(exported.model).graph
    assert [item.name for item in graph.input] == ["glance", "state"]
    with Image.open(pairs / "dark" / "1.png") as opened:
        dark = np.asarray(opened)
    enhancer = Enhancer(exported.model, runtime="onnxruntime", device="cpu")
    assert 0 < len(enhancer.steps(dark)) <= LIMIT
    assert enhancer(dark).mean() > 2 * dark.mean()

    tuned = run(
        "agent",
        data=pairs,
        out=tmp_path / "tuned",
        overrides=[s for s in SMALL if not s.startswith("net.")],
        start=exported.model,
    )
    assert load_weights(tuned.folder).recipe.net == load_weights(done.folder).recipe.net


@pytest.mark.parametrize("actions", CHOICES)
def test_an_agent_of_one_network_is_tuned_further(actions: int) -> None:
    torch.manual_seed(0)
    recipe = Agent.default_recipe("agent")
    # As agents were before places had a network of their own.
    old = Policy(STATE, actions + 1, 1, 16)
    torch.nn.init.normal_(old.choose.weight)
    state = {
        name: value
        for name, value in old.state_dict().items()
        if name.startswith(("eyes.", "choose."))
    }
    new = Policy(STATE, STOP + 1, len(IN_PLACES), 16)
    load_into(new, Weights(state, recipe, []))
    seen = torch.rand(8, 3, 16, 16), torch.randn(8, STATE)
    before, after = old(*seen), new(*seen)
    known = IN_PLACES.start
    assert torch.equal(after[:, :known], before[:, :known])
    assert torch.equal(after[:, STOP], before[:, -1])
    assert (after[:, known:STOP] < after[:, STOP:]).all()
    with pytest.raises(RecipeError, match="another network"):
        load_into(Policy(STATE, STOP + 1, len(IN_PLACES), 24), Weights(state, recipe, []))


@pytest.mark.parametrize(("demonstrations", "alone"), [(0, 0), (2, 0), (2, 1), (2, 3)])
def test_a_stopped_run_resumes_to_the_very_step(
    pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, demonstrations: int, alone: int
) -> None:
    settings = (*SMALL, f"options.demonstrations={demonstrations}", f"options.alone={alone}")
    whole = run("agent", data=pairs, out=tmp_path / "whole", overrides=settings)
    stops = {"at": 2}
    ended = Stop.on_train_batch_end

    def after(self: Stop, trainer: Any, pl_module: Any, *rest: Any) -> None:
        self._asked = pl_module.batches == stops["at"]
        ended(self, trainer, pl_module, *rest)

    monkeypatch.setattr(Stop, "on_train_batch_end", after)
    with pytest.raises(KeyboardInterrupt):
        run("agent", data=pairs, out=tmp_path / "cut", overrides=settings)
    stops["at"] = -1
    resumed = run("agent", data=pairs, out=tmp_path / "cut", overrides=settings, resume=True)
    first, second = load_weights(whole.folder).state, load_weights(resumed.folder).state
    assert all(torch.equal(value, second[key]) for key, value in first.items())
    assert torch.load(resumed.folder / "last.ckpt", weights_only=True)["batches"] == 4
    with (whole.folder / "history.csv").open(encoding="utf-8") as file:
        heard = [bool(row.get("train/places")) for row in csv.DictReader(file) if row["train/loss"]]
    assert heard == [bool(demonstrations) and number >= alone for number in range(4)]


def test_a_run_that_breaks_off_keeps_its_last_checkpoint(
    pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Agent.losses

    def broken(self: Agent, batch: Any) -> dict[str, torch.Tensor]:
        terms = whole(self, batch)
        return terms if self.batches < 2 else {**terms, "loss": torch.tensor(torch.nan)}

    monkeypatch.setattr(Agent, "losses", broken)
    settings = [*SMALL, "fit.checkpoint_minutes=1e-9"]
    with pytest.raises(DivergedError, match=r"fit\.lr"):
        run("agent", data=pairs, out=tmp_path / "wild", overrides=settings)
    kept = torch.load(tmp_path / "wild" / "last.ckpt", weights_only=True)
    assert kept["batches"] == 2


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("options.batch=33", "must divide"),
        ("net.glance=40", "multiple of 16"),
        ("options.epoch=3", "'options.epochs'"),
        ("options.environments=0", "at least"),
        ("options.window=0", "at most 1"),
    ],
)
def test_settings_that_do_not_fit_are_refused(
    pairs: Path, tmp_path: Path, setting: str, says: str
) -> None:
    with pytest.raises(RecipeError, match=says):
        run("agent", data=pairs, out=tmp_path / "x", overrides=[*SMALL, setting])
