"""Small videos and a small model for them, built on the spot."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from small_models import save_model
from undark.io.video.coding import Coding
from undark.io.video.options import Transcoding
from undark.io.video.transcode import transcode
from undark.models import Glance, Scaling
from undark.pixels.curves import sample_points
from undark.pixels.planes import Planes

SIZE = (96, 64)
"""Width and height of the videos."""

QUICK = Coding(preset="ultrafast")
"""The quickest encoding."""


def curves_graph(samples: int = 1024) -> onnx.ModelProto:
    """A graph whose curves are levels to the power of 0.3 + 0.7 × the glance's mean.

    So the darker the frame, the more it is lifted; red a little more than blue.
    """
    points = np.maximum(sample_points(samples), 1e-6)
    logs = np.stack([np.log(points) * share for share in (0.95, 1.0, 1.05)])[None]
    constants = [
        numpy_helper.from_array(logs.astype(np.float32), "logs"),
        numpy_helper.from_array(np.array(0.7, np.float32), "slope"),
        numpy_helper.from_array(np.array(0.3, np.float32), "least"),
        numpy_helper.from_array(np.zeros((3, 2), np.float32), "nothing"),
    ]
    nodes = [
        helper.make_node("ReduceMean", ["glance"], ["mean"], axes=[1, 2, 3], keepdims=1),
        helper.make_node("Squeeze", ["mean", "last"], ["flat"]),
        helper.make_node("Mul", ["flat", "slope"], ["some"]),
        helper.make_node("Add", ["some", "least"], ["power"]),
        helper.make_node("Mul", ["logs", "power"], ["exponent"]),
        helper.make_node("Exp", ["exponent"], ["curves"]),
        helper.make_node("ReduceMean", ["glance"], ["colours"], axes=[2, 3], keepdims=0),
        helper.make_node("MatMul", ["colours", "nothing"], ["clean"]),
    ]
    constants.append(numpy_helper.from_array(np.array([3], np.int64), "last"))
    glance = helper.make_tensor_value_info("glance", TensorProto.FLOAT, ["n", 3, 64, 64])
    outputs = [
        helper.make_tensor_value_info("curves", TensorProto.FLOAT, ["n", 3, samples]),
        helper.make_tensor_value_info("clean", TensorProto.FLOAT, ["n", 2]),
    ]
    graph = helper.make_graph(nodes, "lift", [glance], outputs, constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.fixture(scope="session")
def curve_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model that gives curves."""
    path = tmp_path_factory.mktemp("curve") / "lift.onnx"
    return save_model(curves_graph(), path, Glance(64, 64), Scaling(mode="curves", multiple=1))


def scene(level: float = 24.0, *, size: tuple[int, int] = SIZE, seed: int = 3) -> NDArray[Any]:
    """A dim still picture, H×W×3 uint8: soft hills, moderate colours, of that mean level."""
    width, height = size
    x, y = np.meshgrid(np.linspace(0, 6.3, width), np.linspace(0, 4.2, height))
    hills = 1.0 + 0.4 * np.sin(x + seed) * np.cos(y - seed)
    tint = 1.0 + 0.12 * np.stack([np.sin(y), np.cos(x + y), np.sin(x - y)], axis=-1)
    picture = hills[..., None] * tint
    return (picture * (level / picture.mean())).clip(0, 255).round().astype(np.uint8)


def grainy(
    picture: NDArray[Any], frames: int, *, sigma: float = 3.0, seed: int = 0
) -> Iterator[NDArray[Any]]:
    """The picture again and again, with other noise each time."""
    random = np.random.default_rng(seed)
    for _ in range(frames):
        noise = random.normal(0.0, sigma, picture.shape)
        yield (picture + noise).clip(0, 255).round().astype(np.uint8)


def write_video(
    path: Path,
    frames: Iterable[NDArray[Any]],
    *,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    rate: int | Fraction = 25,
    times: Sequence[int] | None = None,
    base: Fraction | None = None,
    options: dict[str, str] | None = None,
    sound: bool = False,
    before: Callable[[Any, Any], None] | None = None,
    **context: Any,
) -> Path:
    """Write RGB frames as a video; `times` are in `base`, `context` is set on the encoder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as file:
        usual = {"preset": "ultrafast", "crf": "6"} if codec == "libx264" else {}
        stream = file.add_stream(codec, rate=rate, options=usual if options is None else options)
        stream.pix_fmt = pix_fmt
        stream.codec_context.time_base = base or Fraction(1, rate)
        voice = file.add_stream("aac", rate=48000, layout="mono") if sound else None
        started = False
        count = 0
        for number, pixels in enumerate(frames):
            if not started:
                stream.height, stream.width = pixels.shape[:2]
                for name, value in context.items():
                    setattr(stream.codec_context, name, value)
                if before is not None:
                    before(file, stream)
                started = True
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
            target = {"dst_color_range": context["color_range"]} if "color_range" in context else {}
            frame = frame.reformat(format=pix_fmt, **target)
            frame.pts = number if times is None else times[number]
            frame.time_base = base or Fraction(1, rate)
            file.mux(stream.encode(frame))
            count = number + 1
        if voice is not None:
            _hum(file, voice, count / rate)
        if started:
            file.mux(stream.encode(None))
        if voice is not None:
            file.mux(voice.encode(None))
    return path


def _hum(file: Any, voice: Any, seconds: float) -> None:
    for start in range(0, int(seconds * 48000), 1024):
        tone = np.sin(np.arange(start, start + 1024) * 0.06).astype(np.float32) * 0.2
        frame = av.AudioFrame.from_ndarray(tone[None], format="fltp", layout="mono")
        frame.rate = 48000
        frame.pts = start
        file.mux(voice.encode(frame))


def packets(path: Path, kind: str) -> list[tuple[Fraction, bytes]]:
    """Time and content of the packets of the first stream of that kind, in order."""
    with av.open(str(path)) as file:
        stream = next(stream for stream in file.streams if stream.type == kind)
        return [
            (packet.pts * packet.time_base, bytes(packet))
            for packet in file.demux(stream)
            if packet.pts is not None
        ]


def times(path: Path) -> list[float]:
    """When the frames of a video are shown, in seconds."""
    with av.open(str(path)) as file:
        return [float(frame.time) for frame in file.decode(video=0)]


def pictures(path: Path) -> list[NDArray[Any]]:
    """The frames of a video as RGB."""
    with av.open(str(path)) as file:
        return [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]


def as_it_is(source: Planes, target: Planes, *, time: float) -> None:
    """Change nothing."""
    source.copy_to(target)


def copied(source: Path, destination: Path, **options: Any) -> Path:
    """The video with nothing changed."""
    part = Transcoding(**{"coding": QUICK, **options})
    transcode(source, destination, as_it_is, part)
    return destination


def names(folder: Path) -> list[str]:
    """What is in a folder."""
    return sorted(path.name for path in folder.iterdir())
