"""ONNX Runtime: on the CPU, and on the GPUs that the installed build knows."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any, Final, get_args

from undark.errors import DeviceError, ModelError
from undark.graph import Arrays, Shape, Signature
from undark.runtime.base import Device, Precision, Runtime, Session, first_line

__all__ = ["OnnxRuntime"]

_PROVIDERS: Final = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "directml": "DmlExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
}

_HOW_TO_GET: Final = {
    "cuda": "pip install onnxruntime-gpu in place of onnxruntime, with NVIDIA's CUDA and cuDNN",
    "directml": "pip install onnxruntime-directml in place of onnxruntime, on Windows",
    "coreml": "it comes with onnxruntime on macOS",
}


def _library() -> Any:
    """The library, which comes without types; imported when needed, and told not to report."""
    library: Any = import_module("onnxruntime")
    if hasattr(library, "disable_telemetry_events"):  # for one that was loaded before undark was
        library.disable_telemetry_events()
    return library


class OnnxRuntime(Runtime):
    """Microsoft's runtime, which undark always has."""

    name = "onnxruntime"
    how_to_get = "pip install --force-reinstall onnxruntime"

    @property
    def is_installed(self) -> bool:
        """Always: undark depends on it."""
        return True

    def devices(self) -> tuple[str, ...]:
        """The devices behind ONNX Runtime's own names for them."""
        try:
            there = _library().get_available_providers()
        except Exception:  # a library of the system may be missing
            return ()
        return tuple(name for name in get_args(Device) if _PROVIDERS.get(name) in there)

    def gpus(self) -> tuple[str, ...]:
        """The devices but for the CPU, best first."""
        there = self.devices()
        return tuple(name for name in _PROVIDERS if name in there and name != "cpu")

    def open(
        self, model: bytes, *, device: str, threads: int | None, precision: Precision
    ) -> Session:
        """Load a graph; ``auto`` is the CPU here. All is computed in float32."""
        del precision
        return _Loaded(model, "cpu" if device == "auto" else device, threads)


class _Loaded(Session):
    """A graph on ONNX Runtime."""

    runtime = OnnxRuntime.name

    def __init__(self, model: bytes, device: str, threads: int | None) -> None:
        super().__init__()
        library = _library()
        options = library.SessionOptions()
        # Errors come to us as exceptions; the runtime's own messages are not for the user.
        options.log_severity_level = 4
        if threads is not None:
            options.intra_op_num_threads = threads
        providers = [_PROVIDERS["cpu"]]
        if device != "cpu":
            if _PROVIDERS[device] not in library.get_available_providers():
                raise DeviceError(
                    f"{device} is not there in the installed onnxruntime; {_HOW_TO_GET[device]}"
                )
            providers.insert(0, _PROVIDERS[device])
        try:
            self._session = library.InferenceSession(model, options, providers=providers)
        except Exception as error:
            if device != "cpu":
                raise DeviceError(f"{device} cannot be used: {first_line(error)}") from error
            raise ModelError(f"not a graph that onnxruntime runs: {first_line(error)}") from error
        if device != "cpu" and _PROVIDERS[device] not in self._session.get_providers():
            # ONNX Runtime falls back to the CPU without a word.
            raise DeviceError(f"{device} cannot be used by this onnxruntime; {_HOW_TO_GET[device]}")
        self.device = device
        self.signature = Signature(
            {item.name: _shape(item) for item in self._session.get_inputs()},
            {item.name: _shape(item) for item in self._session.get_outputs()},
        )
        self._plain, self._tidy = library.RunOptions(), library.RunOptions()
        self._shapes: list[tuple[int, ...]] = []
        if device == "cpu":
            # Photos differ in size: without this the arena keeps the sum of all it ever held.
            self._tidy.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")

    def _run(self, inputs: Arrays, outputs: Sequence[str]) -> Arrays:
        # Tiles of one size use the same memory again: fresh pages would cost a tenth of their time.
        shapes = [value.shape for value in inputs.values()]
        options = self._plain if shapes == self._shapes else self._tidy
        self._shapes = shapes
        found = self._session.run(list(outputs), dict(inputs), options)
        return dict(zip(outputs, found, strict=True))

    def _version(self) -> str:
        return str(_library().__version__)


def _shape(item: Any) -> Shape:
    return tuple(size if isinstance(size, int) else None for size in item.shape)
