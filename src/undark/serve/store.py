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
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import AsyncIterable, Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import BinaryIO, Final

from undark.errors import InputError, OutputError, UnsupportedError
from undark.io.formats import FORMATS, READABLE_SUFFIXES
from undark.io.formats.sniff import sniff
from undark.io.video.containers import READ_ONLY_VIDEOS, VIDEO_SUFFIXES
from undark.serve.settings import Limits
from undark.serve.tasks import Facts

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

__all__ = ["NoRoomError", "Store", "TooLargeError", "Upload", "label_of"]

_PREFIX: Final = "undark-serve-"
_LOCK: Final = "lock"
_PIECE: Final = 1 << 20
_LONGEST: Final = 200
_STEM: Final = "source"


class TooLargeError(Exception):
    """A body has more bytes than are taken."""


class NoRoomError(Exception):
    """The store is full."""


def label_of(name: str) -> str:
    """What to call a client's file: the last part of its name, without what no line can show."""
    last = re.split(r"[/\\]", name.rstrip("/\\"))[-1]
    clean = "".join(letter for letter in last if letter.isprintable()).strip(" .")
    if len(clean) > _LONGEST:
        stem, dot, suffix = clean.rpartition(".")
        kept = f".{suffix}" if dot and len(suffix) < 10 else ""
        short = (stem if kept else clean)[: _LONGEST - len(kept)].strip(" .")
        clean = (short or "photo") + kept
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
    """

    id: str
    label: str
    path: Path
    bytes: int
    sha256: str
    facts: Facts | None = None
    used: float = field(default_factory=monotonic)


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
            self.root: Path = Path(tempfile.mkdtemp(prefix=_PREFIX))
            self._lock = _locked(self.root / _LOCK)
        except OSError as error:
            raise OutputError(f"no folder for uploads can be made: {error.strerror}") from error
        self._numbers = itertools.count(1)
        self._sizes: dict[Path, int] = {}
        self._holds: Counter[Path] = Counter()
        self._doomed: set[Path] = set()
        self._spare: dict[Path, Callable[[], None]] = {}
        self.uploads: dict[str, Upload] = {}

    @property
    def bytes(self) -> int:
        """Of all that is kept."""
        return sum(self._sizes.values())

    def folder(self) -> Path:
        """A new, empty folder.

        Raises:
            NoRoomError: The store, or the disk, is full.
        """
        self._make_room(1)
        path = self.root / str(next(self._numbers))
        try:
            # Whatever cleans up temporary files may have taken it away.
            self.root.mkdir(mode=0o700, exist_ok=True)
            path.mkdir(mode=0o700)
        except OSError as error:
            raise NoRoomError from error
        self._sizes[path] = 0
        return path

    def weigh(self, folder: Path) -> None:
        """Count what a folder holds by now.

        Raises:
            NoRoomError: It is more than there is room for.
        """
        if folder not in self._sizes:  # it was removed
            return
        size = 0
        for item in folder.rglob("*"):
            with suppress(FileNotFoundError):  # a temporary file, just renamed
                size += item.stat().st_size
        self._sizes[folder] = size
        self._make_room()

    def spare(self, folder: Path, dropped: Callable[[], None]) -> None:
        """Let a folder go when room is needed: those first that were spared first.

        Args:
            folder: Which.
            dropped: Called when it goes; removes it.
        """
        self._spare.setdefault(folder, dropped)

    def _make_room(self, size: int = 0) -> None:
        """Let spared folders go until so much more has room.

        Raises:
            NoRoomError: It has none even so.
        """
        limit = self._limits.store_bytes - size
        for folder in list(self._spare):
            if self.bytes <= limit:
                break
            if not self._holds[folder]:
                self._spare[folder]()
        if self.bytes > limit:
            raise NoRoomError

    def remove(self, folder: Path) -> None:
        """Remove a folder and what it holds, once nothing needs it."""
        if self._holds[folder]:
            self._doomed.add(folder)
            return
        self._doomed.discard(folder)
        self._spare.pop(folder, None)
        self._sizes.pop(folder, None)
        shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def kept(self, *folders: Path) -> Generator[None]:
        """Within it these folders stay, whoever removes them."""
        self._holds.update(folders)
        try:
            yield
        finally:
            self._holds.subtract(folders)
            self._holds += Counter()  # without those that nothing holds
            for folder in self._doomed.intersection(folders):
                self.remove(folder)

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
                    self._make_room()
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
        with self.kept(upload.path.parent):
            try:
                yield
            finally:
                upload.used = monotonic()

    def forget(self, upload: Upload) -> None:
        """Let go of an upload: its file is removed once nothing needs it."""
        self.uploads.pop(upload.id, None)
        self.remove(upload.path.parent)

    def sweep(self) -> None:
        """Remove uploads that nobody has asked for in a long time."""
        old = monotonic() - self._limits.keep_seconds
        for upload in list(self.uploads.values()):
            if not self._holds[upload.path.parent] and upload.used < old:
                self.forget(upload)

    def close(self) -> None:
        """Remove all."""
        shutil.rmtree(self.root, ignore_errors=True)
        self._lock.close()


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


def _locked(path: Path) -> BinaryIO:
    """A file that is locked as long as it is open, so as long as this process lives."""
    file = path.open("ab")
    if fcntl is not None:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            raise
    return file


def _remove_left() -> None:
    """Remove the folders of servers that were killed: those whose lock nobody holds."""
    if fcntl is None:  # Windows
        return
    for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError):
            if not path.is_symlink() and path.stat().st_uid == os.getuid():
                with _locked(path / _LOCK):
                    shutil.rmtree(path, ignore_errors=True)
