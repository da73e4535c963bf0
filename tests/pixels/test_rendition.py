"""Frames of HDR on planes: what the same arithmetic gives for each pixel by itself."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from undark.pixels import transfer
from undark.pixels.colour import linear_to_srgb
from undark.pixels.planes import Colours, Planes
from undark.pixels.rendition import Rendering

PQ, HLG = 16, 18
SDR = Colours(0.2126, 0.0722, depth=16)


rendering_for = lru_cache(Rendering)


def scene(rows: int, columns: int, top: float) -> np.ndarray[Any, Any]:
    """Smooth light of moderate colours from black to `top`, 1 being reference white."""
    x, y = np.meshgrid(np.linspace(0, 3, columns), np.linspace(0, 3, rows))
    tint = 1.0 + 0.25 * np.stack([np.sin(x), np.cos(y), np.sin(x + y)], axis=-1)
    return tint * top * ((x + y) / 6)[..., None] ** 3 / 1.25


def planes(rgb: np.ndarray[Any, Any], colours: Colours, *, fine: bool) -> Planes:
    """Of encoded RGB, colours at half of the size unless `fine`."""
    parts = colours.from_rgb(rgb.astype(np.float32))
    shape = (rgb.shape[1], rgb.shape[0]) if fine else (rgb.shape[1] // 2, rgb.shape[0] // 2)
    spans = (colours.luma_span, colours.colour_span, colours.colour_span)
    zeros = (colours.black, colours.middle, colours.middle)
    found = [
        np.rint(cv2.resize(part, size, interpolation=cv2.INTER_AREA) * span + zero)
        for part, size, span, zero in zip(
            parts, (rgb.shape[1::-1], shape, shape), spans, zeros, strict=True
        )
    ]
    y, u, v = (np.clip(part, 0, colours.top).astype(np.uint16) for part in found)
    return Planes(y, u, v, colours)


def levels(one: Planes, other: Planes) -> tuple[float, float]:
    """The mean and most difference of samples, in levels of 8 bits."""
    scale = 2.0 ** (one.colours.depth - 8)
    pairs = ((one.y, other.y), (one.u, other.u), (one.v, other.v))
    gaps = [np.abs(a.astype(float) - b) / scale for a, b in pairs]
    return max(float(gap.mean()) for gap in gaps), max(float(gap.max()) for gap in gaps)


@pytest.mark.parametrize("code", [PQ, HLG])
@given(
    rows=st.integers(24, 60), columns=st.integers(24, 60), fine=st.booleans(),
    top=st.sampled_from([0.05, 0.9, 4.0]), depth=st.sampled_from([10, 12]), full=st.booleans(),
)  # fmt: skip
@settings(max_examples=10, deadline=None)
def test_each_pixel_is_shown_and_lit_as_by_itself(
    code: int, rows: int, columns: int, top: float, depth: int, *, fine: bool, full: bool
) -> None:
    colours = Colours(0.2627, 0.0593, full=full, depth=depth)
    light = scene(2 * rows, 2 * columns, top)
    source = planes(transfer.encode(light, code), colours, fine=fine)
    rendering = rendering_for(code, colours)
    shown = rendering.rendition(source)
    headroom = np.maximum(light.max(axis=-1, keepdims=True), 1.0)
    seen = light / headroom
    wanted = planes(linear_to_srgb(seen.astype(np.float32)), SDR, fine=fine)
    mean, most = levels(shown.planes, wanted)
    assert mean < 0.5
    assert most < 6.0
    assert (shown.headroom is None) == (top < 1.0)

    brighter = np.minimum(seen * 2.0, 1.0)
    after = planes(linear_to_srgb(brighter.astype(np.float32)), SDR, fine=fine)
    target = source.blank_copy()
    rendering.relit(source, shown, after, target)
    mean, most = levels(
        target, planes(transfer.encode(brighter * headroom, code), colours, fine=fine)
    )
    assert mean < 0.5
    assert most < 6.0
    assert int(target.y.max()) <= colours.top


@pytest.mark.parametrize("code", [PQ, HLG])
def test_what_is_shown_as_before_stays(code: int) -> None:
    colours = Colours(0.2627, 0.0593, depth=10)
    source = planes(transfer.encode(scene(32, 48, 4.0), code), colours, fine=False)
    rendering = rendering_for(code, colours)
    shown = rendering.rendition(source)
    target = source.blank_copy()
    rendering.relit(source, shown, shown.planes, target)
    for mine, its in ((source.y, target.y), (source.u, target.u), (source.v, target.v)):
        np.testing.assert_array_equal(mine, its)
    # Where one place changes, others stay within a level.
    after = shown.planes.blank_copy()
    shown.planes.copy_to(after)
    after.y[:4, :4] += 2000
    rendering.relit(source, shown, after, target)
    assert levels(source, target)[0] < 0.5
    assert np.abs(source.y[8:].astype(int) - target.y[8:]).max() <= 4
