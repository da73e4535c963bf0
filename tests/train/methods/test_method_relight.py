"""The default model's way to learn, and that what is learned is what is run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from small_recipe import SMALL

from undark import Enhancer
from undark.adjust import Adjust
from undark.errors import RecipeError, UsageError
from undark.io.pairs import find_pairs
from undark.models import Card
from undark.modes import mode_of
from undark.pixels.curves import SAMPLES, lift, sample_points
from undark.runtime import open_graph
from undark.train import export_model, run
from undark.train.data.darken import Darkness, darken, draw_darkness
from undark.train.data.datasets import load_datasets
from undark.train.data.stream import BatchStream
from undark.train.methods import make_method
from undark.train.nets.exposure import mean_luma, solve_stops
from undark.train.nets.relight import Light, RelightNet
from undark.train.nets.srgb import to_linear
from undark.train.recipe import Augment, Data, Source
from undark.train.weights import load_weights


def quiet(message: str) -> None:
    del message


def scrambled(**sizes) -> RelightNet:
    """A network whose every weight matters, as after training."""
    torch.manual_seed(0)
    network = RelightNet(**{"widths": (8, 12), "glance": 16, "context": 4, **sizes}).eval()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.08)
    return network


def decided(network: RelightNet, glance: torch.Tensor, control=(0.0, 1.0, 1.0)):
    """Curves and map that the network gives for a glance."""
    nothing = torch.zeros(len(glance), 3, network.multiple, network.multiple)
    return network(nothing, glance, torch.tensor([control] * len(glance)))[1:]


@settings(max_examples=15, deadline=None)
@given(
    depth=st.integers(1, 3),
    blocks=st.integers(1, 2),
    rows=st.integers(1, 4),
    columns=st.integers(1, 4),
    glance=st.sampled_from([16, 24, 64]),
)
def test_any_depth_and_size(depth: int, blocks: int, rows: int, columns: int, glance: int) -> None:
    network = RelightNet(widths=(4, 6, 8)[:depth], blocks=blocks, glance=glance, context=3)
    assert network.multiple == 2 ** (depth + 1)
    image = torch.rand(2, 3, rows * network.multiple, columns * network.multiple)
    control = torch.tensor([[0.0, 1.0, 1.0]] * 2)
    enhanced, curves, gains = network(image, torch.rand(2, 3, glance, glance), control)
    assert enhanced.shape == image.shape
    assert curves.shape[:2] == gains.shape[:2] == (2, 3)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 999),
    darkness=st.floats(0.003, 0.5),
    power=st.floats(0.5, 5.0),
    target=st.floats(0.15, 0.7),
)
def test_the_solved_stops_give_the_wanted_mean(
    seed: int, darkness: float, power: float, target: float
) -> None:
    torch.manual_seed(seed)
    picture = to_linear(torch.rand(1, 3, 32, 32) ** power * darkness)
    stops = solve_stops(picture, torch.full((1, 1, 1, 1), target))
    light = Light(*[torch.zeros(1, 3, 1, 1)] * 6)
    reached = mean_luma(scrambled().relight(picture, light, stops))
    if 0.0 < float(stops) < 8.0:
        assert float((reached - target).abs()) < 0.01
    else:  # as near as comes
        assert (float(reached) >= target) == (float(stops) == 0.0)


def test_curves_rise_from_black_to_white() -> None:
    torch.manual_seed(1)
    with torch.no_grad():
        curves, gains = decided(scrambled(), torch.rand(3, 3, 16, 16) * 0.2)
    assert (curves.diff(dim=2) >= -1e-6).all()
    assert float(curves[:, :, 0].abs().max()) < 1e-6
    assert float(curves.max()) <= 1.0
    assert (gains > 0).all()


def test_a_photo_that_gets_no_light_passes_unchanged() -> None:
    network = scrambled()
    image, glance = torch.rand(1, 3, 32, 32), torch.rand(1, 3, 16, 16)
    with torch.no_grad():
        light = network.decide(glance)
        none = torch.zeros(1, 1, 1, 1)
        relit = network.relight(to_linear(image), light, none)
        assert torch.allclose(relit, image, atol=1e-5)
        assert torch.equal(network.restore(image, light, none), image)
        assert not torch.allclose(network.restore(image, light, none + 1.0), image, atol=1e-3)


def test_tiles_agree_because_the_glance_decides() -> None:
    network = scrambled()
    image, glance = torch.rand(1, 3, 192, 192), torch.rand(1, 3, 16, 16) * 0.1
    control = torch.tensor([[0.0, 1.0, 1.0]])
    with torch.no_grad():
        whole = network(image, glance, control)[0]
        tile = network(image[:, :, :128, :128], glance, control)[0]
    assert torch.allclose(whole[:, :, :40, :40], tile[:, :, :40, :40], atol=1e-5)


def test_a_part_is_lit_as_its_place_asks() -> None:
    network = scrambled()
    torch.manual_seed(2)
    relit, glance = torch.rand(1, 3, 24, 32), torch.rand(1, 3, 16, 16) * 0.1
    x, y = (torch.arange(32) + 0.5) / 32, (torch.arange(24) + 0.5) / 24
    where = torch.stack(torch.meshgrid(x, y, indexing="xy"))[None]
    with torch.no_grad():
        light, stops = network.decide(glance), torch.ones(1, 1, 1, 1)
        whole = network.place(relit, light, stops, where)
        part = network.place(relit[..., 6:14, 8:20], light, stops, where[..., 6:14, 8:20])
    assert torch.allclose(part, whole[..., 6:14, 8:20], atol=1e-6)
    assert float((whole - relit).abs().max()) > 1e-3


def test_lift_keeps_black_and_white_and_has_the_gain_as_slope() -> None:
    values = np.array([0.0, 1e-4, 0.5, 1.0], np.float32).reshape(1, 4, 1).repeat(3, axis=2)
    gains = np.full((1, 4, 3), 2.0, np.float32)
    lifted = lift(values, gains)[0, :, 0]
    np.testing.assert_allclose(lifted, [0.0, 2e-4, 2 / 3, 1.0], rtol=1e-3)


def test_small_corrections_of_the_level_are_doubted_once_it_has_learned() -> None:
    network = scrambled(doubt=0.2)
    glance = torch.rand(2, 3, 16, 16) * 0.1
    for raw, kept in ((0.05, 0.02), (0.6, 0.95)):
        torch.nn.init.zeros_(network.encoder.decide.weight)
        torch.nn.init.constant_(network.encoder.decide.bias, 0.0)
        torch.nn.init.constant_(network.encoder.prior, raw)
        with torch.no_grad():
            sure = torch.log2(network.train().decide(glance).level / 0.45)
            doubted = torch.log2(network.eval().decide(glance).level / 0.45)
        assert torch.allclose(sure, torch.full_like(sure, raw), atol=1e-4)
        assert (doubted <= sure + 1e-6).all()
        assert float(doubted[0]) == pytest.approx(kept * raw, abs=0.05 * raw)


def test_a_photo_that_is_only_dim_is_not_doubted() -> None:
    network = scrambled(doubt=0.2)
    torch.nn.init.zeros_(network.encoder.decide.weight)
    torch.nn.init.constant_(network.encoder.decide.bias, 0.0)
    torch.nn.init.constant_(network.encoder.prior, 0.05)
    dim, black = torch.full((1, 3, 16, 16), 0.35), torch.full((1, 3, 16, 16), 0.06)
    with torch.no_grad():
        kept, lost = (
            float(torch.log2(network.decide(glance).level / 0.45)) for glance in (dim, black)
        )
    assert kept == pytest.approx(0.05, rel=0.02)
    assert abs(lost) < 0.01


class TestDraws:
    def test_a_batch_tells_where_its_crops_lie(self, tmp_path: Path) -> None:
        x, y = np.meshgrid(np.arange(60), np.arange(44))
        coded = np.stack([x * 4, y * 5, np.zeros_like(x)], axis=-1).astype(np.uint8)
        for side in ("low", "high"):
            (tmp_path / side).mkdir()
            Image.fromarray(coded).save(tmp_path / side / "a.png")
        datasets = load_datasets(
            Data(sources=(Source(),), held_out=0.0), root=tmp_path, glance=16, seed=1, notify=quiet
        )[0]
        augment = Augment(rotate=0.0, exposure=0.0, noise=0.0)
        batch = BatchStream(datasets, crop=32, batch=8, augment=augment, seed=1, places=True).at(0)
        where, truth = batch["where"], batch["truth"] * 255
        assert torch.allclose(where[:, 0] * 60 - 0.5, truth[:, 0] / 4, atol=1e-3)
        assert torch.allclose(where[:, 1] * 44 - 0.5, truth[:, 1] / 5, atol=1e-3)
        assert "where" not in BatchStream(datasets, crop=32, batch=1, augment=augment, seed=1).at(0)

    def test_the_light_sides_of_pairs_are_darkened_but_not_those_held_out(
        self, pairs: Path
    ) -> None:
        sources = (Source(), Source(kind="darken", darkness="night"), Source(kind="keep"))
        datasets, held = load_datasets(
            Data(sources=sources, held_out=0.25, run=1),
            root=pairs,
            glance=0,
            seed=1,
            notify=quiet,
        )
        (unseen,) = held.values()
        assert len(unseen) == 2
        assert [len(dataset) for dataset in datasets] == [6, 6, 6]
        for dataset in datasets[1:]:
            for index in range(6):
                truth = dataset.draw(index, 0).high
                assert truth is not None
                assert not any(np.array_equal(truth, pair.high) for pair in unseen)
        assert len(find_pairs(pairs).pairs) == 8


class TestNight:
    def test_it_reaches_from_dim_to_nearly_black(self) -> None:
        random = np.random.default_rng(0)
        light = np.full((24, 24, 3), 0.5, np.float32)
        levels = [
            darken(light, draw_darkness(random, night=True), random).mean() for _ in range(80)
        ]
        assert min(levels) < 0.03
        assert max(levels) > 0.3

    def test_black_is_lifted_and_coloured_where_noise_was_clipped(self) -> None:
        night = Darkness(ev=6.0, multipliers=(2.0, 1.0, 2.0), read=(2e-3, 2e-3, 2e-3))
        black = darken(np.zeros((96, 96, 3), np.float32), night, np.random.default_rng(1))
        red, green, blue = black.mean(axis=(0, 1))
        assert min(red, blue) > 1.3 * green > 0


@pytest.mark.parametrize(
    "setting",
    ["options.retarget=1.5", "options.darker=0.5", "options.doubt=0.0", "net.glance=0"],
)
def test_what_makes_no_sense_is_refused(setting: str, pairs: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=setting.split("=", maxsplit=1)[0].split(".")[1]):
        run("relight", data=pairs, out=tmp_path, overrides=[*SMALL, setting])


class TestRun:
    @pytest.fixture(scope="class")
    @classmethod
    def folder(cls, pairs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
        out = tmp_path_factory.mktemp("relight")
        # Enough steps for the map, the tint and the black point to leave their start.
        settings = [*SMALL, "fit.steps=60", "fit.lr=3e-3", "data.held_out=0.25", "fit.ema=0.5"]
        run("relight", data=pairs, out=out, overrides=settings)
        return out

    @pytest.fixture(scope="class")
    @classmethod
    def model(cls, folder: Path) -> Path:
        export_model(folder, folder / "night.onnx")
        return folder / "night.onnx"

    def test_what_is_learned_is_what_is_run(self, folder: Path, model: Path) -> None:
        weights = load_weights(folder)
        method = make_method(weights.recipe)
        method.network.load_state_dict(weights.state)
        low = np.random.default_rng(3).integers(0, 60, (48, 64, 3), dtype=np.uint8)
        enhanced = Enhancer(model, runtime="onnxruntime")(low)
        assert np.abs(enhanced.astype(int) - method.enhance(low)).max() <= 1

    def test_weights_of_half_size_leave_the_curves_exact(self, folder: Path) -> None:
        """The points at which they are sampled were once rounded as the weights are."""
        export_model(folder, folder / "half.onnx", half=True)
        session = open_graph((folder / "half.onnx").read_bytes(), runtime="onnxruntime")
        card = Card.load(folder / "half.json")
        glance = np.full((16, 16, 3), 0.1, np.float32)
        light = mode_of(card).decide(session, glance, Adjust(strength=0.0))
        assert light is not None
        curves = light.curves
        np.testing.assert_allclose(curves, np.stack([sample_points(SAMPLES)] * 3), atol=1e-6)

    def test_it_takes_16_bits(self, model: Path) -> None:
        low = np.random.default_rng(3).integers(0, 60, (40, 48, 3), dtype=np.uint8)
        enhancer = Enhancer(model, runtime="onnxruntime")
        fine = enhancer(low.astype(np.uint16) * 257)
        assert fine.dtype == np.uint16
        assert np.abs(fine / 257 - enhancer(low)).max() <= 1.01

    def test_denoise_leaves_what_the_light_gives(self, model: Path) -> None:
        low = np.random.default_rng(4).integers(0, 40, (48, 48, 3), dtype=np.uint8)
        enhancer = Enhancer(model, runtime="onnxruntime")
        none, half, full = (
            enhancer.enhance(low, denoise=share).astype(float) for share in (0.0, 0.5, 1.0)
        )
        assert np.abs(none - full).max() > 2
        between = (none + full) / 2
        assert np.abs(half - between)[(full > 0) & (full < 255)].max() <= 1.01

    def test_exposure_and_strength_act_on_the_light(self, model: Path) -> None:
        low = np.random.default_rng(4).integers(0, 40, (48, 48, 3), dtype=np.uint8)
        enhancer = Enhancer(model, runtime="onnxruntime")
        means = [
            enhancer.enhance(low, denoise=0.0, exposure=stops).mean() for stops in (-1, 0, 1, 2)
        ]
        assert means == sorted(means)
        assert np.array_equal(enhancer.enhance(low, strength=0.0), low)
        levels = [
            enhancer.enhance(low, denoise=0.0, strength=share).mean() for share in (0.0, 0.3, 1.0)
        ]
        assert levels == sorted(levels)

    def test_denoise_out_of_range_or_of_another_model_is_refused(self, model: Path) -> None:
        with pytest.raises(UsageError, match="denoise"):
            Enhancer(model).enhance(np.zeros((8, 8, 3), np.uint8), denoise=1.5)
        with pytest.raises(UsageError, match="cannot be asked for denoise"):
            Enhancer("unet").enhance(np.zeros((8, 8, 3), np.uint8), denoise=0.5)

    def test_a_run_measures_the_told_brightness_too(self, folder: Path) -> None:
        (measured,) = load_weights(folder).measured
        assert measured["psnr_told"] > 0
