from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from undark.errors import ModelError, UsageError
from undark.photo import Photo
from undark.pixels.colour import luma
from undark.pixels.look import ACTIONS, CHOICES, IN_PLACES, LIMIT, STATE, STOP, Look, choose_steps
from undark.pixels.places import BY_LEVEL, EVERYWHERE, PLACES
from undark.pixels.steps import Step, apply_steps, format_steps, halo, parse_steps, read_steps
from undark.pixels.tone import OPERATIONS


def any_step() -> st.SearchStrategy[Step]:
    def amounts(named: tuple[str, str]) -> st.SearchStrategy[Step]:
        name, where = named
        part = 4 if where in BY_LEVEL else 1
        found = OPERATIONS[name]
        size = st.floats(found.low / part, found.high / part)
        return st.builds(Step, st.just(name), size, st.just(where))

    names = st.sampled_from(sorted(OPERATIONS))
    return st.tuples(names, st.sampled_from([EVERYWHERE, *PLACES])).flatmap(amounts)


def photo_of(height: int, width: int, *, light: int = 60, kind: type = np.uint8) -> Photo:
    pixels = np.random.default_rng(0).integers(0, light, (height, width, 3))
    return Photo(pixels.astype(kind))


@given(steps=st.lists(any_step(), max_size=15))
def test_steps_survive_the_trip_through_json(steps: list[Step]) -> None:
    text = format_steps(steps)
    assert parse_steps(text) == tuple(steps)
    assert text.endswith("\n")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("nonsense", "not JSON"),
        ("[]", "object"),
        ('{"steps": []}', "schema is missing"),
        ('{"schema": 2, "steps": []}', "schema must be 1"),
        ('{"schema": 1, "setps": []}', "'steps'"),
        ('{"schema": 1, "steps": 3}', "list"),
        ('{"schema": 1, "steps": [3]}', "step 1"),
        ('{"schema": 1, "steps": [{"operation": "exposre", "amount": 1}]}', "'exposure'"),
        ('{"schema": 1, "steps": [{"operation": "exposure", "amount": 9}]}', "from -4 to 4"),
        ('{"schema": 1, "steps": [{"operation": "exposure", "amount": "1"}]}', "number"),
        ('{"schema": 1, "steps": [{"operation": "exposure", "amount": true}]}', "number"),
        ('{"schema": 1, "steps": [{"operation": "exposure", "amount": NaN}]}', "not nan"),
        ('{"schema": 1, "steps": [{"operation": "exposure", "amount": 1, "x": 2}]}', "'x'"),
        ('{"schema": 1, "steps": [{"operation": "exposure"}]}', "amount is missing"),
        ('{"schema": 1, "steps": [{"operation": 7, "amount": 1}]}', "must be a name"),
        (
            '{"schema": 1, "steps": [{"operation": "exposure", "amount": 1, "where": 2}]}',
            "where must be a name",
        ),
        (
            '{"schema": 1, "steps": [{"operation": "exposure", "amount": 1, "where": "shadow"}]}',
            "'shadows'",
        ),
        (
            '{"schema": 1, "steps": [{"operation": "exposure", "amount": 3, "where": "shadows"}]}',
            "in shadows takes an amount from -1 to 1",
        ),
    ],
)
def test_bad_steps_get_one_clear_line(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "steps.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=says) as caught:
        read_steps(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.json.*cannot read"):
        read_steps(tmp_path / "none.json")


def test_an_amount_too_large_for_a_float_is_refused() -> None:
    huge = json.dumps({"schema": 1, "steps": [{"operation": "gamma", "amount": 10**400}]})
    with pytest.raises(UsageError, match="too large"):
        parse_steps(huge)


def test_every_operation_can_be_done_and_undone_or_is_one_way_by_nature() -> None:
    for name in OPERATIONS:
        sizes = [step.amount for step in ACTIONS if step.operation == name]
        assert sizes
        assert name in ("sharpen", "denoise") or (min(sizes) < 0 < max(sizes))
    assert len(ACTIONS) == STOP


@settings(deadline=None, max_examples=30)
@given(height=st.integers(1, 120), width=st.integers(1, 120), number=st.integers(0, STOP - 1))
def test_any_size_can_be_looked_at(height: int, width: int, number: int) -> None:
    look = Look.of(photo_of(height, width), 16, 24).after(ACTIONS[number])
    glance, state = look.observe()
    assert glance.shape == (3, 16, 24)
    assert state.shape == (STATE,)
    assert np.isfinite(state).all()
    assert 0 <= glance.min() <= glance.max() <= 1


@pytest.mark.parametrize("place", PLACES)
def test_a_step_in_a_place_acts_there_and_leaves_the_rest(place: str) -> None:
    grey = np.broadcast_to(
        np.linspace(0.02, 0.98, 60, dtype=np.float32)[:, None, None], (60, 60, 3)
    )
    flat = np.full((60, 60, 3), 0.3, np.float32)
    image = grey if place in ("shadows", "highlights") else flat
    far = {
        "shadows": (-1, 30), "highlights": (0, 30), "top": (-1, 30), "bottom": (0, 30),
        "left": (30, -1), "right": (30, 0), "middle": (0, 0),
    }[place]  # fmt: skip
    near = {"middle": (30, 30), "shadows": (15, 30), "highlights": (45, 30)}.get(
        place, (59 - far[0] if far[0] != 30 else 30, 59 - far[1] if far[1] != 30 else 30)
    )
    near = (near[0] % 60, near[1] % 60)
    gained = Step("exposure", 0.4, place)(image) - image
    assert gained.min() >= 0
    assert gained[near].mean() > 0.02
    assert gained[far].mean() < 0.002
    everywhere = Step("exposure", 0.4)(image) - image
    assert (gained <= everywhere + 1e-6).all()


@given(step=any_step().filter(lambda step: step.where in BY_LEVEL))
def test_in_shadows_or_highlights_what_was_lighter_stays_lighter(step: Step) -> None:
    ramp = np.repeat(np.linspace(0, 1, 64, dtype=np.float32)[None, :, None], 3, axis=2)
    done = luma(step(np.repeat(ramp, 9, axis=0)))
    assert (np.diff(done, axis=1) > -1e-4).all()


def test_a_look_shows_what_is_done_in_places() -> None:
    coarse = (np.random.default_rng(3).random((6, 8, 3)) * 0.3).astype(np.float32)
    photo = Photo(cv2.resize(coarse, (640, 480), interpolation=cv2.INTER_LINEAR))
    for place in PLACES:
        step = Step("exposure", 1.0, place)
        look = Look.of(photo, 24, 32).after(step)
        done = Photo(step(photo.rgb()))
        assert np.abs(done.glance(24, 32) - look.glance).mean() < 0.005
        assert np.abs(Look.of(done, 24, 32).patches - look.patches).mean() < 0.02


def test_an_agent_from_before_there_were_places_is_followed_and_a_stranger_refused() -> None:
    look = Look.of(photo_of(50, 50), 16, 16)
    old = CHOICES[-1]

    def before(glance: np.ndarray, state: np.ndarray) -> np.ndarray:
        logits = np.zeros((1, old), np.float32)
        logits[0, old - 1 if glance.mean() > 0.4 else ACTIONS.index(Step("exposure", 1.2))] = 1
        return logits

    steps = choose_steps(look, before)
    assert 0 < len(steps) < LIMIT
    assert set(steps) == {Step("exposure", 1.2)}
    with pytest.raises(ModelError, match="chooses among 7 actions"):
        choose_steps(look, lambda glance, state: np.zeros((1, 7), np.float32))


def test_what_a_look_shows_is_what_the_photo_becomes() -> None:
    rng = np.random.default_rng(3)
    coarse = (rng.random((6, 8, 3)) * 0.3).astype(np.float32)
    smooth = cv2.resize(coarse, (320, 240), interpolation=cv2.INTER_LINEAR)
    photo = Photo(smooth)
    steps = (Step("exposure", 1.2), Step("temperature", 0.1), Step("denoise", 1.0))
    look = Look.of(photo, 24, 32)
    for step in steps:
        look = look.after(step)
    done = Photo(apply_steps(photo.rgb(), steps))
    assert np.abs(done.glance(24, 32) - look.glance).mean() < 0.005
    assert np.abs(Look.of(done, 24, 32).patches - look.patches).mean() < 0.005


def test_noise_is_seen_and_denoising_is_too() -> None:
    rng = np.random.default_rng(1)
    calm = np.full((200, 200, 3), 0.4, np.float32)
    noisy = (calm + rng.normal(0, 0.05, calm.shape)).clip(0, 1).astype(np.float32)
    seen = [Look.of(Photo(pixels), 16, 16).observe()[1] for pixels in (calm, noisy)]
    assert np.abs(seen[1] - seen[0]).max() > 0.2
    before = Look.of(Photo(noisy), 16, 16)
    after = before.after(Step("denoise", 1.0))
    assert after.patches.std() < 0.5 * before.patches.std()
    np.testing.assert_array_equal(after.glance, before.glance)


def test_an_agent_that_changes_nothing_has_come_to_its_end() -> None:
    look = Look.of(Photo(np.zeros((60, 80, 3), np.uint8)), 16, 16)
    more = ACTIONS.index(Step("exposure", 3.0))
    logits = np.zeros((1, STOP + 1), np.float32)
    logits[0, more] = 1.0
    assert choose_steps(look, lambda glance, state: logits) == ()


def test_an_agent_that_would_take_back_its_last_step_has_come_to_its_end() -> None:
    look = Look.of(Photo(np.full((60, 80, 3), 40, np.uint8)), 16, 16)
    there, back = (ACTIONS.index(Step("exposure", amount)) for amount in (0.4, -0.4))

    def swing(glance: np.ndarray, state: np.ndarray) -> np.ndarray:
        logits = np.zeros((1, STOP + 1), np.float32)
        logits[0, back if glance.mean() > 0.17 else there] = 1.0
        return logits

    steps = choose_steps(look, swing)
    assert len(steps) < LIMIT
    assert {step.amount for step in steps} == {0.4}


@pytest.mark.parametrize(
    ("step", "times"),
    [
        (Step("saturation", -0.2), 2),
        (Step("saturation", 0.2), 2),
        (Step("contrast", 0.1), 5),
        (Step("denoise", 0.5), 4),
        (Step("exposure", 0.15), LIMIT),
    ],
)
def test_no_operation_but_exposure_goes_further_than_twice_its_largest_step(
    step: Step, times: int
) -> None:
    random = np.random.default_rng(1)
    photo = Photo((random.random((90, 120, 3)) * 0.2 + 0.1).astype(np.float32))
    logits = np.zeros((1, STOP + 1), np.float32)
    logits[0, ACTIONS.index(step)] = 1.0
    steps = choose_steps(Look.of(photo, 16, 16), lambda glance, state: logits)
    assert steps == (step,) * times


@pytest.mark.parametrize("place", IN_PLACES)
def test_a_step_in_a_place_is_the_last_of_an_edit(place: int) -> None:
    look = Look.of(photo_of(50, 50), 16, 16)
    calls: list[None] = []

    def locally(glance: np.ndarray, state: np.ndarray) -> np.ndarray:
        calls.append(None)
        logits = np.zeros((1, STOP + 1), np.float32)
        logits[0, ACTIONS.index(Step("exposure", 0.4)) if len(calls) < 3 else place] = 1
        return logits

    steps = choose_steps(look, locally)
    assert steps == (*(Step("exposure", 0.4),) * 2, ACTIONS[place])


def test_a_policy_is_followed_to_its_stop_and_never_past_the_limit() -> None:
    look = Look.of(photo_of(50, 50), 16, 16)

    def brighten(glance: np.ndarray, state: np.ndarray) -> np.ndarray:
        logits = np.zeros((1, STOP + 1), np.float32)
        logits[0, STOP if glance.mean() > 0.4 else ACTIONS.index(Step("exposure", 1.2))] = 1
        return logits

    def restless(glance: np.ndarray, state: np.ndarray) -> np.ndarray:
        return -np.arange(STOP + 1, dtype=np.float32)[None]

    steps = choose_steps(look, brighten)
    assert 0 < len(steps) < LIMIT
    assert set(steps) == {Step("exposure", 1.2)}
    assert choose_steps(look, restless) == (ACTIONS[0],) * LIMIT


@settings(deadline=None, max_examples=20)
@given(steps=st.lists(st.sampled_from(ACTIONS), max_size=4), seed=st.integers(0, 99))
def test_what_lies_beyond_the_halo_has_no_say(steps: list[Step], seed: int) -> None:
    image = np.random.default_rng(seed).random((180, 30, 3), dtype=np.float32)
    around = halo(steps)
    band = image[90 - around : 100 + around]
    part = apply_steps(band, steps, top=90 - around, height=180)[around : around + 10]
    whole = apply_steps(image, steps)[90:100]
    assert np.abs(part - whole).max() < 1 / 1024
