from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import data
from skimage.color import lab2rgb, rgb2lab

from undark.errors import UsageError
from undark.evaluate.metrics import chroma_ratio
from undark.evaluate.metrics.chroma_ratio import COLOURED
from undark.evaluate.metrics.colour import chroma, lab

COFFEE = np.ascontiguousarray(data.coffee()[::4, ::4])


def test_lab_is_scikit_images() -> None:
    assert lab(COFFEE) == pytest.approx(rgb2lab(COFFEE), abs=1e-9)
    a, b = np.moveaxis(rgb2lab(COFFEE)[..., 1:], 2, 0)
    assert chroma(COFFEE) == pytest.approx(np.sqrt(a * a + b * b), abs=1e-9)


@settings(deadline=None, max_examples=20)
@given(st.floats(0.1, 1.0))
def test_a_factor_on_the_chroma_is_found(factor: float) -> None:
    """On colours that stay within sRGB."""
    paler = rgb2lab(COFFEE) * np.array([1, 0.8, 0.8])
    truth = lab2rgb(paler).astype(np.float32)
    output = lab2rgb(paler * np.array([1, factor, factor])).astype(np.float32)
    assert chroma_ratio(output, truth) == pytest.approx(factor, abs=0.01)


def test_only_places_count_that_are_coloured_in_the_truth() -> None:
    truth = np.full((8, 8, 3), 99, np.uint8)
    truth[:4] = (200, 60, 60)
    output = truth.copy()
    output[4:] = (0, 0, 255)
    assert chroma_ratio(output, truth) == 1
    assert chroma(truth)[0, 0] > COLOURED > chroma(truth)[-1, -1]


def test_without_coloured_places_there_is_no_ratio() -> None:
    grey = np.full((8, 8, 3), 99, np.uint8)
    assert math.isnan(chroma_ratio(COFFEE[:8, :8], grey))


def test_images_must_fit() -> None:
    with pytest.raises(UsageError, match="differ in size"):
        chroma_ratio(COFFEE, COFFEE[:-1])
