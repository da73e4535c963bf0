"""How clips look: clean without ghosts, steady without pumping, in three qualities."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from undark import Enhancer, VideoEnhancer
from undark.engine.frames import QUALITIES, Quality
from undark.errors import UsageError
from undark.io.video.planes import planes_of
from undark.pixels.colour import linear_to_srgb, srgb_to_linear
from undark.pixels.planes import Colours, Planes
from video_files import grainy, scene, write_video

OPTIONS = {"runtime": "onnxruntime", "threads": 1}
SIZE = (320, 180)


def as_planes(pixels: NDArray[np.uint8]) -> Planes:
    """A frame as decoders give it: 4:2:0 of 8 bits."""
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
    frame.pts, frame.time_base = 0, Fraction(1, 25)
    planes = planes_of(frame.reformat(format="yuv420p"))
    return Planes(planes.y.copy(), planes.u.copy(), planes.v.copy(), planes.colours)


def through(video: VideoEnhancer, frames: list[NDArray[np.uint8]]) -> list[NDArray[np.uint8]]:
    results = []
    for number, frame in enumerate(frames):
        source = as_planes(frame)
        target = source.blank_copy()
        video.enhance_planes(source, target, time=number / 25)
        results.append(target.rgb())
    return results


def grain(frame: NDArray[np.uint8]) -> float:
    """Deviation of luma within blocks of a picture that has no texture."""
    luma = frame.astype(float).mean(axis=2)
    rows, columns = luma.shape[0] // 8, luma.shape[1] // 8
    blocks = luma[: rows * 8, : columns * 8].reshape(rows, 8, columns, 8)
    return float(np.median(blocks.std(axis=(1, 3))))


@pytest.mark.parametrize("model", ["relight", "curve"])
def test_noise_is_cleaned_by_default_and_not_where_it_is_asked_to_stay(model: str) -> None:
    source = list(grainy(scene(18, size=SIZE), 12, sigma=3.0))
    balanced = through(VideoEnhancer(model, **OPTIONS), source)  # type: ignore[arg-type]
    asked = through(VideoEnhancer(model, denoise=0.0, **OPTIONS), source)  # type: ignore[arg-type]
    fast = through(VideoEnhancer(model, quality="fast", **OPTIONS), source)  # type: ignore[arg-type]
    noisy = grain(asked[-1])
    assert noisy > 2 * grain(source[-1])
    assert grain(balanced[-1]) < 0.4 * noisy
    assert grain(balanced[-1]) < 1.5 * grain(source[-1])
    assert grain(fast[-1]) == pytest.approx(noisy, rel=0.05)
    # It is the same picture.
    assert np.mean(balanced[-1]) == pytest.approx(np.mean(asked[-1]), rel=0.06)


def test_what_moves_leaves_no_trail_nor_does_it_smear() -> None:
    """A square crosses a wall, four stops under: behind it there is wall, and its edge is sharp."""
    random = np.random.default_rng(6)
    wall, square, frames = 24.0, 44.0, []
    for number in range(16):
        clean = np.full((180, 320, 3), wall)
        left = 20 + 12 * number
        clean[60:120, left : left + 50] = square
        frames.append((clean + random.normal(0, 2.5, clean.shape)).clip(0, 255).astype(np.uint8))
    result = through(VideoEnhancer(**OPTIONS), frames)[-1].astype(float).mean(axis=2)  # type: ignore[arg-type]
    left = 20 + 12 * 15
    there, around = result[70:110, left + 10 : left + 40].mean(), result[130:170].mean()
    trail = result[70:110, left - 40 : left - 8].mean()
    assert abs(trail - around) < 0.08 * (there - around)
    edge = result[70:110, left - 6 : left + 7].mean(axis=0)
    assert edge[:4].mean() < around + 0.2 * (there - around)
    assert edge[-4:].mean() > there - 0.2 * (there - around)


def test_texture_survives_a_moving_camera() -> None:
    random = np.random.default_rng(9)
    texture = np.kron(random.uniform(14, 40, (20, 47)), np.ones((12, 12)))[..., None].repeat(3, 2)
    views = [texture[20:200, 5 * k : 5 * k + 320] for k in range(14)]
    frames = [(v + random.normal(0, 2, v.shape)).clip(0, 255).astype(np.uint8) for v in views]
    still = [v.clip(0, 255).astype(np.uint8) for v in views]
    cleaned = through(VideoEnhancer(**OPTIONS), frames)[-1].astype(float)  # type: ignore[arg-type]
    ideal = through(VideoEnhancer(denoise=0.0, **OPTIONS), still)[-1].astype(float)  # type: ignore[arg-type]
    middle = (slice(16, -16), slice(16, -16))
    contrast = cleaned[middle].std() / ideal[middle].std()
    assert 0.85 < contrast < 1.1
    assert np.corrcoef(cleaned[middle].ravel(), ideal[middle].ravel())[0, 1] > 0.95


@pytest.mark.parametrize("quality", ["fast", "balanced"])
def test_a_static_clip_does_not_pump(quality: Quality) -> None:
    source = list(grainy(scene(16, size=SIZE), 40, sigma=3.0))
    levels = [f.mean() for f in through(VideoEnhancer(quality=quality, **OPTIONS), source)]  # type: ignore[arg-type]
    assert np.ptp(levels[2:]) < 1.5
    assert np.abs(np.diff(levels[2:])).max() < 0.6


def test_a_cut_leaves_nothing_of_the_scene_before() -> None:
    night = list(grainy(scene(12, size=SIZE), 6, sigma=2.0))
    blocks = np.random.default_rng(8).integers(20, 120, (9, 16, 3))
    other = np.kron(blocks, np.ones((20, 20, 1))).astype(np.uint8)
    video = VideoEnhancer(**OPTIONS)  # type: ignore[arg-type]
    result = through(video, [*night, other])[-1]
    video.reset()
    np.testing.assert_array_equal(result, through(video, [other])[0])


def test_the_best_restores_each_frame() -> None:
    source = list(grainy(scene(16, size=(160, 96)), 3, sigma=3.0))
    best = VideoEnhancer(quality="best", **OPTIONS)  # type: ignore[arg-type]
    assert not best.is_fast
    assert VideoEnhancer(**OPTIONS).is_fast  # type: ignore[arg-type]
    fast = VideoEnhancer(quality="fast", **OPTIONS)  # type: ignore[arg-type]
    assert grain(through(best, source)[-1]) < 0.5 * grain(through(fast, source)[-1])


def test_another_quality_is_refused() -> None:
    with pytest.raises(UsageError, match="quality must be one of fast, balanced, best"):
        VideoEnhancer(quality="good")  # type: ignore[arg-type]
    assert QUALITIES == ("fast", "balanced", "best")


def test_large_frames_show_what_small_ones_do(curve_model: Path) -> None:
    """1280×720 is done at half its size: the same levels and colours, and details stay."""
    picture = scene(20, size=(1280, 720)).copy()
    picture[300:420:4, 400:900] = 48
    small = picture[::2, ::2]
    large_result, small_result = (
        through(VideoEnhancer(curve_model, denoise=0.0, **OPTIONS), [item])[0]  # type: ignore[arg-type]
        for item in (picture, small)
    )
    reduced = large_result[:280].reshape(140, 2, 640, 2, 3).mean(axis=(1, 3))
    assert np.abs(reduced - small_result[:140]).mean() < 2.0
    lines = large_result[300:420, 500:800].mean(axis=(1, 2))
    assert lines[::4].mean() > 1.3 * lines[2::4].mean()


def test_ten_bits_stay_ten_bits() -> None:
    kind = Colours(depth=10)
    ramp = np.repeat(np.linspace(64, 160, 320).round().astype(np.uint16)[None], 180, axis=0)
    half = np.full((90, 160), 512, np.uint16)
    source = Planes(ramp, half, half, kind)
    target = source.blank_copy()
    VideoEnhancer(quality="fast", **OPTIONS).enhance_planes(source, target, time=0.0)  # type: ignore[arg-type]
    assert len(np.unique(target.y)) > 256
    assert target.y.max() <= 1023


@pytest.mark.parametrize(("quality", "stops"), [("fast", 4.5), ("balanced", 6.0), ("best", 6.0)])
def test_a_very_dark_clip_is_as_bright_as_its_photos(
    tmp_path: Path, quality: Quality, stops: float
) -> None:
    random = np.random.default_rng(5)
    light = srgb_to_linear(scene(110.0, size=(192, 128)).astype(np.float32) / 255) / 2.0**stops

    def frames() -> Iterator[NDArray[np.uint8]]:
        for _ in range(8):
            noise = random.normal(0.0, 1.0, light.shape) * np.sqrt(light * 2e-4 + 2e-6)
            noisy = np.clip(light + noise, 0.0, 1.0).astype(np.float32)
            yield np.rint(linear_to_srgb(noisy) * 255).astype(np.uint8)

    clip = write_video(tmp_path / "a.mp4", frames(), options={"crf": "21"})
    enhancer = Enhancer(threads=1)
    video = VideoEnhancer(enhancer, quality=quality, fps=25)
    found: list[float] = []
    photos: list[float] = []
    with av.open(str(clip)) as file:
        for number, frame in enumerate(file.decode(video=0)):
            source = planes_of(frame)
            target = source.blank_copy()
            video.enhance_planes(source, target)
            if number % 4 == 3:
                found.append(float(target.rgb().mean()))
                photos.append(float(np.asarray(enhancer(source.rgb())).mean()))
    assert np.mean(found) == pytest.approx(np.mean(photos), rel=0.1)
