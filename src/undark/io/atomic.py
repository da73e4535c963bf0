"""Writing a file so that its final name never bears half a result.

Until it is whole, a file has a name of its own and is locked by the process that writes it. So the
next run can tell what a killed one left behind, whatever numbers processes have by then.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO, Final

from undark.errors import OutputError

try:
    import fcntl
except ImportError:  # Windows, where a file that is open cannot be removed anyway
    fcntl = None

__all__ = [
    "PART_SUFFIX",
    "finish",
    "lock",
    "not_written",
    "open_part",
    "remove_leftovers",
    "sync_folder",
    "write_atomically",
]

PART_SUFFIX = ".undark-part"
"""How the name of an unfinished file ends; folder scans skip it."""

_ELSEWHERE: Final = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_REASONS: Final = {
    errno.ENOSPC: "the disk is full; free some space",
    errno.EDQUOT: "the disk quota is used up; free some space",
    errno.EFBIG: "the file would be larger than allowed here",
    errno.EACCES: "no permission to write there; choose another folder",
    errno.EPERM: "no permission to write there; choose another folder",
    errno.EROFS: "the disk is read-only; choose another folder",
    errno.ENOTDIR: "a part of its path is a file, not a folder",
    errno.EEXIST: "a part of its path is a file, not a folder",
    errno.ENAMETOOLONG: "the name is too long for this disk",
}


def write_atomically(
    path: Path, data: bytes | Callable[[BinaryIO], object], *, overwrite: bool = True
) -> None:
    """Write `path` whole or not at all: write beside it, flush to the disk, rename.

    Missing parent folders are made. A file that is replaced hands on its permissions; a new one
    gets the usual ones. A symbolic link is replaced, not followed, so its target stays as it is.

    Args:
        path: The file to write.
        data: Its contents, or a function that writes them to the open (seekable, readable) file.
        overwrite: Replace a file that is there.

    Raises:
        OutputError: It could not be written; the message names `path` and the reason.
    """
    path = Path(path)
    if path.is_dir() and not path.is_symlink():
        raise OutputError(f"{path}: is a folder; name a file in it")
    if not overwrite and os.path.lexists(path):
        raise OutputError(f"{path}: already exists", argument="overwrite")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part, file = open_part(path)
        try:
            with file:
                _hand_on_permissions(path, part)
                if callable(data):
                    data(file)
                else:
                    file.write(data)
                file.flush()
                os.fsync(file.fileno())
                if fcntl is not None:  # while it is locked: else it could be taken for a leftover
                    part.replace(path)
            if fcntl is None:  # Windows renames no open file
                part.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                part.unlink()
            raise
    except OSError as error:
        raise not_written(path, error) from error
    sync_folder(path.parent)


def finish(part: Path, path: Path) -> None:
    """Give a file that was written under the name `part` its final name, `path`.

    Raises:
        OutputError: It could not be renamed, or not be brought to the disk.
    """
    try:
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        _hand_on_permissions(path, part)
        part.replace(path)
    except OSError as error:
        raise not_written(path, error) from error
    sync_folder(path.parent)


def remove_leftovers(folders: Iterable[Path]) -> list[Path]:
    """Remove the unfinished files of processes that are gone; those being written stay.

    Where the system cannot tell (some network disks know no locks), nothing is removed.

    Args:
        folders: Where to look; not below them. One that is not there has none.

    Returns:
        What was removed.
    """
    removed: list[Path] = []
    for folder in dict.fromkeys(folders):
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            found = [
                Path(entry.path)
                for entry in entries
                if entry.name.startswith(".")
                and entry.name.endswith(PART_SUFFIX)
                and entry.is_file(follow_symlinks=False)
            ]
            removed += [path for path in found if _remove_if_left(path)]
    return removed


def _remove_if_left(part: Path) -> bool:
    with contextlib.suppress(OSError):
        if fcntl is None:
            part.unlink()
            return True
        with part.open("rb+") as file:
            lock(file)
            part.unlink()
            return True
    return False


def lock(file: BinaryIO) -> None:
    """Lock the file until it is closed, or this process is gone.

    Raises:
        OSError: Another has locked it, or the disk knows no locks.
    """
    if fcntl is not None:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)


def not_written(path: Path, error: OSError) -> OutputError:
    """The error as a line that names `path`, the reason and what to do."""
    reason = _REASONS.get(error.errno or 0) or error.strerror or str(error)
    return OutputError(
        f"{path}: could not be written: {reason}",
        argument="output" if error.errno in _ELSEWHERE else "",
    )


def open_part(path: Path) -> tuple[Path, BinaryIO]:
    """A new, locked file in the folder of `path`.

    Raises:
        OSError: It cannot be made.
    """
    while True:
        part = _part_name(path)
        file = part.open("x+b")
        with contextlib.suppress(OSError):  # no locks here: then nobody takes it for a leftover
            lock(file)
        # Another run may have taken it for a leftover before it was locked.
        if part.exists():
            return part, file
        file.close()


def _part_name(path: Path) -> Path:
    """A new name in the folder of `path`, no longer than a name may be."""
    # With its additions it must fit into 255 bytes; a letter has up to four.
    return path.with_name(f".{path.name[:50]}.{secrets.token_hex(4)}{PART_SUFFIX}")


def _hand_on_permissions(path: Path, part: Path) -> None:
    """Give `part` the permissions of the regular file it is to replace, if there is one."""
    with contextlib.suppress(OSError):
        old = path.lstat()
        if stat.S_ISREG(old.st_mode):
            part.chmod(stat.S_IMODE(old.st_mode))


def sync_folder(folder: Path) -> None:
    """Make the rename itself durable, where the system knows how."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
