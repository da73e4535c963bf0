"""Flat shapes over photos that are darkened, and lamps of pure colours in them."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from undark.errors import RecipeError
from undark.train.data.datasets import load_datasets
from undark.train.data.leaves import lamps, scatter
from undark.train.recipe import Data, Source, load_recipe, override

SIZES = st.tuples(st.integers(1, 90), st.integers(1, 90))


@given(SIZES, st.integers(0, 2**31))
def test_shapes_lie_on_photos_of_any_size(size, seed):
    photo = np.full((*size, 3), 77, np.uint8)
    result = scatter(photo, np.random.default_rng(seed))
    assert result.shape == photo.shape
    assert result.dtype == np.uint8
    assert (photo == 77).all()


def test_shapes_are_flat_and_vivid_ones_are_among_them():
    photo = np.random.default_rng(0).integers(90, 160, (300, 400, 3), np.uint8)
    found = [scatter(photo, np.random.default_rng(seed)) for seed in range(20)]
    covered = [(image != photo).any(axis=-1).mean() for image in found]
    assert 0.02 < np.mean(covered) < 0.6
    flat = [(np.diff(image.astype(int), axis=1) == 0).all(axis=-1).mean() for image in found]
    assert np.mean(flat) > 0.02
    spread = np.stack(found).max(axis=-1).astype(int) - np.stack(found).min(axis=-1)
    assert (spread > 150).mean() > 0.005


@given(SIZES, st.integers(0, 2**31))
def test_lamps_are_alike_in_the_dark_photo_and_its_truth(size, seed):
    dark, truth = np.zeros((*size, 3), np.uint8), np.full((*size, 3), 200, np.uint8)
    low, high = lamps(dark, truth, np.random.default_rng(seed))
    burning = low.max(axis=-1) > 240 * 0.6
    whole = burning & (np.abs(low.astype(int) - high).max(axis=-1) <= 1)
    edge = burning & ~whole
    assert edge.sum() <= 0.5 * burning.sum() + 40
    assert (high[low.max(axis=-1) == 0] == 200).all()


def test_a_recipe_asks_for_them(tmp_path: Path):
    photo = np.full((80, 100, 3), (120, 130, 110), np.uint8)
    Image.fromarray(photo).save(tmp_path / "light.png")

    def truths(leaves: float) -> list[np.ndarray]:
        source = Source(kind="darken", darkness="night", leaves=leaves)
        datasets, _ = load_datasets(
            Data(sources=(source,)), root=tmp_path, glance=0, seed=1, notify=print
        )
        return [datasets[0].draw(0, version).high for version in range(12)]

    assert all(np.array_equal(truth, photo) for truth in truths(0.0))
    changed = [not np.array_equal(truth, photo) for truth in truths(0.5)]
    assert 0 < sum(changed) < 12


def test_the_share_is_a_share():
    recipe = load_recipe(Path(__file__).parents[3] / "recipes" / "relight.toml")
    with pytest.raises(RecipeError, match="leaves"):
        override(recipe, ["data.sources.5.leaves=1.5"])
