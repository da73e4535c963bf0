from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from undark.errors import MissingExtraError, UsageError
from undark.evaluate import metrics
from undark.evaluate.metrics import METRICS, measure


def noisy_pair(seed: int = 0) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    random = np.random.default_rng(seed)
    first = random.integers(0, 256, (30, 41, 3))
    second = np.clip(first + random.integers(-20, 21, first.shape), 0, 255)
    return first.astype(np.uint8), second.astype(np.uint8)


pictures = arrays.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3)))


def test_psnr_and_ssim_are_the_fields_own() -> None:
    first, second = noisy_pair()
    assert metrics.psnr(first, second) == pytest.approx(
        peak_signal_noise_ratio(second, first), abs=1e-9
    )
    assert metrics.ssim(first, second) == pytest.approx(
        structural_similarity(first, second, channel_axis=2), abs=1e-9
    )


def test_every_depth_gives_the_same_numbers() -> None:
    first, second = noisy_pair()
    plain = measure(first, second)
    wide = measure(first.astype(np.uint16) * 257, second.astype(np.uint16) * 257)
    real = measure((first / 255).astype(np.float32), (second / 255).astype(np.float32))
    assert wide == pytest.approx(plain, rel=1e-6, nan_ok=True)
    assert real == pytest.approx(plain, rel=1e-3, abs=1e-9, nan_ok=True)


def test_what_is_measured_depends_on_truth_and_weights() -> None:
    first, second = noisy_pair()
    alone = {name for name, metric in METRICS.items() if not metric.needs_truth}
    assert set(measure(first)) == alone
    weighed = {"feature_distance", "lpips", "dists"}
    assert set(METRICS) - set(measure(first, second)) == weighed
    everything = measure(first, second, brought=dict.fromkeys(weighed, lambda *_: 0.5))
    assert list(everything) == list(METRICS)
    assert [everything[name] for name in weighed] == [0.5, 0.5, 0.5]
    some = measure(first, second, wanted=["ssim", "noise"])
    assert some == {name: everything[name] for name in ("ssim", "noise")}


@settings(deadline=None, max_examples=50)
@given(pictures)
def test_a_picture_is_equal_to_itself(picture: NDArray[np.uint8]) -> None:
    assert metrics.psnr(picture, picture) == math.inf
    assert metrics.mae(picture, picture) == 0
    assert metrics.delta_e2000(picture, picture) == 0
    assert metrics.blown_added(picture, picture) == 0
    assert metrics.crushed_added(picture, picture) == 0
    assert metrics.mean_level(picture) == pytest.approx(picture.mean() / 255)


@settings(deadline=None, max_examples=50)
@given(pictures, st.integers(1, 255))
def test_a_shift_costs_what_it_is(picture: NDArray[np.uint8], shift: int) -> None:
    shifted = ((picture.astype(np.int64) + shift) % 256).astype(np.uint8)
    difference = np.abs(picture.astype(np.float64) - shifted) / 255
    assert metrics.mae(picture, shifted) == pytest.approx(difference.mean())
    assert metrics.psnr(picture, shifted) == pytest.approx(metrics.psnr(shifted, picture))
    assert metrics.psnr(picture, shifted) == pytest.approx(-10 * np.log10((difference**2).mean()))


def test_blown_and_crushed_count_only_what_the_truth_holds() -> None:
    truth = np.full((2, 4, 3), 100, np.uint8)
    output = truth.copy()
    output[0, 0, 1] = 254
    output[0, 1] = 255
    truth[0, 1] = 255
    output[1, 0] = 1
    output[1, 1] = (0, 0, 2)
    assert metrics.blown_added(output, truth) == pytest.approx(1 / 8)
    assert metrics.crushed_added(output, truth) == pytest.approx(1 / 8)
    assert metrics.blown(output) == pytest.approx(2 / 8)
    assert metrics.crushed(output) == pytest.approx(1 / 8)


def test_a_known_colour_difference() -> None:
    red = np.broadcast_to(np.array([255, 0, 0], np.uint8), (8, 8, 3))
    green = np.broadcast_to(np.array([0, 255, 0], np.uint8), (8, 8, 3))
    assert metrics.delta_e2000(red, green) == pytest.approx(86.6, abs=0.1)


@pytest.mark.parametrize("name", ["psnr", "ssim", "mae", "delta_e2000", "blown_added", "ms_ssim"])
def test_pictures_must_be_of_one_size(name: str) -> None:
    first, second = noisy_pair()
    with pytest.raises(UsageError, match="differ in size"):
        getattr(metrics, name)(first, second[:-1])


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((9, 9), np.uint8),
        np.zeros((9, 9, 4), np.uint8),
        np.zeros((0, 9, 3), np.uint8),
        np.zeros((9, 9, 3), np.int32),
    ],
)
def test_other_arrays_are_refused(picture: NDArray[Any]) -> None:
    with pytest.raises(UsageError, match="images must be"):
        metrics.mean_level(picture)


@pytest.mark.parametrize(("shape", "defined"), [((176, 300), True), ((300, 175), False)])
def test_ms_ssim_needs_all_its_scales(shape: tuple[int, int], defined: bool) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (*shape, 3)).astype(np.uint8)
    assert metrics.ms_ssim(picture, picture) == pytest.approx(
        1 if defined else math.nan, nan_ok=True
    )
    assert min(shape) >= metrics.MS_SSIM_MINIMUM or not defined


def test_an_inverted_picture_is_not_alike_at_any_scale() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (200, 200, 3)).astype(np.uint8)
    assert metrics.ms_ssim(255 - picture, picture) == 0


def test_noise_is_nothing_on_planes_and_too_little_to_tell_below_3_pixels() -> None:
    plane = np.add.outer(np.arange(40), np.arange(50))[..., None].repeat(3, 2).astype(np.uint8)
    assert metrics.noise_level(plane) == pytest.approx(0, abs=1e-9)
    assert math.isnan(metrics.noise_level(plane[:2]))


def test_ssim_needs_its_window() -> None:
    small = np.zeros((6, 20, 3), np.uint8)
    with pytest.raises(UsageError, match="at least 7×7"):
        metrics.ssim(small, small)


@pytest.mark.parametrize(
    ("name", "module"), [("ssim", "skimage.metrics"), ("delta_e2000", "skimage.color")]
)
def test_without_scikit_image_the_extra_is_named(
    name: str, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=r"undark\[evaluate\]"):
        getattr(metrics, name)(*noisy_pair())
