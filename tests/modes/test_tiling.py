"""Cutting photos into tiles and putting them together again."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from undark import Enhancer, Photo
from undark.errors import ModelError
from undark.models import Model, resolve
from undark.modes.axes import plan_axis, plan_tiles

lengths = st.integers(1, 3000)
tiles = st.integers(24, 1000)
overlaps = st.integers(0, 300)
multiples = st.sampled_from([1, 2, 8, 16, 32])
margins = st.integers(0, 12)


@given(lengths, tiles, overlaps, multiples, margins)
@settings(max_examples=100, deadline=None)
def test_tiles_cover_every_pixel_on_the_graphs_grid(length, tile, overlap, multiple, margin):
    axis = plan_axis(length, tile, overlap, multiple, margin)
    assert axis.starts[0] == -margin
    assert axis.tile % multiple == 0
    assert axis.tile <= max(tile, multiple)
    assert all((start + margin) % multiple == 0 for start in axis.starts)
    assert all(a < b for a, b in zip(axis.starts, axis.starts[1:], strict=False))
    end = axis.starts[-1] + axis.tile
    assert length + margin <= end < length + margin + multiple
    if multiple <= overlap and overlap + multiple <= tile - multiple:
        shared = [a + axis.tile - b for a, b in zip(axis.starts, axis.starts[1:], strict=False)]
        assert all(pixels >= overlap for pixels in shared)


@given(lengths, tiles, overlaps, multiples, margins)
@settings(max_examples=100, deadline=None)
def test_the_shares_of_all_tiles_sum_to_one(length, tile, overlap, multiple, margin):
    tile = max(tile, 4 * margin + 2 * multiple)
    axis = plan_axis(length, tile, overlap, multiple, margin)
    total = np.zeros(length)
    for index in range(len(axis.starts)):
        shares = axis.weights(index, overlap)
        assert shares.min() >= 0
        total[axis.first(index) : axis.stop(index)] += shares
        assert sum(axis.around(index)) + len(shares) == axis.tile
    np.testing.assert_allclose(total, 1, atol=1e-5)


def test_a_tiles_border_inside_the_photo_counts_for_nothing():
    axis = plan_axis(2000, 512, 64, 16)
    for index in range(len(axis.starts)):
        shares = axis.weights(index, 64)
        if index > 0:
            assert not shares[:16].any()
        if index + 1 < len(axis.starts):
            assert not shares[-16:].any()


def test_a_photo_is_cut_into_the_fewest_tiles():
    assert plan_tiles(512, 512, 512, 64, 16).count == 1
    assert plan_tiles(513, 512, 512, 64, 16).count == 2
    assert plan_tiles(4000, 6000, 768, 96, 16).count == 6 * 9


def tiled_and_whole(make_model, glance, margin=0):
    tiled = resolve(make_model(glance=glance, tile=64, overlap=16))
    tiled = Model(
        replace(tiled.card, scaling=replace(tiled.card.scaling, margin=margin)), tiled.path
    )
    whole = Model(replace(tiled.card, scaling=replace(tiled.card.scaling, tile=4000)), tiled.path)
    return Enhancer(tiled), Enhancer(whole)


@pytest.mark.parametrize("margin", [0, 6, 8])
@pytest.mark.parametrize("glance", [True, False])
@given(size=st.tuples(st.integers(1, 300), st.integers(1, 300)), seed=st.integers(0, 9))
@settings(max_examples=25, deadline=None)
def test_tiled_and_whole_agree(pair_of_enhancers, glance, margin, size, seed):
    tiled, whole = pair_of_enhancers[glance, margin]
    image = np.random.default_rng(seed).random((*size, 3), dtype=np.float32)
    np.testing.assert_allclose(tiled(image), whole(image), atol=1.1 / 255)
    assert np.abs(tiled(image) - whole(image)).mean() < 0.1 / 255


@pytest.fixture(scope="module")
def pair_of_enhancers(make_model):
    return {
        (glance, margin): tiled_and_whole(make_model, glance, margin)
        for glance in (True, False)
        for margin in (0, 6, 8)
    }


@pytest.mark.parametrize("side", [1, 50, 200])
def test_a_margin_keeps_a_flat_photo_flat_up_to_its_edges(make_model, side):
    """The graph blurs, and takes what lies outside for black."""
    for enhancer in tiled_and_whole(make_model, glance=True, margin=8):
        result = enhancer(np.full((side, 150, 3), 0.2, np.float32))
        assert np.ptp(result) < 1e-5
    bare = Enhancer(make_model(tile=64, overlap=16))
    assert np.ptp(bare(np.full((64, 152, 3), 0.2, np.float32))) > 0.05


def test_a_margin_beyond_the_overlap_is_refused(make_model):
    with pytest.raises(ModelError, match="margin"):
        tiled_and_whole(make_model, glance=True, margin=17)


def test_the_gain_comes_from_the_whole_photo(make_model):
    """Half black, half bright: tiles that decided alone would differ from each other."""
    image = np.zeros((40, 400, 3), dtype=np.float32)
    image[:, 200:] = 0.25
    result = Enhancer(make_model(tile=64, overlap=16))(image)
    gain = 3 - 2 * image.mean()
    np.testing.assert_allclose(result[10:30, 220:380], 0.25 * gain, atol=1e-4)


def test_tiles_show_no_seam_on_a_gradient(make_model):
    gradient = np.linspace(0, 0.3, 500, dtype=np.float32)
    image = np.repeat((gradient[:, None] + gradient[None, :])[..., None], 3, axis=2) / 2
    result = Enhancer(make_model(tile=128, overlap=32))(image)
    for axis in (0, 1):
        steps = np.diff(result[8:-8, 8:-8], axis=axis)
        assert steps.max() - steps.min() < 1e-4


def test_progress_rises_to_one_once_a_tile(make_model):
    shares = []
    image = np.zeros((200, 300, 3), dtype=np.uint8)
    Enhancer(make_model(tile=128, overlap=32)).enhance(image, progress=shares.append)
    assert len(shares) == plan_tiles(200, 300, 128, 32, 8).count
    assert shares == sorted(shares)
    assert shares[-1] == 1


def test_the_source_is_left_alone(make_model):
    pixels = np.random.default_rng(3).integers(0, 255, (150, 150, 3), dtype=np.uint8)
    photo = Photo(pixels=pixels.copy())
    Enhancer(make_model(tile=64, overlap=16))(photo)
    np.testing.assert_array_equal(photo.pixels, pixels)
