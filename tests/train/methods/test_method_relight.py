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
from undark.modes.relight import PlacedLight
from undark.pixels.grid import LEVELS, PLACES, TOP, Guide, read_grid
from undark.pixels.lighting import light_up
from undark.runtime import open_graph
from undark.train import export_model, run
from undark.train.data.darken import Darkness, darken, draw_darkness
from undark.train.data.datasets import load_datasets
from undark.train.data.stream import BatchStream
from undark.train.methods import make_method
from undark.train.nets import light as lit
from undark.train.nets.relight import RelightNet
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


def decided(network: RelightNet, glance: torch.Tensor, control=(0.0, 1.0, 1.0, 1.0)):
    """Grid, colours and black point that the network gives for a glance."""
    count, side = len(glance), network.multiple
    return network(
        torch.zeros(count, 3, side, side),
        torch.zeros(count, 1, side, side),
        glance,
        torch.tensor([control] * count),
        torch.zeros(count, LEVELS, PLACES, PLACES),
    )[1:]


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
    size = (rows * network.multiple, columns * network.multiple)
    enhanced, grid, colour, black = network(
        torch.rand(2, 3, *size),
        torch.rand(2, 1, *size),
        torch.rand(2, 3, glance, glance),
        torch.tensor([[0.0, 1.0, 1.0, 1.0]] * 2),
        torch.rand(2, LEVELS, PLACES, PLACES),
    )
    assert enhanced.shape == (2, 3, *size)
    assert grid.shape == (2, LEVELS, PLACES, PLACES)
    assert colour.shape == (2, 3, 3)
    assert black.shape == (2, 3)


def test_no_level_falls_below_a_darker_one_of_its_place() -> None:
    network = scrambled()
    torch.nn.init.normal_(network.decision.place.bias, std=3.0)
    glance = torch.rand(4, 3, 16, 16) ** 3
    with torch.no_grad():
        grid = decided(network, glance)[0]
    knots = (TOP * torch.arange(LEVELS) / (LEVELS - 1)).square()
    light = torch.log2(knots / (1.0 - knots) + 1e-3).view(1, -1, 1, 1) + grid
    assert float(light.diff(dim=1).min()) > -1e-4


def test_colours_are_near_those_of_the_photo_and_greys_keep_their_luminance() -> None:
    network = scrambled()
    torch.nn.init.normal_(network.decision.decide.bias, std=2.0)
    with torch.no_grad():
        colour = decided(network, torch.rand(6, 3, 16, 16))[1]
    grey = colour.sum(2) @ torch.tensor([0.2126, 0.7152, 0.0722])
    assert torch.allclose(grey, torch.ones(6), atol=1e-4)
    assert float((colour - torch.eye(3)).abs().max()) < 1.2


def test_a_photo_that_gets_no_light_passes_unchanged() -> None:
    network = scrambled()
    image, glance = torch.rand(1, 3, 32, 32), torch.rand(1, 3, 16, 16)
    gain = torch.zeros(1, 1, 32, 32)
    with torch.no_grad():
        grid = network.decide(glance).grid
        assert torch.equal(network.restore(image, gain, glance, grid), image)
        gain[..., 16:] = 1.0
        restored = network.restore(image, gain, glance, grid)
    assert torch.equal(restored[..., :16], image[..., :16])
    assert not torch.allclose(restored[..., 16:], image[..., 16:], atol=1e-3)


def test_tiles_agree_because_the_glance_decides() -> None:
    network = scrambled()
    image, gain = torch.rand(1, 3, 192, 192), torch.rand(1, 1, 192, 192)
    rest = (
        torch.rand(1, 3, 16, 16) * 0.1,
        torch.tensor([[0.0, 1.0, 1.0, 1.0]]),
        torch.rand(1, LEVELS, PLACES, PLACES),
    )
    with torch.no_grad():
        whole = network(image, gain, *rest)[0]
        tile = network(image[:, :, :128, :128], gain[:, :, :128, :128], *rest)[0]
    assert torch.allclose(whole[:, :, :40, :40], tile[:, :, :40, :40], atol=1e-5)


def test_without_local_light_there_is_one_curve() -> None:
    network, glance = scrambled(), torch.rand(2, 3, 16, 16) * 0.2
    with torch.no_grad():
        none, half, whole = (
            decided(network, glance, (0.0, 1.0, 1.0, local))[0] for local in (0.0, 0.5, 1.0)
        )
    assert float(none.std(dim=(2, 3)).max()) < 1e-5
    assert float(whole.std(dim=(2, 3)).max()) > 1e-3
    assert torch.allclose(half, (none + whole) / 2, atol=1e-5)


class TestLight:
    """The tensors' light and the arrays' are one, and a fit comes near to the truth."""

    def test_both_twins_agree(self) -> None:
        random = np.random.default_rng(5)
        image = random.integers(0, 256, (40, 56, 3), np.uint8)
        grid = random.normal(1.0, 2.0, (LEVELS, PLACES, PLACES)).astype(np.float32)
        colour = (np.eye(3) + random.normal(0.0, 0.05, (3, 3))).astype(np.float32)
        black = random.uniform(0.0, 0.01, 3).astype(np.float32)
        guide = Guide.of(image, 0.1).read(image)
        stops = read_grid(grid, guide)
        x, y = np.meshgrid((np.arange(56) + 0.5) / 56, (np.arange(40) + 0.5) / 40)
        where = torch.from_numpy(np.stack((x, y)).astype(np.float32))[None]
        read = lit.firm(
            lit.read(torch.from_numpy(grid)[None], torch.from_numpy(guide)[None, None], where)
        )
        np.testing.assert_allclose(read[0, 0].numpy(), stops, atol=2e-4)
        tensor = torch.from_numpy((image / 255).astype(np.float32).transpose(2, 0, 1).copy())[None]
        result = lit.light_up(
            tensor,
            torch.from_numpy(stops)[None, None],
            torch.from_numpy(colour)[None],
            torch.from_numpy(black).view(1, 3, 1, 1),
        )
        arrays = light_up(image, stops, colour, black)
        np.testing.assert_allclose(result[0].numpy().transpose(1, 2, 0), arrays, atol=2e-3)

    @pytest.mark.parametrize("stops", [-1.0, 0.0, 0.5, 2.0, 4.0, 6.0])
    def test_what_a_pixel_wants_is_what_lights_it(self, stops: float) -> None:
        torch.manual_seed(6)
        dark = (0.1 + 0.4 * torch.rand(2, 1, 16, 16)).expand(-1, 3, -1, -1)
        given = torch.full((2, 1, 16, 16), stops)
        truth = lit.light_up(dark, given, torch.eye(3).expand(2, 3, 3), torch.zeros(2, 3, 1, 1))
        below_white = truth.amax(1, keepdim=True) < 0.95
        wanted = lit.wanted(dark, truth)
        assert float((wanted - given).abs()[below_white].max()) < 0.1

    def test_a_fit_lights_each_side_as_its_truth(self) -> None:
        torch.manual_seed(7)
        dark = 0.05 + 0.1 * torch.rand(2, 1, 64, 64).expand(-1, 3, -1, -1)
        dark = torch.cat((dark[..., :32], dark[..., 32:] + 0.5), dim=3)
        given = torch.zeros(2, 1, 64, 64)
        given[..., :32] = 2.5
        truth = lit.light_up(dark, given, torch.eye(3).expand(2, 3, 3), torch.zeros(2, 3, 1, 1))
        grid, wanted = lit.fit_grid(dark, truth)
        assert float((wanted - given).abs().max()) < 0.1
        guide = lit.level(lit.luminance(dark), lit.mean_light(dark))
        network = RelightNet(widths=(4,), glance=64, context=2)
        read = network.look(dark, grid)
        assert guide.shape == read.shape
        assert float((read - given).abs().mean()) < 0.1


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
    ["options.retarget=1.5", "options.darker=0.5", "net.glance=0"],
)
def test_what_makes_no_sense_is_refused(setting: str, pairs: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=setting.split("=", maxsplit=1)[0].split(".")[1]):
        run("relight", data=pairs, out=tmp_path, overrides=[*SMALL, setting])


def test_the_decision_learns_alone_and_from_black_truths_too(pairs: Path, tmp_path: Path) -> None:
    run("relight", data=pairs, out=tmp_path / "one", overrides=SMALL)
    settings = [*SMALL, "options.learn=decision", "fit.ema=0.5"]
    run("relight", data=pairs, out=tmp_path / "two", start=tmp_path / "one", overrides=settings)
    before, after = (load_weights(tmp_path / name).state for name in ("one", "two"))
    changed = {name for name, value in after.items() if not torch.equal(value, before[name])}
    assert changed
    assert all(name.startswith("decision") for name in changed)
    method = make_method(load_weights(tmp_path / "two").recipe)
    black = torch.zeros(2, 3, 16, 16)
    batch = {"image": black, "truth": black, "glance": black + 0.01, "truth_glance": black}
    loss = method.losses(batch)["loss"]
    loss.backward()
    assert torch.isfinite(loss)
    assert all(
        torch.isfinite(parameter.grad).all()
        for parameter in method.network.decision.parameters()
        if parameter.grad is not None
    )


def test_a_photo_of_one_colour_is_lit_alike_everywhere() -> None:
    network = scrambled()
    torch.nn.init.normal_(network.decision.place.bias, std=3.0)
    with torch.no_grad():
        grid = decided(network, torch.full((1, 3, 16, 16), 0.15))[0]
    assert float(grid.std(dim=(2, 3)).max()) < 1e-5


def test_the_mirror_image_gets_the_mirrored_light() -> None:
    network, glance = scrambled(), torch.rand(2, 3, 16, 16) * 0.2
    with torch.no_grad():
        one, other = (decided(network, image)[0] for image in (glance, glance.flip(3)))
    assert torch.allclose(one, other.flip(3), atol=1e-5)


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

    def test_weights_of_half_size_ask_for_no_light_exactly(self, folder: Path) -> None:
        """Constants of the graph were once rounded as the weights are."""
        export_model(folder, folder / "half.onnx", half=True)
        session = open_graph((folder / "half.onnx").read_bytes(), runtime="onnxruntime")
        card = Card.load(folder / "half.json")
        glance = np.full((16, 16, 3), 0.1, np.float32)
        light = mode_of(card).decide(session, glance, Adjust(strength=0.0))
        assert isinstance(light, PlacedLight)
        assert not light.grid.any()

    def test_it_takes_16_bits(self, model: Path) -> None:
        low = np.random.default_rng(3).integers(0, 60, (40, 48, 3), dtype=np.uint8)
        enhancer = Enhancer(model, runtime="onnxruntime")
        fine = enhancer(low.astype(np.uint16) * 257)
        assert fine.dtype == np.uint16
        assert np.abs(fine / 257 - enhancer(low)).max() <= 1.5

    def test_denoise_leaves_what_the_light_gives(self, model: Path) -> None:
        low = np.random.default_rng(4).integers(0, 40, (48, 48, 3), dtype=np.uint8)
        enhancer = Enhancer(model, runtime="onnxruntime")
        none, half, full = (
            enhancer.enhance(low, denoise=fraction).astype(float) for fraction in (0.0, 0.5, 1.0)
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
            enhancer.enhance(low, denoise=0.0, strength=fraction).mean()
            for fraction in (0.0, 0.3, 1.0)
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
