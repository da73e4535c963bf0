from __future__ import annotations

import numpy as np
import pytest

from undark.errors import UsageError
from undark.evaluate.protocol import PROTOCOLS, protocol

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
