"""Light done to planes: what it does to RGB, whatever the colours, sizes and depths."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from undark.photo import from_float, to_float
from undark.pixels import tone
from undark.pixels.colour import linear_to_srgb, srgb_to_linear
from undark.pixels.curves import SAMPLES, look_up, sample_points
from undark.pixels.grid import LEVELS, PLACES, Guide, mean_light, read_grid
from undark.pixels.lighting import light_up
from undark.pixels.lit import CurvesOnPlanes, GridOnPlanes, PlaneLight, Tone, relight_planes
from undark.pixels.planes import Colours, Planes
from video_files import scene

BT601, BT709, BT2020 = (0.299, 0.114), (0.2126, 0.0722), (0.2627, 0.0593)
SIDE = 32
# Orange, yellow, skin, amber, a red, a green, a blue, violet, grey: as light day shows them.
PATCHES = np.array(
    [
        *((205, 104, 37), (203, 201, 37), (224, 172, 140), (201, 152, 60), (200, 30, 40)),
        *((40, 170, 60), (40, 60, 200), (150, 60, 180), (128, 128, 128)),
    ],
    np.uint8,
)

colours = st.builds(
    lambda weights, full, depth: Colours(*weights, full, depth),
    st.sampled_from([BT601, BT709, BT2020]),
    st.booleans(),
    st.sampled_from([8, 10, 12, 16]),
)
halvings = st.sampled_from([(1, 1), (1, 2), (2, 2)])


def empty(height: int, width: int, kind: Colours, halved: tuple[int, int]) -> Planes:
    small = (-(-height // halved[0]), -(-width // halved[1]))
    y, u, v = (np.zeros(shape, kind.dtype) for shape in ((height, width), small, small))
    return Planes(y, u, v, kind)


def curves(stops: float) -> NDArray[np.float32]:
    """Curves of that many EV; red a little more, blue a little less."""
    points = np.repeat(sample_points(SAMPLES)[None, :, None], 3, axis=2)
    lifted = tone.exposure(points, stops)[0].T
    return np.stack([lifted[0] ** 0.97, lifted[1], lifted[2] ** 1.03]).astype(np.float32)


def placed(mean: float) -> GridOnPlanes:
    """Four EV on the left, three on the right, a little less where it is bright."""
    by_level = np.linspace(0.0, -0.5, LEVELS, dtype=np.float32)[:, None, None]
    by_place = np.linspace(4.0, 3.0, PLACES, dtype=np.float32)[None, None, :]
    grid = np.broadcast_to(by_level + by_place, (LEVELS, PLACES, PLACES)).copy()
    colour = np.array([[1.05, -0.03, -0.02], [0.0, 1.0, 0.0], [0.0, -0.04, 1.04]], np.float32)
    return GridOnPlanes(grid, colour, np.full(3, 2e-4, np.float32), mean)


def night() -> NDArray[np.uint8]:
    """The patches four stops under, in a row."""
    wide = PATCHES.repeat(SIDE, axis=0)[None].repeat(2 * SIDE, axis=0)
    dark = linear_to_srgb(srgb_to_linear(to_float(wide)) / np.float32(16.0))
    return from_float(dark, np.dtype(np.uint8))


def lit(source: Planes, light: PlaneLight) -> NDArray[np.float32]:
    target = source.blank_copy()
    deep = source.deep()
    relight_planes(deep, target, light, Tone.of(light, deep.colours))
    return to_float(target.rgb())


def wanted(pixels: NDArray[np.float32], light: PlaneLight) -> NDArray[np.float32]:
    """What the same light does to RGB, as photos get it."""
    if isinstance(light, CurvesOnPlanes):
        return look_up(pixels, light.curves)
    assert isinstance(light, GridOnPlanes)
    guide = Guide.of(pixels, light.mean).read(pixels)
    return light_up(pixels, read_grid(light.grid, guide), light.colour, light.black)


@pytest.mark.parametrize("kind", [Colours(*BT709), Colours(*BT601, True)])
@pytest.mark.parametrize("name", ["curves", "placed"])
def test_saturated_patches_get_the_colours_of_rgb(kind: Colours, name: str) -> None:
    """Four stops under, in 4:2:0: within 6 levels of 255 in the mean, and 12 at most."""
    pixels = night()
    source = empty(*pixels.shape[:2], kind, (2, 2))
    source.set_rgb(pixels)
    light = (
        CurvesOnPlanes(curves(4.0)) if name == "curves" else placed(mean_light(to_float(pixels)))
    )
    found, ideal = lit(source, light), wanted(to_float(source.rgb()), light)
    middles = np.arange(len(PATCHES)) * SIDE + SIDE // 2
    inner = slice(SIDE, SIDE + 8)
    off = (
        np.abs(
            np.stack([found[inner, m : m + 4].mean((0, 1)) for m in middles])
            - np.stack([ideal[inner, m : m + 4].mean((0, 1)) for m in middles])
        )
        * 255
    )
    assert off.mean() < 6.0, off
    assert off.max() < 12.0, off
    # And it is light: the patches are far from black, and far from grey.
    assert found.mean() > 2.5 * to_float(pixels).mean()
    assert np.ptp(found[SIDE, SIDE // 2]) > 0.35


@given(colours, halvings, st.floats(0.3, 2.0))
@settings(max_examples=25, deadline=None)
def test_curves_do_to_planes_what_they_do_to_rgb(
    kind: Colours, halved: tuple[int, int], stops: float
) -> None:
    source = empty(64, 96, kind, halved)
    source.set_rgb(scene(40))
    light = CurvesOnPlanes(curves(stops))
    off = (lit(source, light) - wanted(to_float(source.rgb()), light)) * 255
    assert np.abs(off).mean() < 1.5
    assert np.quantile(np.abs(off), 0.999) < 5.0
    # No colour cast: what the curves do on average is done.
    assert np.abs(off.mean(axis=(0, 1))).max() < 1.0


@given(colours, halvings)
@settings(max_examples=25, deadline=None)
def test_light_by_place_does_to_planes_what_it_does_to_photos(
    kind: Colours, halved: tuple[int, int]
) -> None:
    pixels = scene(14, size=(192, 128))
    source = empty(128, 192, kind, halved)
    source.set_rgb(pixels)
    light = placed(mean_light(to_float(pixels)))
    off = (lit(source, light) - wanted(to_float(source.rgb()), light)) * 255
    assert np.abs(off).mean() < 3.0
    assert np.quantile(np.abs(off), 0.99) < 12.0


@pytest.mark.parametrize("depth", [8, 10])
def test_beside_a_colour_that_no_screen_shows_nothing_burns(depth: int) -> None:
    """Blue whose luma is below black, as of LED lamps, beside olive: the edge stays within both."""
    kind = Colours(*BT709, depth=depth)
    source, scale = empty(64, 128, kind, (2, 2)), 1 << (depth - 8)
    for plane, (olive, blue) in zip(
        (source.y, source.u, source.v), ((110, 4), (60, 235), (150, 90)), strict=True
    ):
        plane[:] = olive * scale
        plane[:, plane.shape[1] // 2 :] = blue * scale
    found = lit(source, placed(0.05)).astype(float).max(axis=-1)
    inside = found[20:40, 20:40].mean()
    assert found[:, 56:64].max() < inside + 0.03
    assert inside > 0.4


@given(colours)
@settings(max_examples=12, deadline=None)
def test_greys_come_out_exactly(kind: Colours) -> None:
    source = empty(16, 64, kind, (2, 2))
    levels = np.linspace(0.02, 1.0, 32).repeat(2)
    source.y[:] = np.rint(kind.black + levels * kind.luma_span).astype(kind.dtype)
    source.u[:] = source.v[:] = kind.middle
    target = source.blank_copy()
    neutral = CurvesOnPlanes(np.repeat(curves(1.5)[1:2], 3, axis=0))
    deep = source.deep()
    relight_planes(deep, target, neutral, Tone.of(neutral, deep.colours))
    shown = (source.y[0].astype(np.float32) - kind.black) / kind.luma_span
    ideal = look_up(np.repeat(shown[None, :, None], 3, axis=2), neutral.curves)[0, :, 0]
    found = (target.y[0].astype(float) - kind.black) / kind.luma_span
    assert np.abs(found - ideal).max() <= 0.6 / kind.luma_span + 2e-4
    assert np.abs(target.u.astype(int) - kind.middle).max() <= 1 << max(kind.depth - 12, 0)
    assert np.abs(target.v.astype(int) - kind.middle).max() <= 1 << max(kind.depth - 12, 0)


def test_nothing_leaves_the_range() -> None:
    kind = Colours(*BT709, False, 10)
    random = np.random.default_rng(2)
    source = empty(64, 64, kind, (2, 2))
    for plane in (source.y, source.u, source.v):
        plane[:] = random.integers(0, 1024, plane.shape)
    target = source.blank_copy()
    deep = source.deep()
    light = CurvesOnPlanes(curves(4.0))
    relight_planes(deep, target, light, Tone.of(light, deep.colours))
    for plane in (target.y, target.u, target.v):
        assert plane.max() <= 1023


def test_a_tone_is_kept_while_the_light_stays() -> None:
    kind = Colours(*BT709, False, 16)
    first = Tone.of(CurvesOnPlanes(curves(2.0)), kind)
    assert Tone.of(CurvesOnPlanes(curves(2.0)), kind, first) is first
    assert Tone.of(CurvesOnPlanes(curves(2.1)), kind, first) is not first
    assert Tone.of(placed(0.02), kind, first) is not first
