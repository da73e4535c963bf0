"""How near an enhanced video is to the bright one that was darkened, and how much it flickers.

    python benchmarks/steadiness.py [--sheet docs/images/video.jpg]

A camera pans over images of scikit-image's, 48 frames each with a cut between, in light that
trembles by 3 %; a lamp crosses the second. Each frame is darkened with the noise model of training
(`undark.train.data.darken`: 4 EV less, shot and read noise) and goes to H.264 and back. Prints a
Markdown table: PSNR and SSIM against the bright frames, and flicker, the mean change from frame to
frame of the result's mean level beyond the bright video's own, in 8-bit levels. `--sheet` draws
frames of the dark video, of undark's and of the bright one.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from skimage import data

from undark import Photo, VideoEnhancer, write_photo
from undark.evaluate.metrics import psnr, ssim
from undark.evaluate.report.grid import image_grid
from undark.photo import to_float
from undark.train.data.darken import Darkness, darken

SIZE = (640, 360)
FRAMES = 48
FPS = 24
DARK = Darkness(ev=4.0, shot=4e-4, read=(4e-4, 3e-4, 5e-4), correlation=0.6)


def bright_film() -> Iterator[np.ndarray]:
    """Frames as the light day shows them, uint8."""
    random = np.random.default_rng(1)
    width, height = SIZE
    for scene, picture in enumerate((data.astronaut(), data.coffee(), data.chelsea())):
        factor = max(1.25 * width / picture.shape[1], 1.25 * height / picture.shape[0])
        large = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
        for number in range(FRAMES):
            top, left = (
                (side - size) * number // FRAMES
                for side, size in ((large.shape[0], height), (large.shape[1], width))
            )
            frame = large[top : top + height, left : left + width].astype(np.float32)
            frame *= 1.0 + 0.03 * random.standard_normal()
            if scene == 1:
                cv2.circle(frame, (number * 16 - 60, 90), 40, (255, 250, 235), -1)
            yield frame.clip(0, 255).round().astype(np.uint8)


def dark_film(frames: list[np.ndarray], path: Path) -> list[tuple[float, np.ndarray]]:
    """Darkened, encoded and decoded: time and frame."""
    random = np.random.default_rng(2)
    with av.open(str(path), "w") as file:
        stream: Any = file.add_stream("libx264", rate=FPS, options={"crf": "14"})
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        for number, frame in enumerate(frames):
            dark = darken(to_float(frame), DARK, random)
            pixels = np.rint(dark * 255).astype(np.uint8)
            picture = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            picture.pts, picture.time_base = number, Fraction(1, FPS)
            file.mux(stream.encode(picture))
        file.mux(stream.encode(None))
    with av.open(str(path)) as video:
        return [
            (float(frame.time or 0), frame.to_ndarray(format="rgb24"))
            for frame in video.decode(video=0)
        ]


def measure(
    enhance: Callable[[np.ndarray, float], np.ndarray],
    dark: list[tuple[float, np.ndarray]],
    truth: list[np.ndarray],
) -> str:
    results = [enhance(frame, time) for time, frame in dark]
    pairs = list(zip(results, truth, strict=True))
    levels = np.array([[result.mean(), light.mean()] for result, light in pairs])
    steps = np.diff(levels, axis=0)
    within = np.arange(1, len(pairs)) % FRAMES != 0  # cuts are no flicker
    flicker = np.abs(steps[:, 0] - steps[:, 1])[within].mean()
    some = pairs[::4]
    quality = np.mean([[psnr(*pair), ssim(*pair)] for pair in some], axis=0)
    return f"{quality[0]:.2f} | {quality[1]:.3f} | {flicker:.2f}"


def draw(
    path: Path,
    enhance: Callable[[np.ndarray, float], np.ndarray],
    dark: list[tuple[float, np.ndarray]],
    truth: list[np.ndarray],
) -> None:
    """Six frames of each video, one beneath the other, in time."""
    light = [enhance(frame, time) for time, frame in dark]
    chosen = range(FRAMES // 4, len(truth), FRAMES // 2)
    videos = {"dark": [frame for _, frame in dark], "undark": light, "as it was": truth}
    sheet = image_grid(
        [[video[i] for i in chosen] for video in videos.values()],
        labels=[f"{dark[i][0]:.1f} s" for i in chosen],
        captions=list(videos),
        cell_width=240,
    )
    write_photo(Photo(sheet), path, quality=86, overwrite=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sheet", type=Path, help="where to draw frames")
    sheet = parser.parse_args().sheet
    truth = list(bright_film())
    with tempfile.TemporaryDirectory() as folder:
        dark = dark_film(truth, Path(folder) / "dark.mp4")

    def alone(video: VideoEnhancer) -> Callable[[np.ndarray, float], np.ndarray]:
        def enhance(frame: np.ndarray, time: float) -> np.ndarray:
            video.reset()
            return video.enhance_frame(frame, time=time)

        return enhance

    def steady(video: VideoEnhancer) -> Callable[[np.ndarray, float], np.ndarray]:
        return lambda frame, time: video.enhance_frame(frame, time=time)

    if sheet is not None:
        draw(sheet, steady(VideoEnhancer()), dark, truth)
    ways: dict[str, Callable[[np.ndarray, float], np.ndarray]] = {
        "the dark video itself": lambda frame, _: frame,
        "each frame by itself": alone(VideoEnhancer()),
        "undark": steady(VideoEnhancer()),
        "undark, `--denoise 1`": steady(VideoEnhancer(denoise=1.0)),
    }
    print("| | PSNR dB | SSIM | flicker |")
    print("|---|---:|---:|---:|")
    for name, enhance in ways.items():
        print(f"| {name} | {measure(enhance, dark, truth)} |", flush=True)


if __name__ == "__main__":
    main()
