"""Large frames are done at a half or a quarter of their size, and show the same."""

from __future__ import annotations

import numpy as np
import pytest

from undark.pixels.curves import SAMPLES, sample_points
from undark.pixels.halves import Details, Known, halved, halvings
from undark.pixels.lit import CurvesOnPlanes, Tone, relight_planes
from undark.pixels.planes import Colours, Planes

KIND = Colours()


def frame(height: int, width: int, halved: tuple[int, int] = (2, 2)) -> Planes:
    small = (height // halved[0], width // halved[1])
    y, u, v = (np.full(shape, 128, np.uint8) for shape in ((height, width), small, small))
    return Planes(y, u, v, KIND)


@pytest.mark.parametrize(
    ("shape", "chroma", "times"),
    [
        ((360, 640), (2, 2), 0),
        ((720, 1280), (2, 2), 1),
        ((1080, 1920), (2, 2), 2),
        ((1080, 1920), (1, 2), 0),
        ((1082, 1922), (2, 2), 0),
        ((2160, 3840), (2, 2), 2),
    ],
)
def test_how_often(shape: tuple[int, int], chroma: tuple[int, int], times: int) -> None:
    assert halvings(frame(*shape, chroma)) == times


def test_details_and_edges_are_those_of_the_full_size() -> None:
    """Text of one pixel, a bright lamp and a coloured sign, relit at a quarter and in full."""
    source = frame(240, 320)
    random = np.random.default_rng(3)
    source.y[:] = 30
    source.y[40:80, 40:280] += (random.random((40, 240)) < 0.3).astype(np.uint8) * 14
    source.y[120:170, 60:110] = 200
    source.u[60:100, 100:140], source.v[60:100, 100:140] = 118, 145
    light = CurvesOnPlanes(np.repeat(sample_points(SAMPLES)[None] ** 0.45, 3, axis=0))
    deep = source.deep()
    tone = Tone.of(light, deep.colours)
    ideal, found = source.blank_copy(), source.blank_copy()
    relight_planes(deep, ideal, light, tone)
    half = halved(deep)
    quarter = halved(half)
    middle, small = half.blank_copy(), quarter.blank_copy()
    relight_planes(quarter, small, light, tone)
    Details(0.0).carry(half, quarter, small, middle, tone=tone, known=Known(cut=True))
    Details(0.0).carry(deep, half, middle, found, tone=tone, known=Known(cut=True))
    for mine, its in ((found.y, ideal.y), (found.u, ideal.u), (found.v, ideal.v)):
        off = np.abs(mine.astype(int) - its.astype(int))
        assert off.mean() < 1.0
        assert np.quantile(off, 0.99) < 12
    # No halo around the lamp: the wall a few pixels away is the wall.
    ring = found.y[110:180, 50:120].astype(int) - ideal.y[110:180, 50:120]
    assert abs(ring[2:6].mean()) < 2.0
