"""A teacher who is told the truth, and agents that learn from it."""

import csv
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from PIL import Image

from undark.photo import area_resize, from_float, to_float
from undark.pixels.look import ACTIONS, LIMIT, STATE, STOP, Look, cut_patches
from undark.pixels.steps import Step, apply_steps
from undark.train import export_model, run
from undark.train.losses.reward import Truth
from undark.train.nets.policy import Policy
from undark.train.teacher import Lesson, Notes, gains, imitation, lessons

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


@pytest.mark.parametrize("step", [SHADOWS, Step("exposure", 1.2), Step("exposure", 0.4, "left")])
def test_it_takes_the_step_that_leads_to_the_truth(step: Step) -> None:
    look, truth, _ = pair(photo(1), step)
    gained = gains(look, truth, 0.005)
    assert gained[STOP] == 0
    assert ACTIONS[int(gained.argmax())] == step
    assert gained.max() == pytest.approx(
        truth.score(look.after(step)) - truth.score(look) - 0.005, abs=1e-6
    )
    assert gains(look.after(step), truth, 0.005).argmax() == STOP


@pytest.mark.parametrize("seed", range(4))
def test_lessons_show_the_way_whatever_the_pupil_does(seed: int) -> None:
    look, truth, _ = pair(photo(seed), Step("exposure", 1.2), SHADOWS)
    wrong = ACTIONS.index(Step("exposure", -0.4))
    for pupil in (STOP, wrong):
        found = lessons(
            look,
            truth,
            cost=0.005,
            choose=lambda glance, state, pupil=pupil: pupil,
            random=np.random.default_rng(seed),
        )
        assert 1 <= len(found) <= LIMIT
        assert found[0].gains.argmax() != STOP
        assert found[0].glance.shape == (3, 16, 16)


def learned(gained: torch.Tensor) -> torch.Tensor:
    """The chances of a policy that has learned, alike in all states, what was shown of them."""
    logits = torch.zeros(1, gained.shape[1], requires_grad=True)
    optimizer = torch.optim.Adam([logits], lr=0.05)
    for _ in range(400):
        optimizer.zero_grad()
        imitation(logits.expand(len(gained), -1), gained).backward()
        optimizer.step()
    return logits.detach().softmax(1)[0]


def test_a_step_that_is_always_nearly_best_is_learned_before_those_that_are_so_by_turns() -> None:
    """So it is with steps in places: the very best ones differ from photo to photo."""
    gained = torch.full((8, len(ACTIONS) + 1), -0.2)
    gained[torch.arange(8), torch.arange(8)] = 0.05
    gained[:, 30] = 0.048
    assert learned(gained).argmax() == 30


def test_a_step_that_does_harm_elsewhere_is_not_learned_for_being_best_more_often() -> None:
    gained = torch.full((5, len(ACTIONS) + 1), -0.3)
    gained[:3, 7], gained[3:, 7] = 0.02, -0.25
    gained[:, STOP] = 0.0
    assert learned(gained).argmax() == STOP


def test_what_all_steps_gain_alike_says_nothing() -> None:
    gained = torch.full((1, len(ACTIONS) + 1), 0.1)
    even = imitation(torch.zeros_like(gained), gained)
    assert even.item() == pytest.approx(np.log(len(ACTIONS) + 1), rel=1e-5)


def test_notes_forget_the_oldest_and_come_back_as_they_were() -> None:
    random = np.random.default_rng(0)
    told = [
        Lesson(
            random.random((3, 32, 32), np.float32),
            np.full(5, number, np.float32),
            np.full(3, number, np.float32),
        )
        for number in range(10)
    ]
    notes = Notes(6)
    assert len(notes) == 0
    notes.add([])
    for first in (0, 4, 7):
        notes.add(told[first : first + 4])
    glances, states, gained = notes.draw(200, np.random.default_rng(1))
    assert len(notes) == 6
    assert glances.shape == (200, 3, 16, 16)
    assert set(states[:, 0].tolist()) == {5.0, 6.0, 7.0, 8.0, 9.0}  # the seventh was told twice
    assert torch.equal(states[:, 0], gained[:, 0])
    other = Notes(6)
    other.load_state_dict(notes.state_dict())
    again = other.draw(200, np.random.default_rng(1))
    assert all(torch.equal(*both) for both in zip(again, (glances, states, gained), strict=True))


def test_a_policy_learns_from_the_notes_where_a_step_in_a_place_is_best() -> None:
    torch.manual_seed(0)
    random = np.random.default_rng(0)
    policy = Policy(STATE, STOP + 1, 64)
    optimizer = torch.optim.AdamW(policy.parameters(), lr=0.003)

    @torch.no_grad()
    def chances(glance: np.ndarray, state: np.ndarray) -> torch.Tensor:
        return policy(torch.from_numpy(glance[None]), torch.from_numpy(state[None])).softmax(1)[0]

    notes = Notes()
    for _ in range(12):
        for seed in range(6):
            look, truth, _ = pair(photo(seed), SHADOWS)
            notes.add(
                lessons(
                    look,
                    truth,
                    cost=0.005,
                    choose=lambda *seen: int(chances(*seen).argmax()),
                    random=random,
                )
            )
        for _ in range(32):
            glances, states, gained = notes.draw(64, random)
            optimizer.zero_grad()
            imitation(policy(glances, states), gained).backward()
            torch.nn.utils.clip_grad_norm_(policy.parameters(), 1.0)
            optimizer.step()
    look, _, _ = pair(photo(9), SHADOWS)  # none that it learned from
    assert chances(*look.observe())[ACTIONS.index(SHADOWS)] > 0.5
    assert chances(*look.after(SHADOWS).observe())[ACTIONS.index(SHADOWS)] < 0.1


def test_an_agent_comes_to_do_as_the_teacher_does(tmp_path: Path) -> None:
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
            "fit.steps=12", "options.environments=2", "options.horizon=32", "options.batch=64",
            "options.epochs=6", "options.demonstrations=6", "data.held_out=0",
            "augment.exposure=0", "augment.noise=0",
        ],
    )  # fmt: skip
    export_model(tmp_path / "run", tmp_path / "agent.onnx")
    look, _, _ = pair(photo(9), SHADOWS)  # none that it learned from
    glance, state = look.observe()
    session = onnxruntime.InferenceSession(tmp_path / "agent.onnx")
    logits = session.run(["logits"], {"glance": glance[None], "state": state[None]})[0][0]
    chances = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
    assert chances[:STOP].argmax() == ACTIONS.index(SHADOWS)
    assert chances[ACTIONS.index(SHADOWS)] > 6 / len(ACTIONS)
    with (tmp_path / "run" / "history.csv").open(encoding="utf-8") as file:
        told = [
            float(row["train/imitation"]) for row in csv.DictReader(file) if row["train/imitation"]
        ]
    assert len(told) == 12
    assert all(value > 0 for value in told)
