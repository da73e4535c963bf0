from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import data

from undark.errors import UsageError
from undark.evaluate.metrics import BLOCK, BRISQUE_MINIMUM, brisque, niqe

COFFEE = np.ascontiguousarray(data.coffee())


@pytest.mark.parametrize("metric", [niqe, brisque])
def test_what_people_dislike_scores_worse(metric) -> None:
    random = np.random.default_rng(0)
    noisy = np.clip(COFFEE + random.normal(0, 25, COFFEE.shape), 0, 255).astype(np.uint8)
    blurred = cv2.GaussianBlur(COFFEE, (0, 0), 4)
    _, coded = cv2.imencode(".jpg", COFFEE, [cv2.IMWRITE_JPEG_QUALITY, 5])
    blocky = cv2.imdecode(coded, cv2.IMREAD_COLOR)
    for worse in (noisy, blurred, blocky):
        assert metric(worse) > metric(COFFEE) + 1


@pytest.mark.parametrize("metric", [niqe, brisque])
def test_depth_does_not_matter(metric) -> None:
    crop = COFFEE[:200, :200]
    assert metric(crop.astype(np.uint16) * 257) == pytest.approx(metric(crop), abs=1e-6)
    assert metric((crop / 255).astype(np.float32)) == pytest.approx(metric(crop), abs=0.01)


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 240), st.integers(1, 240))
def test_a_number_or_nan_at_every_size(height: int, width: int) -> None:
    picture = COFFEE[:height, :width]
    enough = (height // BLOCK) * (width // BLOCK) >= 2
    assert math.isfinite(niqe(picture)) == enough
    assert math.isfinite(brisque(picture)) == (min(height, width) >= BRISQUE_MINIMUM)


@pytest.mark.parametrize("level", [0, 7, 255])
def test_a_flat_picture_has_no_score(level: int) -> None:
    flat = np.full((200, 200, 3), level, np.uint8)
    assert math.isnan(niqe(flat))
    assert math.isnan(brisque(flat))


@pytest.mark.parametrize("metric", [niqe, brisque])
def test_other_arrays_are_refused(metric) -> None:
    with pytest.raises(UsageError, match="images must be"):
        metric(np.zeros((200, 200), np.uint8))
