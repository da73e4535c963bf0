"""OpenVINO: on the CPU, in bfloat16 where the processor has it and the user lets it."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from undark.errors import DeviceError, ModelError, UsageError
from undark.graph import Arrays, Shape, Signature
from undark.runtime.base import Precision, Runtime, Session, first_line

__all__ = ["OpenVino"]


class OpenVino(Runtime):
    """Intel's runtime: the faster one on the CPU."""

    name = "openvino"
    how_to_get = "pip install 'undark[openvino]'"

    @property
    def is_installed(self) -> bool:
        """Whether the package is there."""
        return importlib.util.find_spec("openvino") is not None

    def devices(self) -> tuple[str, ...]:
        """The CPU, where it is installed."""
        return ("cpu",) if self.is_installed else ()

    def open(
        self, model: bytes, *, device: str, threads: int | None, precision: Precision
    ) -> Session:
        """Load a graph; ``auto`` and ``fast`` let it compute in bfloat16."""
        if device not in ("auto", "cpu"):
            raise UsageError(f"openvino runs on the cpu here; for {device} use onnxruntime")
        if not self.is_installed:
            raise DeviceError(f"openvino is not installed: {self.how_to_get}")
        return _Loaded(model, threads, precision)


class _Loaded(Session):
    """A graph on OpenVINO."""

    runtime = OpenVino.name
    device = "cpu"

    def __init__(self, model: bytes, threads: int | None, precision: Precision) -> None:
        super().__init__()
        core: Any = _library().Core()
        # Unasked it takes what is fastest: bfloat16, or on some float16, whose range is small.
        short = "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        self.exact = precision == "exact" or not short
        settings: dict[str, str | int | bool] = {
            "NUM_STREAMS": 1,
            "INFERENCE_PRECISION_HINT": "f32" if self.exact else "bf16",
        }
        if threads is not None:
            settings["INFERENCE_NUM_THREADS"] = threads
            # Else the first cores are taken by every process that asks for a few.
            settings["ENABLE_CPU_PINNING"] = False
        try:
            graph = core.read_model(model)
            self.signature = Signature(
                {port.get_any_name(): _shape(port) for port in graph.inputs},
                {port.get_any_name(): _shape(port) for port in graph.outputs},
            )
            _one_at_a_time(graph)
            compiled = core.compile_model(graph, "CPU", settings)
        except Exception as error:
            raise ModelError(f"not a graph that openvino runs: {first_line(error)}") from error
        self._request = compiled.create_infer_request()

    def _run(self, inputs: Arrays, outputs: Sequence[str]) -> Arrays:
        self._request.infer(dict(inputs), share_inputs=True)
        # The tensors' memory is used again by the next run.
        return {name: np.array(self._request.get_tensor(name).data) for name in outputs}

    def _version(self) -> str:
        return str(_library().__version__).split("-", maxsplit=1)[0]


def _library() -> Any:
    """OpenVINO, imported so that it reports nothing.

    Its import tells its makers of each use, over the network. It does without where the package
    that does so is not there.
    """
    reporter = "openvino_telemetry"
    before = sys.modules.get(reporter)
    sys.modules[reporter] = None  # pyright: ignore[reportArgumentType] - its import fails
    try:
        return importlib.import_module("openvino")
    finally:
        if before is None:
            del sys.modules[reporter]
        else:
            sys.modules[reporter] = before


def _one_at_a_time(graph: Any) -> None:
    """Tell it that one photo comes at a time, which saves it a tenth of its work."""
    shapes = {port: port.get_partial_shape() for port in graph.inputs}
    for shape in shapes.values():
        if shape.rank.is_static and len(shape) and shape[0].is_dynamic:
            shape[0] = 1
    graph.reshape(shapes)


def _shape(port: Any) -> Shape:
    return tuple(
        None if size.is_dynamic else int(size.get_length()) for size in port.get_partial_shape()
    )
