"""Steadiness: what is decided from frame to frame, and noise over time."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from small_models import make_model
from undark import Enhancer, VideoEnhancer
from undark.engine.frames import Quality
from undark.engine.temporal import TemporalSmoother
from undark.pixels.averaging import Averager
from video_files import grainy, scene

__all__ = ["make_model"]

FPS = 30


@pytest.fixture
def video(curve_model: Path) -> VideoEnhancer:
    return VideoEnhancer(curve_model, fps=FPS, runtime="onnxruntime", threads=1)


def through(video: VideoEnhancer, frames: Iterable[np.ndarray]) -> list[np.ndarray]:
    return [video.enhance_frame(frame) for frame in frames]


def changes(frames: Iterable[np.ndarray]) -> float:
    """The mean change of the mean level from a frame to the next."""
    return float(np.abs(np.diff([frame.mean() for frame in frames])).mean())


def test_a_static_noisy_clip_flickers_no_more_than_under_a_fixed_gain(curve_model: Path) -> None:
    video = VideoEnhancer(curve_model, denoise=0.0, fps=FPS, runtime="onnxruntime", threads=1)
    source = list(grainy(scene(12), 60, sigma=4.0))
    result = through(video, source)
    # The curves of the first frame, done to all: a gain that is fixed.
    held = [
        np.stack([_table(source[0], result[0], i)[frame[..., i]] for i in range(3)], axis=-1)
        for frame in source
    ]
    assert np.abs(held[0] - result[0]).mean() < 2.0
    assert result[0].mean() > 3 * source[0].mean()
    assert changes(result) <= 1.2 * changes(held)


def _table(source: np.ndarray, result: np.ndarray, channel: int) -> np.ndarray:
    """What one frame shows that its levels become; those it lacks lie between."""
    known, where = np.unique(source[..., channel], return_index=True)
    return np.interp(np.arange(256), known, result[..., channel].ravel()[where])


def test_per_frame_decisions_would_flicker_more(video: VideoEnhancer, curve_model: Path) -> None:
    """Light that trembles a little: each frame by itself follows it, the clip does not."""
    random = np.random.default_rng(4)
    levels = 14 + random.normal(0, 1.0, 60)
    source = [scene(level) for level in levels]
    alone = Enhancer(curve_model, runtime="onnxruntime", threads=1)
    # A dark frame is lifted more, so that the exponent of each frame by itself differs.
    gains = [alone(frame).mean() / frame.mean() for frame in source]
    steady = [b.mean() / a.mean() for a, b in zip(source, through(video, source), strict=True)]
    assert np.std(np.diff(steady)) < 1.05 * np.std(np.diff(gains))


def test_a_lamp_that_passes_does_not_make_the_rest_pump(video: VideoEnhancer) -> None:
    room = scene(14)
    frames = []
    for number in range(90):
        frame = room.copy()
        left = (number - 20) * 3
        if 0 <= left < 90:
            frame[10:40, left : left + 22] = 250
        frames.append(frame)
    result = through(video, frames)
    # Rows that the lamp never touches.
    level = np.array([frame[48:].mean() for frame in result])
    assert np.abs(level / level[0] - 1).max() < 0.10
    assert np.abs(np.diff(level)).max() < 1.0
    # By itself, a frame with the lamp would be lifted far less.
    video.reset()
    alone = video.enhance_frame(frames[40])[48:].mean()
    assert alone < 0.85 * level[0]


@pytest.mark.parametrize(("before", "after"), [(40, 10), (10, 40)])
def test_a_change_of_light_is_followed_within_half_a_second(
    video: VideoEnhancer, before: float, after: float
) -> None:
    frames = [scene(before)] * FPS + [scene(after)] * FPS
    result = through(video, frames)
    video.reset()
    wanted = video.enhance_frame(scene(after)).mean()
    first, half = result[FPS].mean(), result[FPS + FPS // 2].mean()
    # Not at once, for that would be a flash, but soon and for good.
    assert abs(np.log(first / wanted)) > 2 * abs(np.log(half / wanted))
    assert abs(np.log(half / wanted)) < 0.1 * abs(np.log(result[0].mean() / wanted)) + 0.02


def test_a_slow_fade_is_followed(video: VideoEnhancer) -> None:
    frames = [scene(level) for level in np.linspace(40, 8, 4 * FPS)]
    result = through(video, frames)
    video.reset()
    assert result[-1].mean() == pytest.approx(video.enhance_frame(frames[-1]).mean(), rel=0.12)


def test_a_cut_begins_anew_at_once(video: VideoEnhancer) -> None:
    night = scene(9)
    blocks = np.random.default_rng(8).integers(30, 220, (8, 12, 3))
    day = np.kron(blocks, np.ones((8, 8, 1))).astype(np.uint8)
    result = through(video, [night] * 10 + [day] * 10 + [night] * 5)
    for index, picture in ((10, day), (20, night)):
        video.reset()
        np.testing.assert_array_equal(result[index], video.enhance_frame(picture))


def test_noise_is_no_cut() -> None:
    steady = TemporalSmoother()
    for number, frame in enumerate(grainy(scene(10, size=(128, 128)), 30, sigma=8.0)):
        glance = frame.reshape(64, 2, 64, 2, 3).mean(axis=(1, 3)) / 255
        steady.see(glance.astype(np.float32), number / FPS)
        assert steady.cut == (number == 0)


def test_what_is_followed_does_not_depend_on_the_frame_rate() -> None:
    reached = []
    for fps in (10, 25, 60):
        steady = TemporalSmoother()
        for number in range(int(0.3 * fps) + 1):
            steady.see(np.full((8, 8, 3), 0.05 if number == 0 else 0.2, np.float32), number / fps)
            value = steady.follow(np.full(1, 4.0 if number == 0 else 1.0, np.float32))
        reached.append(float(value[0]))
    assert max(reached) < 1.15 * min(reached)


def test_time_that_stands_still_or_runs_back_is_survived(video: VideoEnhancer) -> None:
    for time in (0.0, 0.0, 5.0, 1.0, 1e9, -3.0):
        result = video.enhance_frame(scene(12), time=time)
        assert result.mean() > 30


def test_a_model_that_gives_no_curves_is_steadied_too(make_model) -> None:
    """It brightens by 3 - 2·mean of what it sees, and each frame differs a little."""
    path = make_model()
    video = VideoEnhancer(path, fps=FPS, runtime="onnxruntime", threads=1)
    assert not video.is_fast
    random = np.random.default_rng(5)
    frames = []
    for _ in range(24):
        frame = scene(40)
        # A patch that comes and goes sways the model's decision.
        frame[:20, :30] = random.integers(0, 255)
        frames.append(frame)
    alone = Enhancer(path, runtime="onnxruntime", threads=1)

    def sway(results: list[np.ndarray]) -> float:
        rest = [result[30:].mean() for result in results]
        return float(np.abs(np.diff(rest)).mean())

    assert sway(through(video, frames)) < 0.5 * sway([alone(frame) for frame in frames])


def test_noise_is_averaged_where_nothing_moves(curve_model: Path) -> None:
    source = list(grainy(scene(14), 30, sigma=4.0))
    options = {"fps": FPS, "runtime": "onnxruntime", "threads": 1}
    plain = through(VideoEnhancer(curve_model, denoise=0.0, **options), source)  # type: ignore[arg-type]
    clean = through(VideoEnhancer(curve_model, denoise=1.0, **options), source)  # type: ignore[arg-type]
    half = through(VideoEnhancer(curve_model, denoise=0.5, **options), source)  # type: ignore[arg-type]

    def grain(frames: list[np.ndarray]) -> float:
        return float(np.std(np.diff(np.stack(frames[-4:]).astype(float), axis=0)))

    assert grain(clean) < 0.35 * grain(plain)
    assert grain(clean) < grain(half) < grain(plain)
    # It shows the same picture.
    assert np.mean(clean[-1]) == pytest.approx(np.mean(plain[-1]), rel=0.1)


@pytest.mark.parametrize("bright", [False, True])
def test_what_moves_leaves_no_ghost(bright: bool) -> None:
    """A square crosses a grainy wall: where it has been, there is wall."""
    random = np.random.default_rng(6)
    averager = Averager()
    wall, square = (20.0, 60.0) if bright else (40.0, 14.0)
    height, width = 80, 160
    trails = []
    for number in range(40):
        clean = np.full((height, width), wall)
        left = number * 4 - 20
        clean[30:50, max(left, 0) : max(left + 20, 0)] = square
        frame = (clean + random.normal(0, 3, clean.shape)).clip(0, 255).round()
        small = np.full((height // 2, width // 2), 128.0)
        result = averager.average(
            [frame.astype(np.uint8), small.astype(np.uint8), small.astype(np.uint8)],
            black=16.0,
            span=219.0,
        ).planes[0]
        if left > 40:
            trails.append(float(result[32:48, left - 24 : left - 8].mean() - wall))
            # The square itself is where it is, not behind.
            assert abs(result[34:46, left + 4 : left + 16].mean() - square) < 3.0
    assert np.abs(trails).max() < 0.06 * abs(square - wall)


def test_bright_parts_are_left_as_they_are() -> None:
    averager = Averager()
    random = np.random.default_rng(7)
    share = np.where(np.arange(256) < 128, 1.0, 0.0).astype(np.float32)
    for _ in range(5):
        frame = random.integers(200, 220, (32, 32), dtype=np.uint8)
        result = averager.average([frame], black=16.0, span=219.0, share=share).planes[0]
    np.testing.assert_allclose(result, frame, atol=1e-3)


def test_a_moving_camera_smears_nothing() -> None:
    """All of a textured, grainy scene moves: the result is no farther from it than the source."""
    random = np.random.default_rng(9)
    texture = np.kron(random.uniform(20, 46, (10, 27)), np.ones((12, 12)))
    averager = Averager()
    for number in range(25):
        clean = texture[:, 3 * number : 3 * number + 200]
        frame = (clean + random.normal(0, 2, clean.shape)).clip(0, 255).round().astype(np.uint8)
        result = averager.average([frame], black=16.0, span=219.0).planes[0]
        if number > 2:
            assert np.square(result - clean).mean() < 1.1 * np.square(frame - clean).mean()


@pytest.mark.parametrize("quality", ["fast", "balanced", "best"])
def test_a_dark_ramp_does_not_become_bands(quality: Quality) -> None:
    """33 levels, each 20 pixels wide, of which light makes 13 or more apart."""
    levels = np.linspace(0, 32, 640).round().astype(np.uint8)
    ramp = np.repeat(np.repeat(levels[None, :, None], 120, axis=0), 3, axis=2)
    video = VideoEnhancer("curve", quality=quality, runtime="onnxruntime", threads=1)
    for _ in range(3):
        result = video.enhance_frame(ramp).astype(float).mean(axis=2)
    gain = np.ptp(result.mean(axis=0)) / 32
    assert gain > 4.0
    # Columns, less their grain: what is one sample in the source is many small steps.
    columns = result[:, 20:-20].mean(axis=0)
    assert np.abs(np.diff(columns)).max() < 0.35 * gain
    assert result[:, 20:-20].std(axis=0).max() < gain
    np.testing.assert_array_equal(video.enhance_frame(ramp), video.enhance_frame(ramp))
