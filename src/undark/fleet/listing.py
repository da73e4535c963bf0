"""From what a user names to the keys of photos, streamed: folders, buckets, tables of addresses."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from undark.errors import DataError, UnreadableError
from undark.fleet.identity import is_taken
from undark.fleet.opening import local_path, open_store
from undark.fleet.stores import Store, is_remote, without_secrets
from undark.fleet.tables import stream

__all__ = ["Key", "Listing", "list_source"]

_KEYS: Final = ("key", "address", "url", "path", "file", "image")
_TABLES: Final = (".parquet", ".csv", ".tsv", ".txt")
_KNOWN: Final = frozenset((*_KEYS, "name", "size", "version", "etag", "mtime", "truth"))


@dataclass(frozen=True, slots=True)
class Key:
    """One photo or video of a source.

    Attributes:
        key: Its name in the source, or its whole address.
        name: Its relative name, which its result's follows; unique in a plan.
        size: Bytes, or None where the source does not say.
        version: ETag or time of change; empty if unknown.
        truth: Address of the well-lit image of the same view, for metrics; empty if there is none.
    """

    key: str
    name: str
    size: int | None = None
    version: str = ""
    truth: str = ""


@dataclass(frozen=True, slots=True)
class Listing:
    """What a source holds.

    Attributes:
        root: Address that relative keys are relative to.
        read: Gives its keys, in the source's order.
    """

    root: str
    read: Callable[[], Iterator[Key]]


def list_source(source: str) -> Listing:
    """The photos and videos of a source.

    Args:
        source: A folder; a bucket or a part of one (``s3://``, ``gs://``, ``az://``); or a table of
            addresses, here or there: Parquet or CSV with a column ``key`` (or ``url``, ``path``,
            ...) and, if it has them, ``name``, ``size``, ``version`` and ``truth``, or a text file
            of one address a line. Addresses in a table are relative to where it lies, or whole.

    Raises:
        UnreadableError: There is no such source.
        DataError: A table has no column of addresses.
        UsageError: Nothing here knows such an address.
    """
    shown = without_secrets(source)
    if is_remote(source):
        suffix = PurePosixPath(urlsplit(source).path).suffix.lower()
        if suffix in _TABLES or source.startswith("http"):
            root, _, name = source.rpartition("/")
            return _table(open_store(root), name, root, suffix)
        return Listing(source.rstrip("/"), lambda: _found(open_store(source)))
    path = local_path(source)
    if path.is_dir():
        return Listing(str(path), lambda: _found(open_store(str(path))))
    if not path.is_file():
        raise UnreadableError(f"{shown}: there is no such folder or table")
    if path.suffix.lower() not in _TABLES:
        known = ", ".join(_TABLES)
        raise UnreadableError(f"{shown}: is no folder and no table of addresses ({known})")
    return _table(open_store(str(path.parent)), path.name, str(path.parent), path.suffix.lower())


def _found(store: Store) -> Iterator[Key]:
    for entry in store.entries():
        if is_taken(entry.name):
            yield Key(entry.name, entry.name, entry.size, entry.version)


def _table(store: Store, name: str, root: str, suffix: str) -> Listing:
    shown = f"{store.address}/{name.partition('?')[0]}"

    def keys() -> Iterator[Key]:
        if suffix == ".parquet":
            rows: Iterator[Mapping[str, Any]] = stream(store.path(name) or store.get(name), _KNOWN)
        else:
            rows = _lines(store, name, suffix)
        for number, row in enumerate(rows, 1):
            column = next((item for item in _KEYS if item in row), None)
            if column is None:
                raise DataError(f"{shown}: has no column named {', '.join(_KEYS[:-1])} or image")
            key = str(row[column] or "").strip()
            if not key:
                raise DataError(f"{shown}: row {number} has no address")
            yield Key(
                key,
                _relative(str(row.get("name") or "").strip() or key),
                _size(row.get("size")),
                str(row.get("version") or row.get("etag") or row.get("mtime") or ""),
                str(row.get("truth") or "").strip(),
            )

    return Listing(root, keys)


def _size(value: Any) -> int | None:
    """A size as tables have it: NaN and blanks are none."""
    with suppress(TypeError, ValueError, OverflowError):
        return int(value)
    return None


def _lines(store: Store, name: str, suffix: str) -> Iterator[Mapping[str, Any]]:
    path = store.path(name)
    with _opened(path) if path is not None else io.BytesIO(store.get(name)) as raw:
        text = io.TextIOWrapper(raw, encoding="utf-8-sig", newline="")
        if suffix in (".csv", ".tsv"):
            yield from csv.DictReader(text, delimiter="\t" if suffix == ".tsv" else ",")
            return
        for line in text:
            if line.strip() and not line.startswith("#"):
                yield {"key": line.strip()}


def _opened(path: Path) -> io.BufferedReader:
    return path.open("rb")


def _relative(key: str) -> str:
    """A relative name for an address: host and path, without what would lead out of a folder."""
    if key.startswith(("http://", "https://")):
        parts = urlsplit(key)
        path = f"{parts.netloc.rpartition('@')[2]}/{unquote(parts.path)}"
        if parts.query:  # another query may be another photo
            mark = hashlib.sha256(parts.query.encode()).hexdigest()[:8]
            whole = PurePosixPath(path)
            path = str(whole.with_name(f"{whole.stem}-{mark}{whole.suffix}"))
    elif is_remote(key):  # its letters are a bucket's own
        path = key.partition("://")[2]
    else:
        path = unquote(urlsplit(key).path) if key.startswith("file://") else key
    parts = [part for part in path.replace("\\", "/").split("/") if part not in ("", ".")]
    return "/".join("_" if part == ".." else part for part in parts) or "_"
