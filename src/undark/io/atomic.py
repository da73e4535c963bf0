"""Writing a file so that its final name never bears half a result."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Final

from undark.errors import OutputError

__all__ = ["PART_SUFFIX", "finish", "not_written", "write_atomically"]

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
        part = _part_name(path)
        try:
            with part.open("x+b") as file:
                _hand_on_permissions(path, part)
                if callable(data):
                    data(file)
                else:
                    file.write(data)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                part.unlink()
            raise
    except OSError as error:
        raise not_written(path, error) from error
    _sync_folder(path.parent)


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
    _sync_folder(path.parent)


def not_written(path: Path, error: OSError) -> OutputError:
    """The error as a line that names `path`, the reason and what to do."""
    reason = _REASONS.get(error.errno or 0) or error.strerror or str(error)
    return OutputError(
        f"{path}: could not be written: {reason}",
        argument="output" if error.errno in _ELSEWHERE else "",
    )


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


def _sync_folder(folder: Path) -> None:
    """Make the rename itself durable, where the system knows how."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
