"""Tables of parameters that PyTorch wrote, read without PyTorch and without running anything.

Weights of well-known networks come as pickles. A pickle can run whatever its writer likes, so of
these only the few names that a table of parameters needs are known; any other is refused.
"""

from __future__ import annotations

import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from undark.errors import UsageError

__all__ = ["read_weights"]

_UNFIT = (
    OSError, EOFError, AttributeError, IndexError, KeyError, TypeError, ValueError, MemoryError,
    OverflowError, RecursionError, pickle.UnpicklingError, zipfile.BadZipFile, NotImplementedError,
)  # fmt: skip


def read_weights(path: Path) -> dict[str, NDArray[Any]]:
    """The parameters by name in a file that ``torch.save`` made of a network's ``state_dict()``.

    Both of PyTorch's formats are known: the ZIP archive, and the row of pickles of before its
    version 1.6. Entries that are not arrays are left out.

    Raises:
        UsageError: The file cannot be read, or holds anything else.
    """
    try:
        read = _archive if zipfile.is_zipfile(path) else _pickles
        table, arrays = read(path)
        found = {
            str(name): tensor.of(arrays)
            for name, tensor in table.items()
            if isinstance(tensor, _Tensor)
        }
    except _UNFIT as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise UsageError(f"{path}: not a table of parameters: {reason}") from error
    if not found:
        raise UsageError(f"{path}: not a table of parameters: there is no array in it")
    return found


def _archive(path: Path) -> tuple[Mapping[Any, Any], Mapping[str, bytes]]:
    """The table in a ZIP archive ``NAME/data.pkl`` with raw numbers in ``NAME/data/KEY``."""
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if name.endswith("data.pkl")]
        if len(names) != 1:
            raise pickle.UnpicklingError("it is another archive")
        folder = names[0].removesuffix("data.pkl")
        order = f"{folder}byteorder"
        if order in archive.namelist() and archive.read(order) != b"little":
            raise pickle.UnpicklingError("its numbers are big-endian")
        reader = _Reader(BytesIO(archive.read(names[0])))
        table = reader.load()
        return table, {key: archive.read(f"{folder}data/{key}") for key in reader.kinds}


def _pickles(path: Path) -> tuple[Mapping[Any, Any], Mapping[str, bytes]]:
    """The table in a row of pickles: three of the format, the table, the keys, raw numbers."""
    with path.open("rb") as file:
        for _ in range(3):  # A magic number, the format's version, sizes of integers.
            _Reader(file).load()
        reader = _Reader(file)
        table = reader.load()
        # Each storage is preceded by its count.
        return table, {
            key: file.read(int.from_bytes(file.read(8), "little") * reader.kinds[key].itemsize)
            for key in _Reader(file).load()
        }


@dataclass(frozen=True, slots=True)
class _Tensor:
    """Where in which storage a tensor lies."""

    storage: tuple[str, np.dtype[Any]]
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def of(self, arrays: Mapping[str, bytes]) -> NDArray[Any]:
        """The array, from the storages' raw numbers; a copy where they lie in another order."""
        key, kind = self.storage
        if 0 in self.shape:
            return np.zeros(self.shape, kind)
        if min((self.offset, *self.strides, *self.shape)) < 0:
            raise ValueError("a tensor lies outside of its storage")
        steps = zip(self.shape, self.strides, strict=True)
        count = 1 + sum(step * (side - 1) for side, step in steps)
        # NumPy refuses a count that is not there, so nothing beside the storage is read.
        flat = np.frombuffer(arrays[key], kind, count, self.offset * kind.itemsize)
        strides = [step * kind.itemsize for step in self.strides]
        view = np.lib.stride_tricks.as_strided(flat, self.shape, strides, writeable=False)
        return view.copy()  # in order, and writeable


class _Reader(pickle.Unpickler):
    """Knows the names that a table of parameters needs, and keeps the type of each storage."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file)
        self.kinds: dict[str, np.dtype[Any]] = {}

    def find_class(self, module: str, name: str) -> Any:
        known: dict[tuple[str, str], Any] = {
            ("collections", "OrderedDict"): OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2"): _tensor,
            ("torch._utils", "_rebuild_parameter"): _parameter,
            ("torch", "HalfStorage"): np.dtype("<f2"),
            ("torch", "FloatStorage"): np.dtype("<f4"),
            ("torch", "DoubleStorage"): np.dtype("<f8"),
            ("torch", "LongStorage"): np.dtype("<i8"),
        }
        if (module, name) not in known:
            raise pickle.UnpicklingError(f"it names {module}.{name}")
        return known[module, name]

    def persistent_load(self, pid: Any) -> tuple[str, np.dtype[Any]]:
        kind, dtype, key = pid[:3]
        if kind != "storage":
            raise pickle.UnpicklingError(f"it names a {kind}")
        self.kinds[key] = dtype
        return key, dtype


def _tensor(storage: Any, offset: int, size: Any, strides: Any, *_rest: Any) -> _Tensor:
    return _Tensor(storage, offset, tuple(size), tuple(strides))


def _parameter(tensor: _Tensor, *_rest: Any) -> _Tensor:
    return tensor
