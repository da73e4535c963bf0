"""What a run measures is what the exported model gives: every model of the catalog, held to it.

The network goes through the same mode as the weights that are shipped, so both differ by the
runtime's rounding alone.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import cv2
import numpy as np
import pytest
from skimage import data

from undark import Enhancer
from undark.models import names
from undark.train.methods import make_method
from undark.train.methods.base import Method
from undark.train.weights import load_into, load_weights

ODD = ((37, 53), (181, 263), (411, 97))
"""Heights and widths that no network takes as they are."""


@cache
def learned(name: str) -> Method[Any, Any]:
    """The method with the shipped weights in its network, as a run that begins with them."""
    weights = load_weights(name)
    method = make_method(weights.recipe)
    load_into(method.network, weights)
    return method


@cache
def shipped(name: str) -> Enhancer:
    return Enhancer(name, runtime="onnxruntime", device="cpu", precision="exact")


def dark(rows: int, columns: int) -> np.ndarray:
    """A photo of coffee, as a camera would see it in little light."""
    light = cv2.resize(data.coffee(), (columns, rows), interpolation=cv2.INTER_AREA)
    noise = np.random.default_rng(0).normal(0.0, 2.0, light.shape)
    return (0.1 * light + noise).clip(0, 255).astype(np.uint8)


def apart(name: str, low: np.ndarray) -> int:
    """Largest difference between what training measures and what runs, in levels of 255."""
    measured, run = learned(name).enhance(low), shipped(name)(low)
    assert measured.shape == run.shape == low.shape
    assert run.mean() > 1.5 * low.mean()
    return int(np.abs(measured.astype(int) - run).max())


@pytest.mark.parametrize("size", ODD, ids=lambda size: "x".join(map(str, size)))
@pytest.mark.parametrize("name", names())
def test_training_measures_what_runs(name: str, size: tuple[int, int]) -> None:
    assert apart(name, dark(*size)) <= 1


@pytest.mark.slow  # nearly two megapixels through PyTorch and ONNX Runtime, some seconds each
@pytest.mark.parametrize("name", ["unet", "pix2pix"])
def test_training_measures_what_runs_on_large_photos(name: str) -> None:
    """In tiles that are blended, and reduced with the change carried to full size."""
    assert apart(name, dark(1081, 1620)) <= 1
