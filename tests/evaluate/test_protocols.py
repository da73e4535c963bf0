from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from undark.errors import UsageError
from undark.evaluate.baselines import TARGET_MEAN, automatic_gamma, identity
from undark.evaluate.protocol import PROTOCOLS, protocol
from undark.photo import Photo

GREY = np.array([0.299, 0.587, 0.114])


def test_plain_only_rounds_and_never_looks_at_the_truth() -> None:
    output = np.array([[[-0.5, 0.5, 1.5], [0.1, 0.2, 0.3]]], np.float32)
    prepared = protocol("plain").prepare(output, np.ones_like(output))
    assert prepared.dtype == np.uint8
    assert prepared.tolist() == [[[0, 128, 255], [26, 51, 77]]]
    again = protocol("plain").prepare(prepared, np.zeros_like(output))
    assert np.array_equal(again, prepared)


def test_gt_mean_meets_the_truths_grey_mean() -> None:
    random = np.random.default_rng(1)
    truth = random.uniform(0.2, 0.5, (40, 50, 3)).astype(np.float32)
    output = (truth * 0.4).astype(np.float32)
    prepared = protocol("gt-mean").prepare(output, truth)
    assert (prepared / 255 @ GREY).mean() == pytest.approx((truth @ GREY).mean(), abs=1e-3)


def test_gt_mean_of_a_black_output_stays_black() -> None:
    black = np.zeros((8, 8, 3), np.uint8)
    assert not protocol("gt-mean").prepare(black, black + np.uint8(200)).any()


def test_a_protocol_that_uses_the_truth_says_so() -> None:
    assert {name: item.uses_truth for name, item in PROTOCOLS.items()} == {
        "plain": False,
        "gt-mean": True,
    }
    assert all(item.formula for item in PROTOCOLS.values())


def test_an_unknown_protocol_names_the_known() -> None:
    with pytest.raises(UsageError, match="plain, gt-mean"):
        protocol("best")


def test_identity_is_the_photo() -> None:
    photo = Photo(np.zeros((2, 2, 3), np.uint8))
    assert identity(photo) is photo


@settings(deadline=None, max_examples=40)
@given(
    arrays.arrays(
        np.float32,
        st.tuples(st.integers(2, 8), st.integers(2, 8), st.just(3)),
        elements=st.floats(0.03125, 0.9375, width=32),
    )
)
def test_automatic_gamma_meets_its_mean(pixels: NDArray[np.float32]) -> None:
    assert automatic_gamma(Photo(pixels)).pixels.mean() == pytest.approx(TARGET_MEAN, abs=0.01)


@pytest.mark.parametrize("level", [0, 255])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_automatic_gamma_keeps_type_and_does_not_fail_without_a_solution(
    level: int, dtype: type[np.generic]
) -> None:
    photo = Photo(np.full((4, 4, 3), level, dtype))
    result = automatic_gamma(photo)
    assert result.pixels.dtype == dtype
    assert result.pixels.shape == photo.pixels.shape
