"""Frames a second, fractions of the stages and peak memory of a video, by its size.

    python benchmarks/video.py CLIP
    python benchmarks/video.py CLIP --heights 1080 2160 --preset medium --quality fast

Prints a Markdown table. For each size the clip is first scaled to it and written nearly without
loss. *Bare* decodes and encodes it in one PyAV loop, with the same encoder, preset and quality as
`undark enhance`, and nothing between. *Bright* does so too, but hands the encoder frames that were
brightened beforehand: a bright image costs it more than a dark one, whatever made it so. Each run
is a process of its own; the fastest of `--repeat` counts. CPU is the time that all
cores spent, which tells on a shared machine what a time on the clock does not; fractions are of it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from fractions import Fraction
from pathlib import Path
from time import perf_counter, process_time, thread_time
from typing import Any

from undark.evaluate.machine import peak_memory, processor

HEIGHTS = (480, 720, 1080, 2160)
CRF = 20


def scale(clip: Path, path: Path, height: int, frames: int) -> None:
    """Write the clip at that height, from its begin again if it is too short."""
    import av

    with av.open(str(path), "w") as file:
        stream: Any = None
        number = 0
        while number < frames:
            with av.open(str(clip)) as video:
                for frame in video.decode(video=0):
                    if stream is None:
                        options = {"preset": "ultrafast", "crf": "12"}
                        stream = file.add_stream("libx264", rate=30, options=options)
                        stream.height = height
                        stream.width = round(frame.width * height / frame.height / 2) * 2
                        stream.pix_fmt = "yuv420p"
                    scaled = frame.reformat(stream.width, stream.height, "yuv420p")
                    scaled.pts, scaled.time_base = number, Fraction(1, 30)
                    file.mux(stream.encode(scaled))
                    number += 1
                    if number == frames:
                        break
        file.mux(stream.encode(None))


def bare(path: Path, preset: str, table: bool = False) -> dict[str, float]:
    """Decode and encode, and nothing between but, with `table`, a look-up of luma."""
    import av
    import cv2
    import numpy as np

    from undark.io.video.planes import planes_of

    lift = (235 - 219 * (1 - np.clip((np.arange(256) - 16) / 219, 0, 1)) ** 3).astype(np.uint8)
    begin, start = perf_counter(), process_time()
    spent = 0.0
    frames = 0
    with av.open(str(path)) as video, av.open(str(path.with_name("bare.mp4")), "w") as file:
        source = video.streams.video[0]
        source.thread_type = "AUTO"
        options = {"preset": preset, "crf": str(CRF)}
        stream: Any = file.add_stream("libx264", rate=source.average_rate, options=options)
        stream.width, stream.height, stream.pix_fmt = source.width, source.height, "yuv420p"
        stream.codec_context.time_base = source.time_base
        for frame in video.decode(source):
            shown = frame
            if table:
                started = perf_counter()
                shown = av.VideoFrame(frame.width, frame.height, "yuv420p")
                before, after = planes_of(frame), planes_of(shown)
                before.copy_to(after)
                cv2.LUT(before.y, lift, dst=after.y)
                shown.pts, shown.time_base = frame.pts, frame.time_base
                spent += perf_counter() - started
            shown.pict_type = 0
            file.mux(stream.encode(shown))
            frames += 1
        file.mux(stream.encode(None))
    return {
        "seconds": perf_counter() - begin - spent,
        "all": process_time() - start - spent,
        "frames": frames,
    }


def decoded(path: Path) -> dict[str, float]:
    """Decode alone."""
    import av

    begin = process_time()
    with av.open(str(path)) as video:
        video.streams.video[0].thread_type = "AUTO"
        for _ in video.decode(video=0):
            pass
    return {"busy": process_time() - begin}


def enhanced(path: Path, preset: str, model: str, quality: str) -> dict[str, Any]:
    """As `undark enhance` does it."""
    from undark import VideoEnhancer
    from undark.io.video.coding import Coding
    from undark.io.video.options import Progress, Transcoding
    from undark.io.video.transcode import transcode

    video = VideoEnhancer(model, quality=quality)  # pyright: ignore[reportArgumentType]
    busy, frames = 0.0, 0

    def change(source: Any, target: Any, *, time: float) -> None:
        nonlocal busy
        begin = thread_time()
        video.enhance_planes(source, target, time=time)
        busy += thread_time() - begin

    def count(done: Progress) -> None:
        nonlocal frames
        frames = done.frames

    options = Transcoding(Coding("h264", CRF, preset))
    start, begin = process_time(), perf_counter()
    transcode(path, path.with_name("light.mp4"), change, options, progress=count)
    return {
        "seconds": perf_counter() - begin,
        "all": process_time() - start,
        "change": busy,
        "frames": frames,
        "peak": (peak_memory() or 0) / 1e6,
    }


def fastest(repeat: int, *arguments: str) -> dict[str, Any]:
    """The quickest of some runs, each in a process of its own."""
    command = [sys.executable, __file__, *arguments]
    runs = [
        json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
        for _ in range(repeat)
    ]
    return min(runs, key=lambda run: run.get("seconds", 0.0))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("clip", type=Path)
    parser.add_argument("--heights", type=int, nargs="+", default=HEIGHTS)
    parser.add_argument("--preset", default="superfast")
    parser.add_argument("--model", default="default")
    parser.add_argument("--quality", default="balanced")
    parser.add_argument("--frames", type=int, default=120)
    parser.add_argument("--repeat", type=int, default=2)
    parser.add_argument(
        "--run", choices=("bare", "bright", "decode", "enhance"), help=argparse.SUPPRESS
    )
    options = parser.parse_args()
    if options.run:
        found = {
            "bare": lambda: bare(options.clip, options.preset),
            "bright": lambda: bare(options.clip, options.preset, table=True),
            "decode": lambda: decoded(options.clip),
            "enhance": lambda: enhanced(
                options.clip, options.preset, options.model, options.quality
            ),
        }[options.run]()
        print(json.dumps(found))
        return
    print(
        f"{processor()}, {os.cpu_count()} CPUs, Python {platform.python_version()}, "
        f"libx264 {options.preset}, crf {CRF}, {options.quality}\n"
    )
    print(
        "| size | bare fps | bright fps | undark fps | time × bare | × bright "
        "| CPU × bare "
        "| decode | enhance | encode | peak MB |"
    )
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as folder:
        for height in options.heights:
            path = Path(folder) / "dark.mp4"
            scale(options.clip, path, height, options.frames)
            shared = (str(path), "--preset", options.preset)
            own = ("--model", options.model, "--quality", options.quality)
            plain, bright = (
                fastest(options.repeat, *shared, "--run", kind) for kind in ("bare", "bright")
            )
            decode = fastest(1, *shared, "--run", "decode")
            result = fastest(options.repeat, *shared, *own, "--run", "enhance")
            fps = [run["frames"] / run["seconds"] for run in (plain, bright, result)]
            fractions = (decode["busy"], result["change"])
            rest = result["all"] - sum(fractions)
            parts = " | ".join(f"{part / result['all']:.0%}" for part in (*fractions, rest))
            print(
                f"| {size_of(path)} | {fps[0]:.1f} | {fps[1]:.1f} | {fps[2]:.1f} "
                f"| {fps[0] / fps[2]:.2f} | {fps[1] / fps[2]:.2f} "
                f"| {result['all'] / plain['all']:.2f} | {parts} "
                f"| {result['peak']:.0f} |",
                flush=True,
            )


def size_of(path: Path) -> str:
    import av

    with av.open(str(path)) as video:
        return f"{video.streams.video[0].width}×{video.streams.video[0].height}"


if __name__ == "__main__":
    main()
