"""Frames as they are stored: what they show, and curves done to them without RGB."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from undark.pixels.planes import Colours, Planes
from video_files import scene

BT601, BT709, BT2020 = (0.299, 0.114), (0.2126, 0.0722), (0.2627, 0.0593)

colours = st.builds(
    lambda weights, full, depth: Colours(*weights, full, depth),
    st.sampled_from([BT601, BT709, BT2020]),
    st.booleans(),
    st.sampled_from([8, 10, 12, 16]),
)


def empty(height: int, width: int, colours: Colours, halved: tuple[int, int] = (2, 2)) -> Planes:
    small = (-(-height // halved[0]), -(-width // halved[1]))
    shapes = ((height, width), small, small)
    y, u, v = (np.zeros(shape, colours.dtype) for shape in shapes)
    return Planes(y, u, v, colours)


def unit(pixels: np.ndarray) -> np.ndarray:
    return pixels.astype(np.float64) / np.iinfo(pixels.dtype).max


@given(colours, st.integers(1, 40), st.integers(1, 40))
@settings(max_examples=40, deadline=None)
def test_rgb_survives_the_planes(kind: Colours, height: int, width: int) -> None:
    frame = empty(height, width, kind, (1, 1))
    pixels = scene(90, size=(width, height)).astype(kind.dtype)
    if kind.depth > 8:
        pixels = pixels * 257
    frame.set_rgb(pixels)
    assert frame.rgb().shape == pixels.shape
    assert frame.rgb().dtype == kind.dtype
    assert np.abs(unit(frame.rgb()) - unit(pixels)).max() < 2.5 / 255


@given(colours, st.sampled_from([(1, 1), (1, 2), (2, 2)]), st.booleans())
@settings(max_examples=40, deadline=None)
def test_a_glance_keeps_fractions_of_a_level(
    kind: Colours, halved: tuple[int, int], large: bool
) -> None:
    height, width = (720, 1280) if large else (70, 90)
    frame = empty(height, width, kind, halved)
    random = np.random.default_rng(1)
    noise = random.integers(0, 4, frame.y.shape) << (kind.depth - 8)
    frame.y[:] = kind.black + noise
    frame.u[:] = frame.v[:] = kind.middle
    glance = frame.glance(16, 24)
    assert glance.shape == (16, 24, 3)
    exact = noise.mean() / kind.luma_span
    assert abs(glance.mean() - exact) < 0.1 / 255


@given(colours)
@settings(max_examples=20, deadline=None)
def test_deep_samples_show_the_same(kind: Colours) -> None:
    frame = empty(64, 96, kind, (1, 1))
    pixels = scene(60)
    frame.set_rgb(pixels)
    deep = frame.deep()
    assert deep.colours.depth == 16
    assert np.abs(unit(deep.rgb()) - unit(frame.rgb())).max() < 0.6 / 255
    again = frame.deeper([plane.astype(np.float32) for plane in (frame.y, frame.u, frame.v)])
    for a, b in ((deep.y, again.y), (deep.u, again.u), (deep.v, again.v)):
        assert np.abs(a.astype(int) - b).max() <= 1


@pytest.mark.parametrize("full", [False, True])
def test_full_range_is_not_limited_range(full: bool) -> None:
    kind = Colours(*BT709, full)
    frame = empty(2, 2, kind)
    frame.set_rgb(np.zeros((2, 2, 3), np.uint8))
    assert (frame.y == (0 if full else 16)).all()
    frame.set_rgb(np.full((2, 2, 3), 255, np.uint8))
    assert (frame.y == (255 if full else 235)).all()
