"""PQ, HLG and linear light: known values, there and back, and the tone curve."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from undark.pixels import transfer


def grey(value: float) -> np.ndarray:
    return np.full((1, 1, 3), value)


def test_known_values() -> None:
    """ITU-R BT.2408-7, table 1: reference white is 58 % of PQ and 75 % of HLG."""
    assert transfer.encode(grey(1.0), 16)[0, 0, 0] == pytest.approx(0.5807, abs=1e-4)
    assert transfer.encode(grey(1.0), 18)[0, 0, 0] == pytest.approx(0.75, abs=1e-3)
    # BT.2100-2: PQ ends at 10000 cd/m², HLG on this screen at 1000.
    assert transfer.decode(grey(1.0), 16)[0, 0, 0] == pytest.approx(10000 / 203)
    assert transfer.decode(grey(1.0), 18)[0, 0, 0] == pytest.approx(1000 / 203, rel=1e-4)
    # 100 cd/m² is 50.81 % of PQ (BT.2100-2's own example of code 520 of 10 bits, within a code).
    assert transfer.encode(grey(100 / 203), 16)[0, 0, 0] == pytest.approx(0.5081, abs=1e-4)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([8, 16, 18]),
    st.lists(st.integers(0, 4095), min_size=3, max_size=3),
)
def test_there_and_back(code: int, levels: list[int]) -> None:
    values = np.array(levels).reshape(1, 1, 3) / 4095
    back = transfer.encode(transfer.decode(values, code), code)
    np.testing.assert_allclose(back, values, atol=1e-5)


@settings(max_examples=40, deadline=None)
@given(st.floats(1.0, 49.0), st.tuples(*[st.floats(0.0, 49.0)] * 3))
def test_the_tone_curve_rises_and_keeps_hues(peak: float, colour: tuple[float, ...]) -> None:
    ramp = np.linspace(0.0, peak, 100)[None, :, None].repeat(3, axis=2)
    mapped = transfer.tone_map(ramp, peak)
    assert (np.diff(mapped[0, :, 0]) >= -1e-9).all()
    assert mapped[0, -1, 0] == pytest.approx(1.0, abs=1e-6)
    pixel = np.minimum(np.array(colour), peak).reshape(1, 1, 3)
    shown = transfer.tone_map(pixel, peak)
    np.testing.assert_allclose(shown * pixel.max(), pixel * shown.max(), atol=1e-6 * peak)
    np.testing.assert_array_equal(transfer.tone_map(ramp * 0.0, peak), ramp * 0.0)


def test_one_hot_pixel_does_not_darken_a_photo() -> None:
    light = np.full((200, 200, 3), 0.5)
    light[0, 0] = 40.0
    assert transfer.peak_of(light) == 1.0
