"""How the modes steer video, and what several videos share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from undark import Enhancer, VideoEnhancer
from undark.adjust import Adjust
from undark.errors import UsageError
from undark.modes.relight import Relight
from video_files import grainy, scene

OPTIONS = {"runtime": "onnxruntime", "device": "cpu", "threads": 1}
DIM = scene(14)


def test_relight_decides_for_video_now_and_then_and_its_light_is_steady(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[float] = []
    used: list[np.ndarray] = []
    decide, bands = Relight.decide, Relight.bands

    def counted(self, graph, glance, adjust):
        asked.append(adjust.exposure)
        return decide(self, graph, glance, adjust)

    def seen(self, graph, photo, adjust, progress, *, light=None):
        used.append((light or decide(self, graph, self.look(photo), adjust)).grid)
        return bands(self, graph, photo, adjust, progress, light=light)

    monkeypatch.setattr(Relight, "decide", counted)
    monkeypatch.setattr(Relight, "bands", seen)
    levels = 14 * (1 + 0.05 * np.sin(np.arange(24) * 2.1))
    frames = [scene(level) for level in levels]
    video = VideoEnhancer("relight", quality="best", fps=30, exposure=0.5, **OPTIONS)
    assert not video.is_fast
    steady = [video.enhance_frame(frame).mean() for frame in frames]
    assert asked == [0.5] * 2  # at the first frame, and 0.4 s later
    together = np.array(used)
    used.clear()
    alone = Enhancer("relight", **OPTIONS)
    each = [alone.enhance(frame, exposure=0.5).mean() for frame in frames]
    assert steady[0] == pytest.approx(each[0], abs=0.5)
    moves, jumps = (np.abs(np.diff(grids, axis=0)).mean() for grids in (together, np.array(used)))
    assert moves < 0.5 * jumps


def test_an_enhancer_is_shared_and_forks_have_seen_nothing(curve_model: Path) -> None:
    enhancer = Enhancer(curve_model, **OPTIONS)
    first = VideoEnhancer(enhancer, exposure=0.5, denoise=0.5, fps=25)
    expected = first.enhance_frame(DIM)
    for frame in grainy(scene(60), 5, sigma=3.0):
        first.enhance_frame(frame)
    other = first.fork()
    np.testing.assert_array_equal(other.enhance_frame(DIM), expected)
    assert repr(other) == repr(first)
    assert enhancer.card.name in repr(other)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_frame_that_holds_no_numbers_is_refused(curve_model: Path, value: float) -> None:
    frame = scene(14).astype(np.float32) / 255
    frame[0, 0, 0] = value
    with pytest.raises(UsageError, match="a frame must hold numbers"):
        VideoEnhancer(curve_model, **OPTIONS).enhance_frame(frame)


def test_options_are_checked_as_for_photos(curve_model: Path) -> None:
    for options in ({"strength": 1.1}, {"exposure": 5.0}, {"denoise": -0.1}):
        (name,) = options
        with pytest.raises(UsageError, match=f"{name} must be between"):
            VideoEnhancer(curve_model, **options, **OPTIONS)
    plain = VideoEnhancer(curve_model, strength=0.5, denoise=0.5, **OPTIONS)
    same = VideoEnhancer(curve_model, adjust=Adjust(strength=0.5, denoise=0.5), **OPTIONS)
    np.testing.assert_array_equal(plain.enhance_frame(DIM), same.enhance_frame(DIM))
