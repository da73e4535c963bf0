"""A folder of this machine, or of a disk that several share, as a Store."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
import stat
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Final

from undark.errors import OutputError
from undark.fleet.stores import Entry, Store
from undark.io.atomic import not_written, sync_folder, write_atomically

try:
    import fcntl
except ImportError:
    fcntl = None

__all__ = ["WORKSHOP", "Folder"]

WORKSHOP: Final = ".undark-fleet"
"""Folder for what is being made; listings leave it out."""

_NO_LINKS: Final = frozenset(
    {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV}
)


class Folder(Store):
    """A folder.

    Put-if-absent is a hard link, which one of all processes and machines gets; on a disk that knows
    none, a lock.

    Args:
        root: It need not be there yet.
    """

    def __init__(self, root: Path) -> None:
        """Nothing is made before something is put."""
        self.root = root
        self.address: str = str(root)

    def path(self, name: str) -> Path:
        """Where it lies."""
        return self.root / name

    def get(self, name: str) -> bytes:
        """The bytes of that name."""
        return self.path(name).read_bytes()

    def fetch(self, name: str, path: Path) -> None:
        """Copy the file."""
        shutil.copyfile(self.path(name), path)

    def put(self, name: str, data: bytes) -> bool:
        """Put-if-absent."""
        with self._written(name, data) as part:
            return self.publish(part, name) or self.find(name) == data

    def write(self, name: str, data: bytes) -> None:
        """Put, whatever stands there."""
        write_atomically(self.path(name), data)

    def publish(self, path: Path, name: str) -> bool:
        """Put-if-absent of a file, which has to lie on the same disk."""
        target = self.path(name)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            return _moved_if_absent(path, target)
        except OSError as error:
            raise not_written(target, error) from error

    def replace(self, path: Path, name: str) -> None:
        """Put a file, whatever stands there."""
        target = self.path(name)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            path.replace(target)
            sync_folder(target.parent)
        except OSError as error:
            raise not_written(target, error) from error

    def stat(self, name: str) -> Entry | None:
        """What is there."""
        try:
            found = self.path(name).stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        return Entry(name, found.st_size, str(found.st_mtime_ns))

    def entries(self, prefix: str = "") -> Iterator[Entry]:
        """The files below, in the order of their names; no hidden ones, and no folder twice."""
        top = self.root / prefix if prefix else self.root
        yield from _scan(top, prefix.rstrip("/"), {os.path.realpath(top)})

    def delete(self, name: str) -> None:
        """Take a file away."""
        self.path(name).unlink(missing_ok=True)

    @contextlib.contextmanager
    def _written(self, name: str, data: bytes) -> Generator[Path]:
        """A file of those bytes beside the name, taken away in the end."""
        target = self.path(name)
        part = target.with_name(f".{target.name}.{secrets.token_hex(6)}")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with part.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            yield part
        except OSError as error:
            raise not_written(target, error) from error
        finally:
            with contextlib.suppress(OSError):
                part.unlink()


def _moved_if_absent(path: Path, target: Path) -> bool:
    try:
        os.link(path, target)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        return _locked_move(path, target)
    path.unlink()
    sync_folder(target.parent)
    return True


def _locked_move(path: Path, target: Path) -> bool:
    """On a disk without hard links: under a lock, look and rename."""
    lock = target.parent / f"{WORKSHOP}.lock"
    with lock.open("ab") as file:
        if fcntl is not None:
            with contextlib.suppress(OSError):
                fcntl.flock(file.fileno(), fcntl.LOCK_EX)
        if os.path.lexists(target):
            return False
        path.rename(target)
    sync_folder(target.parent)
    return True


def _scan(folder: Path, prefix: str, seen: set[str]) -> Iterator[Entry]:
    try:
        # Names alone: a folder may hold a million.
        names = sorted(name for name in os.listdir(folder) if not name.startswith("."))  # noqa: PTH208
    except FileNotFoundError:
        return
    except OSError as error:
        raise OutputError(f"{folder}: cannot be listed: {error.strerror}") from error
    for item in names:
        path = os.path.join(folder, item)  # noqa: PTH118
        name = f"{prefix}/{item}" if prefix else item
        try:
            state = os.stat(path)  # noqa: PTH116
        except OSError:  # it has just gone, or is a link to nothing
            continue
        if stat.S_ISDIR(state.st_mode):
            real = os.path.realpath(path)
            if real not in seen:
                seen.add(real)
                yield from _scan(Path(path), name, seen)
        elif stat.S_ISREG(state.st_mode):
            yield Entry(name, state.st_size, str(state.st_mtime_ns))
