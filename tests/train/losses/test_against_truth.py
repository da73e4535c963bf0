from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity

from undark.train.losses import against_truth as losses


def test_structure_is_one_minus_scikit_images_ssim() -> None:
    random = np.random.default_rng(0)
    first = random.random((40, 52, 3), dtype=np.float32)
    second = (first + random.normal(0, 0.1, first.shape)).clip(0, 1).astype(np.float32)
    expected = structural_similarity(first, second, channel_axis=2, data_range=1.0)
    ours = losses.structure(
        *(torch.from_numpy(x.transpose(2, 0, 1))[None] for x in (first, second)), scales=1
    )
    assert 1.0 - float(ours) == pytest.approx(float(expected), abs=1e-4)


def test_terms_vanish_on_the_truth_and_grow_with_error() -> None:
    truth = torch.rand(2, 3, 32, 32)
    for term in (losses.charbonnier, losses.structure, losses.colour, losses.exposure):
        near, far = truth * 0.98, truth * torch.tensor([0.9, 0.7, 0.5])[:, None, None]
        assert float(term(truth, truth)) < 2e-3
        assert float(term(truth, truth)) <= float(term(near, truth)) < float(term(far, truth))


def test_colour_is_blind_to_brightness_and_matching_removes_it() -> None:
    truth = torch.rand(2, 3, 32, 32) * 0.5 + 0.3
    tinted = truth * torch.tensor([1.2, 1.0, 0.8])[:, None, None]
    assert float(losses.colour(truth * 0.7, truth)) < 0.1 * float(losses.colour(tinted, truth))
    assert torch.allclose(losses.match_means(truth * 0.7, truth), truth, atol=1e-5)


def test_an_error_that_repeats_costs_and_an_even_one_does_not() -> None:
    truth = torch.rand(2, 3, 70, 100)
    grid = torch.zeros(1, 1, 70, 100)
    grid[..., ::4, ::4] = 0.1
    assert float(losses.periodic(truth + 0.1, truth)) < 1e-6
    assert float(losses.periodic(truth + grid, truth)) == pytest.approx(0.1 * 15 / 128, rel=1e-3)
    noise = 0.05 * torch.randn(truth.shape)
    assert float(losses.periodic(truth + noise, truth)) < 0.008
    small = torch.rand(1, 3, 20, 20)
    assert float(losses.periodic(small, torch.zeros_like(small))) == 0.0


def test_likeness_is_the_logarithm_of_the_squared_difference() -> None:
    truth = torch.rand(3, 3, 16, 16)
    near, far = losses.likeness(truth + 0.01, truth), losses.likeness(truth + 0.4, truth)
    assert float(near) == pytest.approx(math.log10(1e-4 + 0.0015), abs=1e-4)
    assert float(far) == pytest.approx(math.log10(0.16 + 0.0015), abs=1e-4)
