"""The private folder: uploads and results of clients, under names of the server's own.

What clients call their files is a label and no more. The folder is emptied as the server ends, and
folders that killed servers left behind are removed as one starts.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import itertools
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath
from time import monotonic
from typing import Final

from undark.errors import InputError, OutputError, UnsupportedError
from undark.io.formats import FORMATS, READABLE_SUFFIXES
from undark.io.formats.sniff import sniff
from undark.io.video.containers import READ_ONLY_VIDEOS, VIDEO_SUFFIXES
from undark.serve.settings import Limits
from undark.serve.tasks import Facts

__all__ = ["NoRoomError", "Store", "TooLargeError", "Upload", "label_of"]

_PREFIX: Final = "undark-serve-"
_PIECE: Final = 1 << 20
_LONGEST: Final = 200
_STEM: Final = "source"


class TooLargeError(Exception):
    """A body has more bytes than are taken."""


class NoRoomError(Exception):
    """The store is full."""


def label_of(name: str) -> str:
    """What to call a client's file: the last part of its name, without what no line can show."""
    last = PureWindowsPath(PurePosixPath(name).name).name
    clean = "".join(letter for letter in last if letter.isprintable()).strip().strip(".")
    if len(clean) > _LONGEST:
        stem, dot, suffix = clean.rpartition(".")
        kept = suffix if dot and len(suffix) < 10 else ""
        clean = (stem or clean)[: _LONGEST - len(kept) - 1] + (f".{kept}" if kept else "")
    return clean or "photo"


@dataclass(eq=False, slots=True)
class Upload:
    """A client's file.

    Attributes:
        id: By which the client names it.
        label: What the client calls it.
        path: Where it is.
        bytes: Its size.
        sha256: Of its bytes, in hex.
        facts: What it is, once that is known.
        used: When it was last asked for, by the monotonic clock.
        users: Jobs that need it.
    """

    id: str
    label: str
    path: Path
    bytes: int
    sha256: str
    facts: Facts | None = None
    used: float = field(default_factory=monotonic)
    users: int = 0


class Store:
    """Keeps what clients sent and what was made of it.

    Args:
        limits: How much is kept.

    Raises:
        OutputError: The folder cannot be made.
    """

    def __init__(self, limits: Limits) -> None:
        """Make the folder, and remove those of servers that were killed."""
        self._limits = limits
        _remove_left()
        try:
            # Readable by this user alone.
            self.root: Path = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))
        except OSError as error:
            raise OutputError(f"no folder for uploads can be made: {error.strerror}") from error
        self._numbers = itertools.count(1)
        self._sizes: dict[Path, int] = {}
        self.uploads: dict[str, Upload] = {}

    @property
    def bytes(self) -> int:
        """Of all that is kept."""
        return sum(self._sizes.values())

    def folder(self) -> Path:
        """A new, empty folder."""
        path = self.root / str(next(self._numbers))
        path.mkdir(mode=0o700)
        self._sizes[path] = 0
        return path

    def weigh(self, folder: Path) -> None:
        """Count what a folder holds by now."""
        self._sizes[folder] = sum(item.stat().st_size for item in folder.iterdir())

    def remove(self, folder: Path) -> None:
        """Remove a folder and what it holds."""
        self._sizes.pop(folder, None)
        shutil.rmtree(folder, ignore_errors=True)

    async def receive(self, id: str, name: str, body: AsyncIterable[bytes]) -> Upload:
        """Keep a body as it comes.

        Args:
            id: By which the client will name it; not registered yet.
            name: What the client calls it.
            body: Its bytes.

        Raises:
            TooLargeError: It has more bytes than are taken.
            NoRoomError: The store, or the disk, is full.
            InputError: It is nothing that undark takes.
        """
        folder = self.folder()
        try:
            path = folder / _STEM
            digest = hashlib.sha256()
            size = 0
            with path.open("xb") as file:
                async for piece in _pieces(body):
                    size += len(piece)
                    if size > self._limits.body_bytes:
                        raise TooLargeError
                    self._sizes[folder] = size
                    if self.bytes > self._limits.store_bytes:
                        raise NoRoomError
                    digest.update(piece)
                    await asyncio.to_thread(file.write, piece)
            label = label_of(name)
            suffix = _suffix(path, label)
            if not Path(label).suffix:
                label += suffix
            path = path.rename(path.with_suffix(suffix))
        except OSError as error:
            self.remove(folder)
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise NoRoomError from error
            raise
        except BaseException:
            self.remove(folder)
            raise
        return Upload(id, label, path, size, digest.hexdigest())

    @contextmanager
    def held(self, upload: Upload) -> Generator[None]:
        """Within it, an upload's file stays, whatever becomes of the upload."""
        upload.users += 1
        try:
            yield
        finally:
            upload.users -= 1
            upload.used = monotonic()
            if not upload.users and self.uploads.get(upload.id) is not upload:
                self.remove(upload.path.parent)

    def forget(self, upload: Upload) -> None:
        """Let go of an upload: its file is removed once nothing needs it."""
        self.uploads.pop(upload.id, None)
        if not upload.users:
            self.remove(upload.path.parent)

    def sweep(self) -> None:
        """Remove uploads that nobody has asked for in a long time."""
        old = monotonic() - self._limits.keep_seconds
        for upload in list(self.uploads.values()):
            if not upload.users and upload.used < old:
                self.forget(upload)

    def close(self) -> None:
        """Remove all."""
        shutil.rmtree(self.root, ignore_errors=True)


async def _pieces(body: AsyncIterable[bytes]) -> AsyncIterable[bytes]:
    """The body in larger pieces."""
    parts: list[bytes] = []
    size = 0
    async for part in body:
        parts.append(part)
        size += len(part)
        if size >= _PIECE:
            yield b"".join(parts)
            parts, size = [], 0
    yield b"".join(parts)


def _suffix(path: Path, label: str) -> str:
    """The suffix that a file needs to be taken for what it is.

    Raises:
        InputError: It is nothing that undark takes.
    """
    named = Path(label).suffix.lower()
    if named in VIDEO_SUFFIXES or named in READ_ONLY_VIDEOS:
        return named
    try:
        with path.open("rb") as file:
            kind = sniff(file, named)
    except InputError as error:
        raise type(error)(f"{label}: {error}", argument=error.argument) from error
    if named in READABLE_SUFFIXES:
        return named
    if kind == "RAW":
        raise UnsupportedError(f"{label}: is camera RAW; name it with its camera's suffix")
    return FORMATS[kind].suffix


def _remove_left() -> None:
    """Remove the folders of servers that were killed."""
    if sys.platform == "win32":  # where a process cannot be asked for by its number alone
        return
    for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*-*"):
        number = path.name.removeprefix(_PREFIX).partition("-")[0]
        with suppress(OSError, ValueError):
            if path.is_symlink() or path.stat().st_uid != os.getuid():
                continue
            try:
                os.kill(int(number), 0)
            except ProcessLookupError:
                shutil.rmtree(path, ignore_errors=True)
