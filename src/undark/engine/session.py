"""Sessions: one graph, ready to run on a runtime and a device, and honest about which.

The graph contract: input ``image`` N×3×H×W and, where the card names a glance, input ``glance``
N×3×h×w, both float32 RGB in [0, 1]; one output ``enhanced`` of the image's shape. A graph that
chooses steps takes ``glance`` and ``state`` and gives ``logits``; see :mod:`undark.retouch`. One
that relights by curves takes ``glance`` alone; see :mod:`undark.engine.curves`. One that relights
and restores takes ``control`` besides; see :mod:`undark.engine.relighting`.
"""

from __future__ import annotations

import importlib.util
import threading
import warnings
from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, Literal, cast, get_args

import numpy as np
from numpy.typing import NDArray

from undark.errors import DeviceError, ModelError, UsageError
from undark.models.card import Card
from undark.retouch import STATE, STOP

__all__ = ["CONTROLS", "Device", "Feeds", "Precision", "Runtime", "Session", "open_session"]

Runtime = Literal["auto", "onnxruntime", "openvino"]
"""Which library runs the graph; ``auto`` takes the fastest that is installed."""

Device = Literal["auto", "cpu", "cuda", "coreml", "directml"]
"""What it runs on; ``auto`` takes a GPU that the installed onnxruntime knows, else the CPU."""

Precision = Literal["auto", "exact", "fast"]
"""``exact`` computes in float32; ``fast`` lets OpenVINO choose less (bfloat16 on some CPUs)."""

CONTROLS: Final = 3
"""What one can ask of a graph that relights: exposure in EV, strength, denoise."""

_PROVIDERS: Final = {
    "cuda": "CUDAExecutionProvider",
    "directml": "DmlExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
}

_HOW_TO_GET: Final = {
    "cuda": "pip install onnxruntime-gpu in place of onnxruntime, with NVIDIA's CUDA and cuDNN",
    "directml": "pip install onnxruntime-directml in place of onnxruntime, on Windows",
    "coreml": "it comes with onnxruntime on macOS",
}
_GET_OPENVINO: Final = "pip install 'undark[openvino]'"


Feeds = Mapping[str, NDArray[np.float32]]
"""Inputs of a graph by name."""


class Session(ABC):
    """A graph that is loaded and ready.

    One run at a time: runs from several threads wait for each other, so memory stays that of
    one run while reading and writing of other photos go on beside it.

    Attributes:
        runtime: Library that runs the graph: ``onnxruntime`` or ``openvino``.
        device: What it really runs on: ``cpu``, ``cuda``, ``coreml`` or ``directml``.
        inputs: Shape of each input by name, None where a dimension is free.
        outputs: Shape of each output by name, likewise.
        exact: Whether all is computed in float32.
    """

    runtime: str
    device: str
    inputs: Mapping[str, tuple[int | None, ...]]
    outputs: Mapping[str, tuple[int | None, ...]]
    exact: bool = True

    def __init__(self) -> None:
        """Prepare what all runtimes share."""
        self._lock = threading.Lock()

    def run(
        self, image: NDArray[np.float32], besides: Feeds = MappingProxyType({})
    ) -> NDArray[np.float32]:
        """The graph's output for 1×3×H×W float32, in the same shape; not clamped.

        Args:
            image: 1×3×H×W RGB in [0, 1]; H and W as the card's multiple and minimum ask.
            besides: The graph's other inputs by name, such as ``glance``, 1×3×h×w.

        Raises:
            DeviceError: The runtime failed, or memory ran out.
        """
        result = self.infer({"image": image, **besides}, "enhanced")
        if result.shape != image.shape:
            # OpenVINO may leave its last result in place, and say nothing, where memory runs out.
            raise DeviceError(
                f"{self.runtime} gave back {_spell(result.shape)} for {_spell(image.shape)}: "
                "out of memory, or a model that changes the size"
            )
        return result

    def infer(self, feeds: Feeds, output: str) -> NDArray[np.float32]:
        """The output of that name, of any shape, for inputs by name.

        Raises:
            DeviceError: The runtime failed, or memory ran out.
        """
        shape = next(iter(feeds.values())).shape
        try:
            with self._lock:
                return self._run(feeds, output)
        except MemoryError as error:
            raise DeviceError(_out_of_memory(shape)) from error
        except Exception as error:
            # The runtimes' exceptions share no base; all that happens in here is theirs.
            if _is_out_of_memory(error):
                raise DeviceError(_out_of_memory(shape)) from error
            raise DeviceError(
                f"{self.runtime} failed on {self.device}: {_reason(error)}"
            ) from error

    @abstractmethod
    def _run(self, feeds: Feeds, output: str) -> NDArray[np.float32]: ...

    def describe(self) -> str:
        """Runtime, its version and the device, for a person: ``openvino 2026.4.1 on cpu``.

        Where it computes in bfloat16, that too.
        """
        bits = "" if self.exact else ", in bfloat16"
        return f"{self.runtime} {self._version()} on {self.device}{bits}"

    @abstractmethod
    def _version(self) -> str: ...

    def check(self, card: Card) -> None:
        """See that the graph is what the card says.

        Raises:
            ModelError: Inputs, outputs or the glance's size differ.
        """
        inputs, outputs = _expected(card)
        for kind, found, wanted in (
            ("inputs", self.inputs, inputs),
            ("outputs", self.outputs, outputs),
        ):
            if set(found) != set(wanted):
                raise ModelError(
                    f"model {card.name!r}: the graph's {kind} are {', '.join(sorted(found))}; "
                    f"its card asks for {', '.join(sorted(wanted))}"
                )
            for name, shape in wanted.items():
                if not _fits(found[name], shape, free=name == "image"):
                    raise ModelError(
                        f"model {card.name!r}: the graph's {name!r} is {_spell(found[name])}; "
                        f"its card asks for {_spell(shape)}"
                    )


_Shapes = dict[str, tuple[int | None, ...]]


def _expected(card: Card) -> tuple[_Shapes, _Shapes]:
    """Inputs and outputs of the graph that the card describes."""
    picture: tuple[int | None, ...] = (None, 3, None, None)
    glance: _Shapes = {}
    if card.glance is not None:
        glance["glance"] = (None, 3, card.glance.height, card.glance.width)
    if card.scaling.mode == "steps":
        return {**glance, "state": (None, STATE)}, {"logits": (None, STOP + 1)}
    if card.scaling.mode == "curves":
        return glance, {"curves": (None, 3, None), "clean": (None, 2)}
    if card.scaling.mode == "relight":
        wanted = {"enhanced": picture, "curves": (None, 3, None), "map": (None, 3, None, None)}
        return {"image": picture, **glance, "control": (None, CONTROLS)}, wanted
    return {"image": picture, **glance}, {"enhanced": picture}


def _fits(found: tuple[int | None, ...], wanted: tuple[int | None, ...], *, free: bool) -> bool:
    """Whether a graph's shape can be the wanted one; `free` dimensions must be so in the graph."""
    if len(found) != len(wanted):
        return False
    return all(
        (mine is None or mine == want) if want is not None else (not free or mine is None)
        for mine, want in list(zip(found, wanted, strict=True))[1:]
    )


def _spell(shape: tuple[int | None, ...]) -> str:
    return "×".join("any" if size is None else str(size) for size in shape)


def _reason(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    # OpenVINO tells its own source lines first and the reason last; ONNX Runtime the reason first.
    return lines[-1 if lines[0].startswith("Exception from") else 0][:200]


def _is_out_of_memory(error: Exception) -> bool:
    text = str(error).lower()
    return any(
        sign in text for sign in ("failed to allocate", "bad_alloc", "bad alloc", "out of memory")
    )


def _out_of_memory(shape: tuple[int, ...]) -> str:
    return (
        f"out of memory while enhancing a tile of {shape[3]}×{shape[2]} pixels; "
        "close other programs or enhance fewer photos at a time"
    )


class _OnnxRuntime(Session):
    """A graph on ONNX Runtime."""

    runtime = "onnxruntime"

    def __init__(self, model: bytes, device: str, threads: int | None) -> None:
        super().__init__()
        import onnxruntime as ort

        options = ort.SessionOptions()
        # Errors come to us as exceptions; the runtime's own talk is not for the user's terminal.
        options.log_severity_level = 4
        if threads is not None:
            options.intra_op_num_threads = threads
        providers = ["CPUExecutionProvider"]
        if device != "cpu":
            if _PROVIDERS[device] not in ort.get_available_providers():
                raise DeviceError(_missing(device))
            providers.insert(0, _PROVIDERS[device])
        try:
            self._session = ort.InferenceSession(model, options, providers=providers)
        except Exception as error:
            if device != "cpu":
                raise DeviceError(f"{device} cannot be used: {_reason(error)}") from error
            raise ModelError(f"not a graph that onnxruntime runs: {_reason(error)}") from error
        if device != "cpu" and _PROVIDERS[device] not in self._session.get_providers():
            # ONNX Runtime falls back to the CPU without a word.
            raise DeviceError(f"{device} cannot be used by this onnxruntime; {_HOW_TO_GET[device]}")
        self.device = device
        self.inputs = {item.name: _ort_shape(item) for item in self._session.get_inputs()}
        self.outputs = {item.name: _ort_shape(item) for item in self._session.get_outputs()}
        self._plain, self._tidy = ort.RunOptions(), ort.RunOptions()
        self._shapes: list[tuple[int, ...]] = []
        if device == "cpu":
            # Photos differ in size: without this the arena keeps the sum of all it ever held.
            self._tidy.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")

    def _run(self, feeds: Feeds, output: str) -> NDArray[np.float32]:
        # Tiles of one size use the same memory again: fresh pages would cost a tenth of their time.
        shapes = [feed.shape for feed in feeds.values()]
        options = self._plain if shapes == self._shapes else self._tidy
        self._shapes = shapes
        result = self._session.run([output], dict(feeds), options)[0]
        return cast("NDArray[np.float32]", result)

    def _version(self) -> str:
        import onnxruntime as ort

        return str(ort.__version__)


def _ort_shape(item: Any) -> tuple[int | None, ...]:
    return tuple(size if isinstance(size, int) else None for size in item.shape)


class _OpenVino(Session):
    """A graph on OpenVINO, on the CPU."""

    runtime = "openvino"
    device = "cpu"

    def __init__(self, model: bytes, threads: int | None, precision: str) -> None:
        super().__init__()
        import openvino

        core = openvino.Core()
        # Unasked it takes what is fastest: bfloat16, or on some float16, whose range is small.
        short = "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        self.exact = precision == "exact" or not short
        settings: dict[str, str | int] = {
            "NUM_STREAMS": 1,
            "INFERENCE_PRECISION_HINT": "f32" if self.exact else "bf16",
        }
        if threads is not None:
            settings["INFERENCE_NUM_THREADS"] = threads
        try:
            graph = core.read_model(model)
            self.inputs = {port.get_any_name(): _vino_shape(port) for port in graph.inputs}
            self.outputs = {port.get_any_name(): _vino_shape(port) for port in graph.outputs}
            _one_at_a_time(graph)
            compiled = core.compile_model(graph, "CPU", settings)
        except Exception as error:
            raise ModelError(f"not a graph that openvino runs: {_reason(error)}") from error
        self._request = compiled.create_infer_request()

    def _run(self, feeds: Feeds, output: str) -> NDArray[np.float32]:
        self._request.infer(dict(feeds), share_inputs=True)
        # The tensor's memory is used again by the next run.
        return np.array(self._request.get_tensor(output).data)

    def _version(self) -> str:
        import openvino

        return str(openvino.__version__).split("-", maxsplit=1)[0]


def _one_at_a_time(graph: Any) -> None:
    """Tell it that one photo comes at a time, which saves it a tenth of its work."""
    shapes = {port: port.get_partial_shape() for port in graph.inputs}
    for shape in shapes.values():
        if shape.rank.is_static and len(shape) and shape[0].is_dynamic:
            shape[0] = 1
    graph.reshape(shapes)


def _vino_shape(port: Any) -> tuple[int | None, ...]:
    return tuple(
        None if size.is_dynamic else int(size.get_length()) for size in port.get_partial_shape()
    )


def _missing(device: str) -> str:
    return f"{device} is not there in the installed onnxruntime; {_HOW_TO_GET[device]}"


def open_session(
    model: bytes,
    *,
    runtime: Runtime = "auto",
    device: Device = "auto",
    threads: int | None = None,
    precision: Precision = "exact",
) -> Session:
    """Load a graph.

    ``auto`` tries, in this order: the GPUs that the installed onnxruntime knows (one that fails
    is told with a RuntimeWarning), OpenVINO where it is installed, ONNX Runtime on the CPU.

    Args:
        model: The ONNX file's bytes.
        runtime: Library to run it.
        device: What to run on; OpenVINO is used on the CPU only.
        threads: CPU threads, at least 1; None lets the runtime choose.
        precision: ``exact`` (float32), or ``fast`` to let OpenVINO compute in bfloat16 where the
            processor does. Where something else has to run the graph, a RuntimeWarning tells that
            nothing is gained; ``auto`` is ``fast`` that says nothing.

    Raises:
        UsageError: An option is unknown, or two exclude each other.
        DeviceError: A runtime or device asked for by name is not there.
        ModelError: The bytes are no graph that the runtime runs.
    """
    for name, value, known in (
        ("runtime", runtime, get_args(Runtime)),
        ("device", device, get_args(Device)),
        ("precision", precision, get_args(Precision)),
    ):
        if value not in known:
            raise UsageError(f"{name} must be one of {', '.join(known)}, not {value!r}")
    if threads is not None and threads < 1:
        raise UsageError(f"threads must be at least 1, not {threads}")
    if precision == "fast" and runtime == "onnxruntime":
        raise UsageError("precision fast is OpenVINO's; onnxruntime computes exactly")
    session = _open(model, runtime, device, threads, precision)
    if precision == "fast" and session.runtime != "openvino":
        warnings.warn(
            f"precision fast is OpenVINO's ({_GET_OPENVINO}); {session.runtime} computes exactly",
            RuntimeWarning,
            stacklevel=2,
        )
    return session


def _open(
    model: bytes, runtime: Runtime, device: Device, threads: int | None, precision: Precision
) -> Session:
    if runtime == "openvino":
        if device not in ("auto", "cpu"):
            raise UsageError(f"openvino runs on the cpu here; for {device} use onnxruntime")
        if not _has_openvino():
            raise DeviceError(f"openvino is not installed: {_GET_OPENVINO}")
        return _OpenVino(model, threads, precision)
    if device not in ("auto", "cpu"):
        return _OnnxRuntime(model, device, threads)
    if device == "auto":
        session = _any_gpu(model, threads)
        if session is not None:
            return session
    if runtime == "auto" and _has_openvino():
        return _OpenVino(model, threads, precision)
    return _OnnxRuntime(model, "cpu", threads)


def _has_openvino() -> bool:
    return importlib.util.find_spec("openvino") is not None


def _any_gpu(model: bytes, threads: int | None) -> Session | None:
    import onnxruntime as ort

    available = ort.get_available_providers()
    for device, provider in _PROVIDERS.items():
        if provider in available:
            try:
                return _OnnxRuntime(model, device, threads)
            except DeviceError as error:
                warnings.warn(f"{error}; the CPU is used", RuntimeWarning, stacklevel=2)
    return None
