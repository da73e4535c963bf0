"""Fixtures that several rooms' tests share: a tiny model, and dark photos."""

from __future__ import annotations

import ctypes
import hashlib
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from PIL import Image

from undark.models import Card, DataSource, Metric

# In the background of a shell, or under nohup, what is begun here would be deaf to these.
for _number in (signal.SIGINT, getattr(signal, "SIGHUP", signal.SIGINT)):
    if signal.getsignal(_number) is signal.SIG_IGN:
        _heard = signal.default_int_handler if _number == signal.SIGINT else signal.SIG_DFL
        signal.signal(_number, _heard)

GAIN = 4.0


@pytest.fixture
def gain_model(tmp_path: Path) -> Path:
    """An ONNX file with its card that makes a photo four times as bright."""
    shape = ["n", 3, "h", "w"]
    graph = helper.make_graph(
        [helper.make_node("Mul", ["image", "gain"], ["enhanced"])],
        "gain",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("enhanced", TensorProto.FLOAT, shape)],
        [helper.make_tensor("gain", TensorProto.FLOAT, [1], [GAIN])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path = tmp_path / "models" / "gain.onnx"
    path.parent.mkdir()
    onnx.save(model, path)
    card = Card(
        name="gain",
        title="Four times the light",
        summary="For tests.",
        method="supervised",
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        parameters=1,
        licence="MIT",
        data=(DataSource("none", "CC0"),),
        recipe="gain.toml",
        metrics=(Metric("nothing", "plain", 1, {"psnr": 20.0}),),
    )
    path.with_suffix(".json").write_text(card.dump(), encoding="utf-8")
    return path


@pytest.fixture
def dark_photo() -> Callable[..., Path]:
    """Writes a dark, noisy photo to a path, lossless where the suffix allows, and gives it back."""

    def write(path: Path, *, size: tuple[int, int] = (40, 24), level: int = 20) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        random = np.random.default_rng(level)
        noise = random.integers(-5, 6, (size[1], size[0], 3))
        Image.fromarray((level + noise).clip(0, 255).astype(np.uint8)).save(path)
        return path

    return write


class _SignalStack(ctypes.Structure):
    _fields_ = (("at", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t))


@pytest.fixture(autouse=True)
def _signals_on_the_usual_stack() -> None:
    """Take away the alternate signal stack that a library has left to the main thread.

    After all other tests, the end of a worker process was fatal: its signal found no room there.
    """
    if sys.platform == "linux":
        none = _SignalStack(None, 2, 0)  # SS_DISABLE
        ctypes.CDLL(None).sigaltstack(ctypes.byref(none), None)
