"""How near an enhanced video is to the bright one that was darkened, and how much it flickers.

    python benchmarks/steadiness.py [--sheet docs/images/video.jpg] [--filters]

A camera pans over images of scikit-image's, 48 frames each with a cut between, in light that
trembles by 3 %; a lamp crosses the second. Each frame is darkened with the noise model of training
(`undark.train.data.darken`: 4 EV less, shot and read noise) and goes to H.264 and back. A second
film shows one image for 30 frames. Both go through `VideoEnhancer.enhance_planes`, as files do.
Prints a Markdown table: PSNR and SSIM against the bright frames; flicker, the mean change from
frame to frame of the result's mean level beyond the bright film's own, in 8-bit levels; noise, the
deviation of luma within the flattest tenth of the still image's blocks of 8 pixels; and the
processor's milliseconds a frame. `--filters` tries libavfilter's own denoisers before the light
alone. `--sheet` draws frames of the dark film, of undark's and of the bright one.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from time import process_time
from typing import Any

import av
import av.error
import av.filter
import cv2
import numpy as np
from skimage import data

from undark import Photo, VideoEnhancer, write_photo
from undark.evaluate.metrics import psnr, ssim
from undark.evaluate.report.grid import image_grid
from undark.io.video.planes import planes_of
from undark.photo import to_float
from undark.pixels.planes import Planes
from undark.train.data.darken import Darkness, darken

SIZE = (640, 360)
FRAMES = 48
FPS = 24
STILL = 30
FILTERS = (
    ("atadenoise", "0a=0.02:0b=0.04:1a=0.02:1b=0.04:2a=0.02:2b=0.04:s=9", True),
    ("atadenoise", "0a=0.04:0b=0.08:1a=0.04:1b=0.08:2a=0.04:2b=0.08:s=9", True),
    ("nlmeans", "s=3:p=5:r=9", False),
    ("fftdnoiz", "sigma=3:block=16", True),
    ("fftdnoiz", "sigma=1.5:block=16:prev=1:next=1", True),
    ("bilateral", "sigmaS=2:sigmaR=0.02:planes=7", False),
)
Clip = list[tuple[float, Any]]
Way = Callable[[Clip], Iterator[np.ndarray]]
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


def still_film() -> Iterator[np.ndarray]:
    """One frame again and again."""
    picture = cv2.resize(data.coffee(), (SIZE[0], 427), interpolation=cv2.INTER_AREA)
    for _ in range(STILL):
        yield picture[30 : 30 + SIZE[1]]


def dark_film(frames: list[np.ndarray], path: Path) -> Clip:
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
        return [(float(frame.time or 0), frame) for frame in video.decode(video=0)]


def shown(planes: Planes) -> np.ndarray:
    """A frame as 8-bit RGB."""
    pixels = planes.rgb()
    return pixels if pixels.dtype == np.uint8 else (pixels >> 8).astype(np.uint8)


def through(video: VideoEnhancer, *, alone: bool = False) -> Way:
    """What becomes of a clip, each frame by itself or in its place."""

    def enhance(clip: Clip) -> Iterator[np.ndarray]:
        video.reset()
        for time, frame in clip:
            if alone:
                video.reset()
            source = planes_of(frame)
            target = source.blank_copy()
            video.enhance_planes(source, target, time=time)
            yield shown(target)

    return enhance


def filtered(name: str, arguments: str, *, deep: bool) -> Way:
    """libavfilter's denoiser, in 10 bits where it takes them, then the light alone."""
    form = "yuv420p10le" if deep else "yuv420p"

    def enhance(clip: Clip) -> Iterator[np.ndarray]:
        graph = av.filter.Graph()
        source = graph.add_buffer(
            width=SIZE[0],
            height=SIZE[1],
            format=av.VideoFormat(form),
            time_base=Fraction(1, 1000),
            name="in",
        )
        denoiser, sink = graph.add(name, arguments), graph.add("buffersink")
        source.link_to(denoiser)
        denoiser.link_to(sink)
        graph.configure()
        clean: Clip = []
        for number, item in enumerate([*clip, None]):
            if item is None:
                graph.push(None)
            else:
                whole = item[1].reformat(format=form)
                whole.pts, whole.time_base = number, Fraction(1, 1000)
                graph.push(whole)
            while True:
                try:
                    clean.append((clip[len(clean)][0], graph.pull()))
                except (av.error.BlockingIOError, EOFError, IndexError):
                    break
        yield from through(VideoEnhancer(quality="fast"))(clean)

    return enhance


def noise(result: np.ndarray, truth: np.ndarray) -> float:
    """Deviation of luma in the flattest tenth of blocks."""
    blocks = []
    for frame in (truth, result):
        luma = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(np.float32)
        rows, columns = luma.shape[0] // 8, luma.shape[1] // 8
        parts = luma[: rows * 8, : columns * 8].reshape(rows, 8, columns, 8).swapaxes(1, 2)
        blocks.append(parts.reshape(-1, 64).std(axis=1))
    flat = blocks[0] <= np.quantile(blocks[0], 0.1)
    return float(np.sqrt(np.square(blocks[1][flat]).mean()))


def measure(way: Way, clip: Clip, truth: list[np.ndarray], still: Clip, image: np.ndarray) -> str:
    begin = process_time()
    results = list(way(clip))
    spent = 1e3 * (process_time() - begin) / len(clip)
    pairs = list(zip(results, truth, strict=True))
    levels = np.array([[result.mean(), light.mean()] for result, light in pairs])
    steps = np.diff(levels, axis=0)
    within = np.arange(1, len(pairs)) % FRAMES != 0  # cuts are no flicker
    flicker = np.abs(steps[:, 0] - steps[:, 1])[within].mean()
    quality = np.mean([[psnr(*pair), ssim(*pair)] for pair in pairs[::4]], axis=0)
    later = list(way(still))[STILL // 2 :: 4]
    calm = np.mean([[psnr(r, image), ssim(r, image), noise(r, image)] for r in later], axis=0)
    return (
        f"{quality[0]:.2f} | {quality[1]:.3f} | {flicker:.2f} "
        f"| {calm[0]:.2f} | {calm[1]:.3f} | {calm[2]:.1f} | {spent:.0f}"
    )


def draw(path: Path, clip: Clip, truth: list[np.ndarray]) -> None:
    """Six frames of each film, one beneath the other, in time."""
    light = list(through(VideoEnhancer())(clip))
    chosen = range(FRAMES // 4, len(truth), FRAMES // 2)
    dark = [shown(planes_of(frame)) for _, frame in clip]
    films = {"dark": dark, "undark": light, "as it was": truth}
    sheet = image_grid(
        [[film[i] for i in chosen] for film in films.values()],
        labels=[f"{clip[i][0]:.1f} s" for i in chosen],
        captions=list(films),
        cell_width=240,
    )
    write_photo(Photo(sheet), path, quality=86, overwrite=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sheet", type=Path, help="where to draw frames")
    parser.add_argument("--filters", action="store_true", help="try libavfilter's denoisers, too")
    options = parser.parse_args()
    truth, image = list(bright_film()), next(still_film())
    with tempfile.TemporaryDirectory() as folder:
        dark = dark_film(truth, Path(folder) / "dark.mp4")
        still = dark_film(list(still_film()), Path(folder) / "still.mp4")
    if options.sheet is not None:
        draw(options.sheet, dark, truth)
    ways: dict[str, Way] = {
        "the dark film itself": lambda clip: (shown(planes_of(frame)) for _, frame in clip),
        "each frame by itself, `fast`": through(VideoEnhancer(quality="fast"), alone=True),
        "`fast`": through(VideoEnhancer(quality="fast")),
        "`balanced` (default)": through(VideoEnhancer()),
        "`best`": through(VideoEnhancer(quality="best")),
        "`-m curve`": through(VideoEnhancer("curve")),
    }
    if options.filters:
        ways |= {
            f"`{name}={arguments}`, `fast`": filtered(name, arguments, deep=deep)
            for name, arguments, deep in FILTERS
        }
    print("| | PSNR dB | SSIM | flicker | still: PSNR | SSIM | noise | CPU ms |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    for name, way in ways.items():
        print(f"| {name} | {measure(way, dark, truth, still, image)} |", flush=True)


if __name__ == "__main__":
    main()
