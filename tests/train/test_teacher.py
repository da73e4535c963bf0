"""A teacher of steps in places, who is told the truth, and agents that learn from it."""

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from undark.photo import area_resize, from_float, to_float
from undark.pixels.look import (
    ACTIONS,
    IN_PLACES,
    STATE,
    STOP,
    Look,
    choose_steps,
    cut_patches,
)
from undark.pixels.places import EVERYWHERE
from undark.pixels.steps import Step, apply_steps
from undark.train import export_model, run
from undark.train.losses.reward import Truth
from undark.train.nets.policy import Policy, features
from undark.train.teacher import Lesson, Notes, gains, lesson

SHADOWS = Step("exposure", 1.0, "shadows")


def photo(seed: int) -> np.ndarray:
    """Dark on one side, light on the other."""
    coarse = np.random.default_rng(seed).integers(10, 60, (6, 8, 3)).astype(np.uint8)
    coarse[:, 4:] += 150
    return np.asarray(Image.fromarray(coarse).resize((96, 80), Image.Resampling.BICUBIC))


def pair(dark: np.ndarray, *steps: Step) -> tuple[Look, Truth, np.ndarray]:
    light = from_float(apply_steps(to_float(dark), steps), np.dtype(np.uint8))
    look = Look.at(area_resize(dark, 16, 16), cut_patches(dark))
    return look, Truth(area_resize(light, 16, 16), cut_patches(light)), light


@pytest.mark.parametrize("step", [SHADOWS, Step("exposure", 0.4, "left")])
def test_the_step_that_leads_to_the_truth_gains_most(step: Step) -> None:
    look, truth, _ = pair(photo(1), step)
    gained = gains(look, truth, 0.005)
    assert len(gained) == len(IN_PLACES)
    assert ACTIONS[IN_PLACES[int(gained.argmax())]] == step
    assert gained.max() == pytest.approx(
        truth.score(look.after(step)) - truth.score(look) - 0.005, abs=1e-6
    )
    assert (gains(look.after(step), truth, 0.005) < 0).all()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("last", [STOP, IN_PLACES[0], ACTIONS.index(Step("exposure", -1.2))])
def test_a_lesson_is_given_where_an_edit_ends_or_turns_to_a_place(seed: int, last: int) -> None:
    look, truth, _ = pair(photo(seed), Step("exposure", 1.2), SHADOWS)
    brighter = ACTIONS.index(Step("exposure", 1.2))

    def choose(glance: np.ndarray, state: np.ndarray) -> int:
        return brighter if state[-1] == 0 else last  # the state's last number counts the steps

    found = lesson(look, truth, cost=0.005, choose=choose)
    assert found is not None
    shown = look.after(ACTIONS[brighter])
    assert np.array_equal(found.glance, shown.observe()[0])
    assert np.array_equal(found.state, shown.observe()[1])
    assert np.array_equal(found.gains, gains(shown, truth, 0.005))
    assert ACTIONS[IN_PLACES[int(found.gains.argmax())]] == SHADOWS


def test_an_edit_that_never_ends_has_no_lesson() -> None:
    look, truth, _ = pair(photo(0), SHADOWS)
    up = ACTIONS.index(Step("exposure", 0.15))
    assert lesson(look, truth, cost=0.005, choose=lambda *_: up) is None


def told(count: int, gain: Callable[[np.ndarray], np.ndarray], seed: int = 0) -> list[Lesson]:
    """Lessons on glances and states at random, where a step gains what `gain` says of the state."""
    random = np.random.default_rng(seed)
    states = random.standard_normal((count, 5), np.float32)
    glances = random.random((count, 3, 16, 16), np.float32)
    return [
        Lesson(glance, state, np.asarray(gain(state), np.float32))
        for glance, state in zip(glances, states, strict=True)
    ]


def foretold(notes: Notes, found: list[Lesson]) -> np.ndarray:
    learned = notes.learned()
    assert learned is not None
    seen = features(
        *(torch.from_numpy(np.stack(part)) for part in list(zip(*found, strict=True))[:2])
    )
    return (seen.double() @ learned[0].T + learned[1]).numpy()


def test_nothing_is_foretold_before_a_lesson() -> None:
    notes = Notes(5 + 96, 2)
    assert notes.learned() is None
    assert notes.add([]) == 0.0
    assert notes.learned() is None


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.floats(-0.015, 0.015), st.floats(-0.02, 0.02))
def test_what_is_foretold_of_the_unseen_is_the_mean_gain_less_what_makes_it_worth_while(
    seed: int, slope: float, offset: float
) -> None:
    notes = Notes(5 + 96, 2)

    def gain(state: np.ndarray) -> np.ndarray:
        return np.array([slope * state[2] + offset, offset])

    found = told(6000, gain, seed)
    first = notes.add(found[:3000])
    second = notes.add(found[3000:])
    unseen = told(500, gain, seed + 1)
    truth = np.stack([one.gains for one in unseen])
    error = foretold(notes, unseen) - (truth - 0.015)
    assert np.abs(error).max() < 0.01
    assert second <= first + 1e-9


def test_of_one_lesson_the_glance_is_believed_little_and_no_gain_beyond_the_bound() -> None:
    notes = Notes(5 + 96, 2)
    notes.add(told(1, lambda _: np.array([9.0, -9.0])))
    unseen = foretold(notes, told(50, lambda _: np.zeros(2), 1))
    assert np.allclose(unseen[:, 0], unseen[0, 0])
    assert 0.05 < unseen[0, 0] <= 0.1
    assert -0.15 < unseen[0, 1] <= -0.1


def test_older_lessons_count_less_and_all_come_back_as_they_were() -> None:
    notes, other = Notes(5 + 96, 1), Notes(5 + 96, 1)
    notes.add(told(100, lambda _: np.array([-0.1])))
    for number in range(300):
        notes.add(told(5, lambda _: np.array([0.1]), number))
    assert foretold(notes, told(9, lambda _: np.zeros(1))).mean() > 0.07
    other.load_state_dict(notes.state_dict())
    once = told(3, lambda _: np.zeros(1), 8)
    assert np.array_equal(foretold(notes, once), foretold(other, once))
    assert notes.add(once) == other.add(once)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([1, 3]))
def test_a_step_in_a_place_is_likelier_than_to_stop_just_where_it_is_foretold_to_gain(
    seed: int, count: int
) -> None:
    torch.manual_seed(seed)
    policy = Policy(STATE, STOP + 1, len(IN_PLACES), 16)
    torch.nn.init.normal_(policy.foretell.weight, std=0.01)
    seen = torch.rand(count, 3, 32, 32), torch.randn(count, STATE)
    logits, gained = policy(*seen), policy.foretell(features(*seen))
    assert logits.shape == (count, STOP + 1)
    places = logits[:, IN_PLACES.start : IN_PLACES.stop]
    clear = gained.abs() > 1e-5
    assert torch.equal((places > logits[:, STOP:])[clear], (gained > 0)[clear])
    best = places.argmax(1, keepdim=True)
    assert torch.allclose(gained.gather(1, best)[:, 0], gained.amax(1), atol=1e-5)
    logits.square().sum().backward()
    assert policy.foretell.weight.grad is None


def test_an_agent_comes_to_take_the_step_in_a_place_that_a_teacher_showed(tmp_path: Path) -> None:
    for half in ("low", "high"):
        (tmp_path / "pairs" / half).mkdir(parents=True)
    for seed in range(6):
        dark = photo(seed)
        _, _, light = pair(dark, SHADOWS)
        Image.fromarray(dark).save(tmp_path / "pairs" / "low" / f"{seed}.png")
        Image.fromarray(light).save(tmp_path / "pairs" / "high" / f"{seed}.png")
    run(
        "agent",
        data=tmp_path / "pairs",
        out=tmp_path / "run",
        overrides=[
            "net.widths=[64]", "net.glance=16", "fit.lr=0.003", "fit.warmup=1", "fit.ema=0.0",
            "fit.steps=40", "options.environments=2", "options.horizon=32", "options.batch=16",
            "options.epochs=2", "options.demonstrations=6", "data.held_out=0",
            "augment.exposure=0", "augment.noise=0",
        ],
    )  # fmt: skip
    export_model(tmp_path / "run", tmp_path / "agent.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "agent.onnx")

    def policy(glance: np.ndarray, state: np.ndarray) -> np.ndarray:
        return np.asarray(session.run(["logits"], {"glance": glance, "state": state})[0])

    look, truth, _ = pair(photo(9), SHADOWS)  # none that it learned from
    steps = choose_steps(look, policy)
    whole, without = look, look
    for step in steps:
        whole = whole.after(step)
        without = without.after(step) if step.where == EVERYWHERE else without
    assert any(step.where == "shadows" and step.amount > 0 for step in steps)
    assert truth.score(whole) > truth.score(without) + 0.05
    with (tmp_path / "run" / "history.csv").open(encoding="utf-8") as file:
        rows = [float(row["train/places"]) for row in csv.DictReader(file) if row["train/places"]]
    assert len(rows) == 20
    assert rows[-1] < max(rows)
