"""Frames as they are stored: what they show, and curves done to them without RGB."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from undark.pixels import tone
from undark.pixels.curves import SAMPLES, look_up, sample_points
from undark.pixels.planes import Colours, Planes, PlaneTables, relight_planes
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


def curves(stops: float) -> np.ndarray:
    """Curves of that many EV; red a little more, blue a little less."""
    points = np.repeat(sample_points(SAMPLES)[None, :, None], 3, axis=2)
    lifted = tone.exposure(points, stops)[0].T
    return np.stack([lifted[0] ** 0.97, lifted[1], lifted[2] ** 1.03]).astype(np.float32)


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


@given(colours, st.sampled_from([(1, 1), (1, 2), (2, 2)]), st.floats(0.3, 2.0))
@settings(max_examples=40, deadline=None)
def test_curves_do_to_planes_what_they_do_to_rgb(
    kind: Colours, halved: tuple[int, int], stops: float
) -> None:
    """For colours that no channel of which clips: 2 levels of 255 in the mean, 7 at most."""
    source, target = (empty(64, 96, kind, halved) for _ in range(2))
    pixels = scene(40)
    source.set_rgb(pixels)
    relight_planes(source, target, PlaneTables.of(curves(stops), kind))
    found = target.rgb()
    wanted = look_up((unit(source.rgb())).astype(np.float32), curves(stops))
    difference = np.abs(unit(found) - wanted) * 255
    assert difference.mean() < 2.0
    assert np.quantile(difference, 0.999) < 7.0
    # No colour cast: what the curves do on average is done.
    cast = (unit(found) - wanted).mean(axis=(0, 1)) * 255
    assert np.abs(cast).max() < 2.0


@given(colours)
@settings(max_examples=12, deadline=None)
def test_greys_come_out_exactly(kind: Colours) -> None:
    source, target = (empty(16, 64, kind) for _ in range(2))
    levels = np.linspace(0.02, 1.0, 64)
    source.y[:] = np.rint(kind.black + levels * kind.luma_span).astype(kind.dtype)
    source.u[:] = source.v[:] = kind.middle
    neutral = np.repeat(curves(1.5)[1:2], 3, axis=0)
    relight_planes(source, target, PlaneTables.of(neutral, kind))
    shown = (source.y[0].astype(np.float32) - kind.black) / kind.luma_span
    wanted = look_up(np.repeat(shown[None, :, None], 3, axis=2), neutral)[0, :, 0]
    found = (target.y[0].astype(float) - kind.black) / kind.luma_span
    assert np.abs(found - wanted).max() <= 0.51 / kind.luma_span + 1e-6
    assert (target.u == kind.middle).all()
    assert (target.v == kind.middle).all()


def test_nothing_leaves_the_range() -> None:
    kind = Colours(*BT709, False, 10)
    random = np.random.default_rng(2)
    source, target = (empty(64, 64, kind) for _ in range(2))
    for plane in (source.y, source.u, source.v):
        plane[:] = random.integers(0, 1024, plane.shape)
    relight_planes(source, target, PlaneTables.of(curves(4.0), kind))
    for plane in (target.y, target.u, target.v):
        assert plane.max() <= 1023


def test_deeper_samples_show_the_same() -> None:
    kind = Colours(*BT601)
    frame = empty(64, 96, kind)
    frame.set_rgb(scene(60))
    deep = frame.deeper([plane.astype(np.float32) for plane in (frame.y, frame.u, frame.v)])
    assert deep.colours.depth == 16
    assert np.abs(unit(deep.rgb()) - unit(frame.rgb())).max() < 0.6 / 255
    # And are relit to the same, in the depth asked for.
    once, twice = empty(64, 96, kind), empty(64, 96, kind)
    relight_planes(frame, once, PlaneTables.of(curves(2.0), kind))
    relight_planes(deep, twice, PlaneTables.of(curves(2.0), deep.colours, kind))
    for a, b in ((once.y, twice.y), (once.u, twice.u), (once.v, twice.v)):
        assert np.abs(a.astype(int) - b).max() <= 1


@pytest.mark.parametrize("full", [False, True])
def test_full_range_is_not_limited_range(full: bool) -> None:
    kind = Colours(*BT709, full)
    frame = empty(2, 2, kind)
    frame.set_rgb(np.zeros((2, 2, 3), np.uint8))
    assert (frame.y == (0 if full else 16)).all()
    frame.set_rgb(np.full((2, 2, 3), 255, np.uint8))
    assert (frame.y == (255 if full else 235)).all()
