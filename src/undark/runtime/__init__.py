"""Runtimes: libraries that run a model's ONNX file, and which of them is taken.

To add one, write a file like :mod:`undark.runtime.openvino` and a line in `RUNTIMES`; or, from a
package of your own, an entry point in the group ``undark.runtimes``::

    [project.entry-points."undark.runtimes"]
    mine = "my_package:MyRuntime"
"""

from __future__ import annotations

import warnings
from importlib.metadata import entry_points
from typing import Final, get_args

from undark.errors import DeviceError, UsageError
from undark.runtime.base import Device, Precision, Runtime, Session
from undark.runtime.onnxruntime import OnnxRuntime
from undark.runtime.openvino import OpenVino

__all__ = ["RUNTIMES", "Device", "Precision", "Runtime", "Session", "find_runtime", "open_graph"]

GROUP: Final = "undark.runtimes"
"""Entry points of other packages' runtimes."""

_ONNX: Final = OnnxRuntime()
_VINO: Final = OpenVino()

RUNTIMES: Final[dict[str, Runtime]] = {item.name: item for item in (_ONNX, _VINO)}
"""undark's own runtimes by name."""


def find_runtime(name: str) -> Runtime:
    """The runtime of that name: undark's own, or one that an installed package brings.

    Raises:
        UsageError: There is none.
    """
    if name in RUNTIMES:
        return RUNTIMES[name]
    others = entry_points(group=GROUP)
    if name in others.names:
        return others[name].load()()
    known = ", ".join(("auto", *RUNTIMES, *sorted(others.names)))
    raise UsageError(f"runtime must be one of {known}, not {name!r}")


def open_graph(
    model: bytes,
    *,
    runtime: str = "auto",
    device: Device = "auto",
    threads: int | None = None,
    precision: Precision = "exact",
) -> Session:
    """Load a graph.

    ``auto`` tries, in this order: the GPUs that the installed onnxruntime knows (one that fails
    gives a RuntimeWarning), OpenVINO where it is installed, ONNX Runtime on the CPU.

    Args:
        model: The ONNX file's bytes.
        runtime: A name of `RUNTIMES` or of another package's, or ``auto``.
        device: What to run on; OpenVINO is used on the CPU only.
        threads: CPU threads, at least 1; None lets the runtime choose.
        precision: ``exact`` (float32), or ``fast`` to let OpenVINO compute in bfloat16 where the
            processor does. Where something else has to run the graph, a RuntimeWarning says that
            nothing is gained; ``auto`` is ``fast`` that says nothing.

    Raises:
        UsageError: An option is unknown, or two exclude each other.
        DeviceError: A runtime or device asked for by name is not there.
        ModelError: The bytes are no graph that the runtime runs.
    """
    named = None if runtime == "auto" else find_runtime(runtime)
    for name, value, known in (
        ("device", device, get_args(Device)),
        ("precision", precision, get_args(Precision)),
    ):
        if value not in known:
            raise UsageError(f"{name} must be one of {', '.join(known)}, not {value!r}")
    if threads is not None and threads < 1:
        raise UsageError(f"threads must be at least 1, not {threads}")
    if precision == "fast" and named is _ONNX:
        raise UsageError("precision fast is OpenVINO's; onnxruntime computes exactly")
    if named is not None and (named is not _ONNX or device != "auto"):
        session = named.open(model, device=device, threads=threads, precision=precision)
    else:
        session = _picked(model, named, device, threads, precision)
    if precision == "fast" and session.runtime == _ONNX.name:
        warnings.warn(
            f"precision fast is OpenVINO's ({_VINO.how_to_get}); {session.runtime} computes"
            " exactly",
            RuntimeWarning,
            stacklevel=2,
        )
    return session


def _picked(
    model: bytes, named: Runtime | None, device: Device, threads: int | None, precision: Precision
) -> Session:
    """A session on the first of what ``auto`` stands for that works."""

    def load(runtime: Runtime, on: str) -> Session:
        return runtime.open(model, device=on, threads=threads, precision=precision)

    if device == "auto":
        for gpu in _ONNX.gpus():
            try:
                return load(_ONNX, gpu)
            except DeviceError as error:
                warnings.warn(f"{error}; the CPU is used", RuntimeWarning, stacklevel=3)
    elif device != "cpu":
        return load(_ONNX, device)
    return load(_VINO if named is None and _VINO.is_installed else _ONNX, "cpu")
