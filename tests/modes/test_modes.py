"""All modes: the table, what they ask of cards and graphs, and light that was decided before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from undark import Enhancer, Photo
from undark.adjust import CONTROLS, Adjust
from undark.errors import DeviceError, ModelError
from undark.graph import Arrays, Signature, ask
from undark.models import Card, Glance, Scaling, cards
from undark.modes import MODES, ToneCurves, mode_of
from undark.modes.relight import PlacedLight
from undark.pixels.curves import sample_points
from undark.pixels.grid import LEVELS, PLACES
from undark.pixels.look import STOP

CARD = next(card for card in cards() if card.name == "relight")
GLANCE = Glance(16, 16)


def card_of(name: str, **scaling: int) -> Card:
    return replace(CARD, glance=GLANCE, scaling=Scaling(mode=name, **scaling))


def answers(inputs: Arrays, outputs: Sequence[str]) -> Arrays:
    """A graph for any mode: twice the light, and no step."""
    logits = np.zeros((1, STOP + 1), np.float32)
    logits[0, STOP] = 1
    lifted = np.minimum(sample_points(64) * 2, 1)
    known = {
        "enhanced": inputs.get("image", logits) * 2,
        "curves": np.stack([lifted] * 3)[None],
        "grid": np.ones((1, LEVELS, PLACES, PLACES), np.float32),
        "colour": np.eye(3, dtype=np.float32)[None],
        "black": np.zeros((1, 3), np.float32),
        "clean": np.ones((1, 2), np.float32),
        "logits": logits,
    }
    return {name: known[name] for name in outputs}


@pytest.mark.parametrize("name", MODES)
def test_a_mode_is_what_the_table_says(name: str) -> None:
    mode = mode_of(card_of(name))
    assert mode.name == name
    assert isinstance(mode, MODES[name])
    assert mode.controls <= set(CONTROLS)
    assert mode.describe(Scaling(mode=name)).strip()
    assert mode.signature(card_of(name)).outputs


@pytest.mark.parametrize("name", MODES)
def test_any_function_is_a_graph_and_bands_cover_the_photo_once(name: str) -> None:
    photo = Photo(np.random.default_rng(0).integers(0, 90, (300, 170, 3), dtype=np.uint8))
    mode = mode_of(card_of(name, tile=128, overlap=32, max_side=100))
    fractions: list[float] = []
    rows = 0
    for top, pixels in mode.bands(answers, photo, Adjust(), fractions.append):
        assert top == rows
        assert pixels.shape[1:] == (170, 3)
        assert pixels.dtype == np.float32
        assert 0 <= pixels.min() <= pixels.max() <= 1
        rows += len(pixels)
    assert rows == 300
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1


@pytest.mark.parametrize("name", MODES)
def test_a_graph_that_gives_no_numbers_is_an_error(name: str) -> None:
    def broken(inputs: Arrays, outputs: Sequence[str]) -> Arrays:
        return {key: value * np.float32(np.nan) for key, value in answers(inputs, outputs).items()}

    photo = Photo(np.full((30, 40, 3), 20, np.uint8))
    with pytest.raises(DeviceError, match="the graph gave values that are not numbers"):
        list(mode_of(card_of(name)).bands(broken, photo, Adjust(), lambda _: None))


@pytest.mark.parametrize("name", MODES)
def test_light_is_decided_by_the_modes_that_say_so(name: str) -> None:
    mode = mode_of(card_of(name))
    glance = np.full((16, 16, 3), 0.1, np.float32)
    light = mode.decide(answers, glance, Adjust())
    assert (light is not None) == mode.decides
    if light is None:
        return
    assert isinstance(light, ToneCurves) == mode.by_tables
    seen = light.steady(lambda wanted: wanted)
    assert type(seen) is type(light)
    none = {
        ToneCurves: ToneCurves(np.stack([sample_points(64)] * 3)),
        PlacedLight: PlacedLight(
            np.zeros((LEVELS, PLACES, PLACES), np.float32),
            np.eye(3, dtype=np.float32),
            np.zeros(3, np.float32),
        ),
    }
    photo = Photo(np.full((30, 40, 3), 20, np.uint8))
    bands = mode.bands(answers, photo, Adjust(), lambda _: None, light=none[type(light)])
    joined = np.concatenate([band for _, band in bands])
    np.testing.assert_allclose(joined, photo.rgb(), atol=1e-3)


@pytest.mark.parametrize("name", [name for name in MODES if MODES[name].needs_glance])
def test_a_card_without_the_glance_that_its_mode_needs_is_refused(name: str) -> None:
    with pytest.raises(ModelError, match=f"'relight': a model of mode {name} needs a glance"):
        mode_of(replace(card_of(name), glance=None))


@pytest.mark.parametrize("name", [name for name in MODES if MODES[name].tiled])
def test_tiles_that_are_all_overlap_are_refused(name: str) -> None:
    with pytest.raises(ModelError, match="twice their overlap"):
        mode_of(card_of(name, tile=64, overlap=32))


def test_an_unknown_mode_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ModelError, match=r"unknown scaling mode 'magic'; known: tiles, guided"):
        mode_of(card_of("magic"))
    with pytest.raises(ModelError, match="magic"):
        Enhancer(graph=answers, card=card_of("magic"))


def test_a_signature_says_what_differs() -> None:
    any_size = (None, 3, None, None)
    wanted = Signature({"image": any_size}, {"curves": (None, 3, None)}, frozenset(("image",)))
    wanted.check(Signature({"image": any_size}, {"curves": (1, 3, 64)}), "night")
    with pytest.raises(ModelError, match="night: the graph's 'image' is any×3×64×64"):
        wanted.check(Signature({"image": (None, 3, 64, 64)}, {"curves": (1, 3, 64)}), "night")
    with pytest.raises(ModelError, match="'curves' is any×4×64; its card asks for any×3×any"):
        wanted.check(Signature({"image": any_size}, {"curves": (None, 4, 64)}), "night")
    with pytest.raises(ModelError, match="outputs are map; its card asks for curves"):
        wanted.check(Signature({"image": any_size}, {"map": (None, 3, 64)}), "night")


def test_what_computes_is_named_where_it_says_so() -> None:
    class Named:
        def __call__(self, inputs: Arrays, outputs: Sequence[str]) -> Arrays:
            return {name: np.full((1, 1), np.inf, np.float32) for name in outputs}

        def describe(self) -> str:
            return "my runtime on cuda"

    with pytest.raises(DeviceError, match="my runtime on cuda gave values that are not numbers"):
        ask(Named(), {}, ["enhanced"])
