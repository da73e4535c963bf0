"""Where photos come from: files taken as they lie, others fetched, and what was fetched checked."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final
from urllib.parse import unquote, urlsplit

from undark.errors import OutputError, UnreadableError
from undark.fleet.opening import local_path, open_store
from undark.fleet.plan import Row
from undark.fleet.retries import Patience
from undark.fleet.stores import Store, is_remote, without_secrets
from undark.io.record import file_digest

__all__ = ["Fetched", "Sources", "StoreError"]

_SHORT = Patience(attempts=5)
_CHANGED: Final = "changed since it was planned"
_LONGEST: Final = 10  # letters of a suffix
_MD5: Final = 32
_NANO: Final = 18


class StoreError(OutputError):
    """A store or server did not give a file, however often it was asked."""


class _ShortError(OSError):
    """Less came than there is."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A source on this machine's disk.

    Attributes:
        path: Where it lies.
        sha256: Of its bytes, in hex.
        size: Bytes.
        note: What is to be told of it.
    """

    path: Path
    sha256: str
    size: int
    note: str = ""


class Sources:
    """The sources of a plan. Threads may share it.

    Args:
        root: Address that keys are relative to.
    """

    def __init__(self, root: str) -> None:
        """Stores are opened when they are asked for."""
        self._root = root
        self._stores: dict[str, Store] = {}
        self._lock = threading.Lock()

    def fetch(self, row: Row, folder: Path) -> Fetched:
        """The source of a key; one that lies on this machine stays where it is.

        Args:
            row: The key.
            folder: Where it is put if it comes from elsewhere.

        Raises:
            UnreadableError: It is not there any more, or may not be read.
            StoreError: Its store fails, or gives less than there is.
        """
        return self.get(row.key, folder, f"source{_suffix(row.name)}", row.size, row.version)

    def get(
        self, key: str, folder: Path, name: str, size: int | None = None, version: str = ""
    ) -> Fetched:
        """A file by its address.

        Args:
            key: The address.
            folder: Where it is put if it comes from elsewhere.
            name: Under this name.
            size: As it was planned.
            version: As it was planned.

        Raises:
            UnreadableError: As `fetch`; so is the next.
            StoreError: Likewise.
        """
        shown = without_secrets(key)
        store, place = self._store(key)
        path = store.path(place)
        note = ""
        try:
            if path is None:
                path = folder / name
                note = _SHORT(lambda: _fetched(store, place, path, size))
            elif size is not None and path.stat().st_size != size:
                note = _CHANGED
            if not note and version and _is_other(store, place, path, version):
                note = _CHANGED
            return Fetched(path, file_digest(path), path.stat().st_size, note)
        except _ShortError as error:
            raise StoreError(f"{shown}: {error}") from error
        except (FileNotFoundError, NotADirectoryError) as error:
            raise UnreadableError(f"{shown}: there is no such file any more") from error
        except PermissionError as error:
            raise UnreadableError(f"{shown}: no permission to read it") from error
        except OutputError as error:
            # What the store says stands after its own address.
            raise _of_store(shown, error) from error
        except OSError as error:
            raise StoreError(f"{shown}: {error.strerror or error}") from error

    def _store(self, key: str) -> tuple[Store, str]:
        if is_remote(key):
            parts = urlsplit(key)
            root = f"{parts.scheme}://{parts.netloc}"
            name = key.removeprefix(root).lstrip("/")
        elif key.startswith(("/", "file://")) or Path(key).is_absolute():
            path = local_path(key)
            root, name = str(path.parent), path.name
        else:
            root = self._root
            name = unquote(key) if root.startswith("file://") else key
        with self._lock:
            # Folders cost nothing, and there may be as many as photos.
            store = self._stores.get(root) or open_store(root)
            if is_remote(root):
                self._stores[root] = store
        return store, name


def _of_store(shown: str, error: OutputError) -> UnreadableError | StoreError:
    cause = error.__cause__
    if isinstance(cause, PermissionError):
        return UnreadableError(f"{shown}: no permission to read it")
    return StoreError(f"{shown}: {str(error).partition(': ')[2] or error}")


def _suffix(name: str) -> str:
    """The end of a name, by which formats are known; a key may be longer than a file's name."""
    suffix = PurePosixPath(name).suffix
    return suffix if len(suffix) <= _LONGEST else ""


def _is_other(store: Store, name: str, path: Path, version: str) -> bool:
    """Whether a file is not the one that was planned, as far as ETags and times tell."""
    if store.path(name) is not None:
        # A table's times may be in any unit; a folder's are in nanoseconds.
        return version.isdecimal() and len(version) >= _NANO and _time(path) != version
    if len(version) == _MD5:
        with path.open("rb") as file:
            if hashlib.file_digest(file, "md5").hexdigest() == version.lower():
                return False
    there = store.stat(name)
    return there is not None and there.version not in ("", version.strip('"'))


def _time(path: Path) -> str:
    return str(path.stat().st_mtime_ns)


def _fetched(store: Store, name: str, path: Path, size: int | None) -> str:
    """Fetch a file and see that all of it came; what is to be told of it."""
    store.fetch(name, path)
    came = path.stat().st_size
    if came == size:
        return ""
    there = store.stat(name)
    if there is None or there.size is None:
        return ""
    if there.size != came:
        raise _ShortError(f"{came} of {there.size} bytes came; the store gives less than there is")
    return "" if size is None else _CHANGED
