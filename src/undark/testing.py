"""The contract that every model keeps, for tests of your own.

A model of yours keeps it too if this passes, in a file ``test_night.py``::

    import pytest
    from undark.models import Model, resolve
    from undark.testing import ModelContract


    class TestNight(ModelContract):
        @pytest.fixture(scope="class")
        @classmethod
        def model(cls) -> Model:
            return resolve("night.onnx")

It needs pytest, hypothesis, onnx and scikit-image, and both runtimes. undark's own catalog is
tested by it.
"""

# ruff: noqa: D102 - the name of a test says what is promised

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from undark import Enhancer
from undark.errors import UsageError
from undark.models import Card, Model
from undark.modes import mode_of
from undark.pixels.colour import linear_to_srgb, luma, srgb_to_linear
from undark.runtime import Precision

__all__ = ["ModelContract", "darkened"]

onnx: Any = import_module("onnx")  # neither comes with types
data: Any = import_module("skimage.data")

# The sizes' examples share one enhancer of the class, which keeps nothing from run to run.
SHARED: Final = settings(
    deadline=None,
    max_examples=12,
    suppress_health_check=[HealthCheck.differing_executors],
)


def darkened(
    image: NDArray[np.uint8], *, light: float = 0.04, noise: float = 0.004
) -> NDArray[np.uint8]:
    """An H×W×3 uint8 image as if taken with `light` of the light: noise first, then 8 bits."""
    rng = np.random.default_rng(0)
    linear = srgb_to_linear(image.astype(np.float32) / np.float32(255)) * np.float32(light)
    shot = rng.normal(0, 1, linear.shape) * np.sqrt(linear * noise + noise**2 / 4)
    low = linear_to_srgb(np.clip(linear + shot, 0, 1).astype(np.float32))
    return (low * 255 + 0.5).astype(np.uint8)


class ModelContract:
    """All that a model promises. Inherit it and give a class-scoped fixture `model`."""

    @pytest.fixture(scope="class")
    @classmethod
    def model(cls) -> Model:
        raise NotImplementedError("give the model to test")

    @pytest.fixture(scope="class")
    @classmethod
    def enhancer(cls, model: Model) -> Enhancer:
        return Enhancer(model, runtime="onnxruntime", device="cpu")

    @pytest.fixture(scope="class")
    @classmethod
    def whole(cls, model: Model) -> Enhancer:
        """The same model, run on photos as a whole however large they are."""
        scaling = replace(model.card.scaling, tile=1 << 14)
        card = replace(model.card, scaling=scaling)
        return Enhancer(Model(card=card, path=model.path), runtime="onnxruntime", device="cpu")

    @pytest.fixture(scope="class")
    @classmethod
    def graph(cls, model: Model) -> Any:
        return onnx.load_from_string(model.read())

    def test_its_card_says_where_it_comes_from(self, model: Model) -> None:
        card = model.card
        for text in (card.name, card.title, card.summary, card.licence, card.recipe):
            assert text.strip()
        assert card.name == card.name.lower()
        assert card.method in {
            "supervised",
            "pix2pix",
            "unpaired",
            "zero-reference",
            "reinforcement",
        }
        assert card.parameters > 0
        assert card.data
        assert all(source.name and source.licence for source in card.data)
        for metric in card.metrics:
            assert metric.pictures > 0
            assert metric.values

    def test_its_card_survives_writing(self, model: Model, tmp_path: Path) -> None:
        path = tmp_path / "card.json"
        path.write_text(model.card.dump(), encoding="utf-8")
        assert Card.load(path) == model.card

    def test_its_mode_knows_it(self, model: Model) -> None:
        mode = mode_of(model.card)
        assert mode.describe(model.card.scaling).strip()
        signature = mode.signature(model.card)
        assert signature.inputs
        assert signature.outputs

    def test_its_weights_are_those_of_the_card_and_small(self, model: Model) -> None:
        assert len(model.read()) < 10_000_000

    def test_its_graph_is_plain_onnx(self, graph: Any) -> None:
        onnx.checker.check_model(graph, full_check=True)
        versions = {item.domain: item.version for item in graph.opset_import}
        assert set(versions) <= {"", "ai.onnx"}
        assert all(13 <= version <= 22 for version in versions.values())
        assert all(not item.external_data for item in graph.graph.initializer)

    @given(height=st.integers(1, 200), width=st.integers(1, 200))
    @SHARED
    def test_any_size_works(self, enhancer: Enhancer, height: int, width: int) -> None:
        image = np.random.default_rng(1).integers(0, 90, (height, width, 3), dtype=np.uint8)
        result = enhancer(image)
        assert result.shape == image.shape
        assert result.dtype == image.dtype

    @pytest.mark.parametrize("level", [0.0, 1.0, None])
    def test_black_white_and_noise_give_numbers(
        self, enhancer: Enhancer, level: float | None
    ) -> None:
        image = np.random.default_rng(2).random((72, 104, 3), dtype=np.float32)
        if level is not None:
            image = np.full_like(image, level)
        result = enhancer(image)
        assert np.isfinite(result).all()
        assert result.min() >= 0
        assert result.max() <= 1

    def test_it_gives_the_same_twice(self, model: Model, enhancer: Enhancer) -> None:
        image = darkened(data.coffee()[::4, ::4])
        again = Enhancer(model, runtime="onnxruntime", device="cpu")
        np.testing.assert_array_equal(enhancer(image), again(image))

    def test_runtimes_agree(self, model: Model, enhancer: Enhancer) -> None:
        image = darkened(data.coffee()[::2, ::2])
        precisions: tuple[tuple[Precision, int], ...] = (("exact", 2), ("auto", 4))
        for precision, most in precisions:
            other = Enhancer(model, runtime="openvino", device="cpu", precision=precision)
            assert np.abs(enhancer(image).astype(int) - other(image)).max() <= most

    def test_deep_photos_are_computed_exactly(self, model: Model) -> None:
        image = darkened(data.coffee()[::4, ::4]).astype(np.float32) / 255
        chosen = Enhancer(model, runtime="openvino", device="cpu", precision="auto")
        exact = Enhancer(model, runtime="openvino", device="cpu", precision="exact")
        np.testing.assert_array_equal(chosen(image), exact(image))

    def large(self, model: Model) -> tuple[int, int]:
        """A size that takes several tiles in both directions, and is no multiple of anything."""
        tile = model.card.scaling.tile
        return tile * 9 // 8 + 3, tile * 10 // 8 + 1

    def test_tiled_and_whole_agree(self, model: Model, enhancer: Enhancer, whole: Enhancer) -> None:
        if not mode_of(model.card).tiled:
            pytest.skip("does not work in tiles")
        height, width = self.large(model)
        tile = darkened(data.astronaut())
        image = np.tile(tile, (height // 512 + 1, width // 512 + 1, 1))[:height, :width]
        difference = np.abs(enhancer(image).astype(int) - whole(image))
        assert difference.mean() < 0.25
        assert difference.max() <= 6

    def test_a_gradient_shows_no_seam(
        self, model: Model, enhancer: Enhancer, whole: Enhancer
    ) -> None:
        height, width = self.large(model)
        down = np.linspace(0, 0.1, height, dtype=np.float32)[:, None, None]
        across = np.linspace(0, 0.1, width, dtype=np.float32)[None, :, None]
        image = np.repeat(down + across, 3, axis=2)
        result = enhancer(image)
        if mode_of(model.card).tiled:
            difference = np.abs(result - whole(image))
            assert difference.mean() < 0.25 / 255
            assert difference.max() < 1 / 255
        else:
            steps = np.diff(result.mean(axis=2), axis=0)
            assert np.abs(np.diff(steps, axis=0)).max() < 2 / 255

    def test_strength_zero_is_the_source_and_between_lies_between(self, enhancer: Enhancer) -> None:
        image = darkened(data.coffee()[::4, ::4])
        np.testing.assert_array_equal(enhancer.enhance(image, strength=0), image)
        half, full = enhancer.enhance(image, strength=0.5).astype(float), enhancer(image)
        if "strength" in enhancer.controls:  # half of the light, as one adds light: in EV
            assert image.mean() < half.mean() < full.mean()
        else:
            assert np.abs(half - (image + full.astype(float)) / 2).max() <= 1.01

    def test_denoise_is_obeyed_or_refused(self, enhancer: Enhancer) -> None:
        image = darkened(data.coffee()[::4, ::4])
        if "denoise" not in enhancer.controls:
            with pytest.raises(UsageError, match="denoise"):
                enhancer.enhance(image, denoise=0.5)
            return
        left, taken = (enhancer.enhance(image, denoise=asked).astype(float) for asked in (0.0, 1.0))
        assert abs(left.mean() - taken.mean()) < 12
        assert np.abs(np.diff(taken, axis=0)).mean() < np.abs(np.diff(left, axis=0)).mean()

    def test_exposure_is_followed_without_blown_highlights(self, enhancer: Enhancer) -> None:
        image = darkened(data.coffee()[::4, ::4])
        neutral = enhancer(image)
        previous = None
        # What relights restores anew at each exposure, and may judge a pixel differently.
        fraction, slack = (0.002, 8) if "exposure" in enhancer.controls else (0.0, 0)
        for stops in (-2.0, -0.5, 0.0, 0.5, 2.0):
            result = enhancer.enhance(image, exposure=stops).astype(int)
            assert (result[neutral < 250] == 255).mean() <= fraction
            if previous is not None:
                assert (result < previous - slack).mean() <= fraction
                assert result.mean() > previous.mean()
            previous = result

    @pytest.mark.parametrize("light", [0.15, 0.04])
    def test_a_dark_photo_becomes_bright(self, enhancer: Enhancer, light: float) -> None:
        truth = data.astronaut()
        dark = darkened(truth, light=light)
        result = enhancer(dark)
        assert result.mean() > 1.5 * dark.mean()
        assert (result == 255).mean() < (truth == 255).mean() + 0.02
        # Nearer to the truth than the source is, in every channel.
        for channel in range(3):
            wanted, was = truth[..., channel].mean(), dark[..., channel].mean()
            assert abs(result[..., channel].mean() - wanted) < abs(was - wanted)

    def test_a_bright_photo_stays_nearly_as_it_is(self, enhancer: Enhancer) -> None:
        for image in (data.astronaut(), data.chelsea()):
            bright: NDArray[np.float32] = image.astype(np.float32) / 255
            result = enhancer(bright)
            assert abs(float(luma(result).mean() - luma(bright).mean())) < 0.10
            assert float(np.abs(result - bright).mean()) < 0.12
