"""A zip that is streamed as it is made: stored, since photos and videos do not get smaller."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath
from typing import Final

__all__ = ["stream_archive"]

_PIECE: Final = 1 << 20


class _Pipe(io.RawIOBase):
    """A file to be written to, whose bytes are taken away again."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: bytes, /) -> int:  # pyright: ignore[reportIncompatibleMethodOverride]
        self._parts.append(bytes(data))
        return len(data)

    def take(self) -> bytes:
        data = b"".join(self._parts)
        self._parts.clear()
        return data


def stream_archive(files: Sequence[tuple[Path, str]]) -> Iterator[bytes]:
    """The bytes of a zip, a piece at a time.

    Args:
        files: Each file and its name in the zip; of names that are alike, later ones are numbered.
    """
    pipe = _Pipe()
    taken: set[str] = set()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_STORED) as archive:
        for path, name in files:
            inside = _free(name, taken)
            taken.add(inside.lower())
            info = zipfile.ZipInfo.from_file(path, inside)
            with path.open("rb") as source, archive.open(info, "w") as target:
                while piece := source.read(_PIECE):
                    target.write(piece)
                    yield pipe.take()
            yield pipe.take()
    yield pipe.take()


def _free(name: str, taken: set[str]) -> str:
    stem, suffixes = PurePath(name).stem, PurePath(name).suffix
    found, number = name, 2
    while found.lower() in taken:
        found, number = f"{stem} ({number}){suffixes}", number + 1
    return found
