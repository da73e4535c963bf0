"""Seconds and peak memory of one photo, JPEG in and JPEG out, by size and runtime.

    python benchmarks/photos.py
    python benchmarks/photos.py --megapixels 24 100 --runtime openvino --threads 4

Prints a Markdown table. Each photo is enhanced in a process of its own that has done nothing
before, so its peak memory is that of the photo and of everything the process loads; the fastest
of `--repeat` runs counts. The photo is an image of scikit-image's, enlarged, with a tenth of its
light and the noise of a small sensor.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
import os
import platform
import subprocess
import sys
import tempfile
from itertools import pairwise
from pathlib import Path
from time import perf_counter
from typing import Any

from undark.evaluate.machine import peak_memory, processor

MEGAPIXELS = (0.24, 2.0, 12.0, 24.0)


def peak_megabytes() -> float:
    """Largest resident memory of this process so far, in MB (10^6 bytes)."""
    return (peak_memory() or math.nan) / 1e6


def make_photo(path: Path, megapixels: float) -> None:
    """Write a dark JPEG of that size, 3:2."""
    import cv2
    import numpy as np
    from skimage import data

    from undark.pixels.colour import linear_to_srgb, srgb_to_linear

    width = round((megapixels * 1.5e6) ** 0.5)
    height = round(width / 1.5)
    picture = cv2.resize(data.coffee(), (width, height), interpolation=cv2.INTER_CUBIC)
    rng = np.random.default_rng(0)
    for top in range(0, height, 256):
        light = srgb_to_linear(picture[top : top + 256].astype(np.float32) / 255) * np.float32(0.1)
        shot = rng.standard_normal(light.shape, dtype=np.float32) * np.sqrt(light * 2e-3 + 1e-6)
        dark = linear_to_srgb(np.clip(light + shot, 0, 1).astype(np.float32))
        picture[top : top + 256] = (dark * 255 + 0.5).astype(np.uint8)
    cv2.imwrite(str(path), picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92])


def enhance_photo(path: Path, model: str, runtime: str, threads: int | None) -> dict[str, Any]:
    """Enhance one file in this process and tell what it took."""
    from undark.engine.enhancer import Enhancer
    from undark.io.photo import read_photo, write_photo

    times = [perf_counter()]
    enhancer = Enhancer(model, runtime=runtime, device="cpu", threads=threads)  # pyright: ignore[reportArgumentType]
    times.append(perf_counter())
    photo = read_photo(path)
    size = f"{photo.width}×{photo.height}"
    times.append(perf_counter())
    photo = enhancer(photo)
    times.append(perf_counter())
    write_photo(photo, path.with_name("light.jpg"))
    times.append(perf_counter())
    load, decode, network, encode = (b - a for a, b in pairwise(times))
    return {
        "size": size,
        "runtime": enhancer.describe(),
        "load": load,
        "decode": decode,
        "network": network,
        "encode": encode,
        "seconds": decode + network + encode,
        "peak": peak_megabytes(),
    }


def in_process_of_its_own(*arguments: str) -> str:
    command = [sys.executable, __file__, *arguments]
    run = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return run.stdout


def row(result: dict[str, Any], megapixels: float) -> str:
    seconds = result["seconds"]
    parts = " | ".join(f"{result[part] / seconds:.0%}" for part in ("decode", "network", "encode"))
    return (
        f"| {megapixels:g} | {result['size']} | {result['runtime']} | {seconds:.2f} | {parts} "
        f"| {result['load']:.2f} | {result['peak']:.0f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--megapixels", type=float, nargs="+", default=MEGAPIXELS)
    parser.add_argument("--model", default="default", help="catalog name or path of an .onnx")
    parser.add_argument("--runtime", nargs="+", choices=["onnxruntime", "openvino"])
    parser.add_argument("--threads", type=int, help="CPU threads; default: the runtime's choice")
    parser.add_argument("--repeat", type=int, default=3, help="runs of which the fastest counts")
    parser.add_argument("--make", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--enhance", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.make:
        make_photo(options.make, options.megapixels[0])
        return
    if options.enhance:
        result = enhance_photo(options.enhance, options.model, options.runtime[0], options.threads)
        print(json.dumps(result))
        return

    has_openvino = importlib.util.find_spec("openvino") is not None
    runtimes = options.runtime or ["onnxruntime", *(["openvino"] if has_openvino else [])]
    threads = [] if options.threads is None else ["--threads", str(options.threads)]
    print(
        f"{processor()}, {os.cpu_count()} CPUs, threads: {options.threads or 'automatic'}, "
        f"Python {platform.python_version()}, {platform.system()}\n"
    )
    print("| MP | size | run by | seconds | decode | network | encode | load s | peak MB |")
    print("|---:|---|---|---:|---:|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as folder:
        photo = Path(folder) / "dark.jpg"
        for megapixels in options.megapixels:
            in_process_of_its_own("--make", str(photo), "--megapixels", str(megapixels))
            for runtime in runtimes:
                arguments = ["--enhance", str(photo), "--model", options.model]
                arguments += ["--runtime", runtime, *threads]
                results = [
                    json.loads(in_process_of_its_own(*arguments)) for _ in range(options.repeat)
                ]
                print(row(min(results, key=lambda item: item["seconds"]), megapixels), flush=True)


if __name__ == "__main__":
    main()
