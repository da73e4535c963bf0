"""What every runtime gives: a graph that is loaded, and honest about what it runs on."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Literal

from undark.errors import DeviceError
from undark.graph import Arrays, Signature

__all__ = ["Device", "Precision", "Runtime", "Session", "first_line"]

Device = Literal["auto", "cpu", "cuda", "coreml", "directml"]
"""What a graph runs on; ``auto`` takes a GPU that the installed onnxruntime knows, else the CPU."""

Precision = Literal["auto", "exact", "fast"]
"""``exact`` computes in float32; ``fast`` lets a runtime choose less (bfloat16 on some CPUs);
``auto`` is ``fast`` where that is enough."""


class Runtime(ABC):
    """A library that runs ONNX graphs. Making one loads nothing.

    One of your own is a class that is named in your package's entry points, in the group
    ``undark.runtimes``; it is loaded when a user asks for it by that name.

    Attributes:
        name: What a user calls it.
        how_to_get: What to do where it is not installed: ``pip install ...``.
    """

    name: ClassVar[str]
    how_to_get: ClassVar[str]

    @property
    @abstractmethod
    def is_installed(self) -> bool:
        """Whether the library is there."""

    @abstractmethod
    def devices(self) -> tuple[str, ...]:
        """What it can run on here, ``cpu`` first; empty where it does not load."""

    @abstractmethod
    def open(
        self, model: bytes, *, device: str, threads: int | None, precision: Precision
    ) -> Session:
        """Load a graph.

        Args:
            model: The ONNX file's bytes.
            device: What to run on; ``auto`` is for the runtime to choose.
            threads: CPU threads; None lets the runtime choose.
            precision: As the user asks; a runtime that always computes in float32 ignores it.

        Raises:
            UsageError: It never runs on such a device.
            DeviceError: It is not installed, or the device is not there.
            ModelError: The bytes are no graph that it runs.
        """


class Session(ABC):
    """A graph that is loaded and ready: a :class:`undark.graph.Graph`.

    One run at a time: runs from several threads wait for each other, so memory stays that of
    one run while reading and writing of other photos go on beside it.

    Attributes:
        runtime: Name of the runtime that runs it.
        device: What it really runs on: ``cpu``, ``cuda``, ``coreml`` or ``directml``.
        signature: The graph's inputs and outputs.
        exact: Whether all is computed in float32.
    """

    runtime: str
    device: str
    signature: Signature
    exact: bool = True

    def __init__(self) -> None:
        """Prepare what all runtimes share."""
        self._lock = threading.Lock()

    def __call__(self, inputs: Arrays, outputs: Sequence[str]) -> Arrays:
        """The outputs of those names.

        Raises:
            DeviceError: The runtime failed, or memory ran out.
        """
        try:
            with self._lock:
                return self._run(inputs, outputs)
        except MemoryError as error:
            raise DeviceError(_out_of_memory(inputs)) from error
        except Exception as error:
            # The runtimes' exceptions share no base; all that happens in here is theirs.
            if _is_out_of_memory(error):
                raise DeviceError(_out_of_memory(inputs)) from error
            raise DeviceError(
                f"{self.runtime} failed on {self.device}: {first_line(error)}"
            ) from error

    @abstractmethod
    def _run(self, inputs: Arrays, outputs: Sequence[str]) -> Arrays: ...

    def describe(self) -> str:
        """Runtime, its version and the device, for a person: ``openvino 2026.4.1 on cpu``.

        Where it computes in bfloat16, that too.
        """
        bits = "" if self.exact else ", in bfloat16"
        return f"{self.runtime} {self._version()} on {self.device}{bits}"

    @abstractmethod
    def _version(self) -> str: ...


def first_line(error: BaseException) -> str:
    """The line of a runtime's error that says what is wrong, no longer than 200 characters."""
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


def _out_of_memory(inputs: Arrays) -> str:
    *_, rows, columns = next(iter(inputs.values())).shape
    return (
        f"out of memory while enhancing a tile of {columns}×{rows} pixels; "
        "close other programs or enhance fewer photos at a time"
    )
