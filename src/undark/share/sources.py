"""Which photos are compared: pairs as they are named, or results with the sources they name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from undark.errors import UnreadableError, UnsupportedError, UsageError
from undark.io.formats import is_readable_name
from undark.io.names import natural_key
from undark.io.record import file_digest, find_record
from undark.io.walk import OUTPUT_MARK

__all__ = ["Named", "Sources", "named", "results_in"]


@dataclass(frozen=True, slots=True)
class Named:
    """A result, and its source where it was named."""

    after: Path
    before: Path | None = None


def named(paths: Sequence[Path]) -> list[Named]:
    """What is to be compared.

    A folder stands for the results in it. Photos that all carry a record are results, each of a
    source that is to be found. All others are pairs: before, after, before, after.

    Args:
        paths: Folders and photos.

    Raises:
        UnreadableError: A file is not there, or a folder holds no result.
        UsageError: Nothing is named, or a photo is left without another.
    """
    if not paths:
        raise UsageError("no photo given; name before and after, results, or a folder of results")
    for path in paths:
        if not path.exists():
            raise UnreadableError(f"{path}: there is no such file")
    folders = [path for path in paths if path.is_dir()]
    files = [path for path in paths if not path.is_dir()]
    found = [Named(result) for folder in folders for result in results_in(folder)]
    return found + _of_files(files)


def _of_files(files: Sequence[Path]) -> list[Named]:
    pairs = list(zip(files[::2], files[1::2], strict=False))
    records = {path: find_record(path) for path in files}
    whole = len(files) % 2 == 0
    if whole and all((r := records[b]) and r.source == file_digest(a) for a, b in pairs):
        return [Named(after, before) for before, after in pairs]
    if all(records.values()):
        return [Named(path) for path in files]
    if not whole:
        alone = next(path for path in reversed(files) if records[path] is None)
        raise UsageError(
            f"{alone}: has no record of what it was made of; name photos in pairs, before and after"
        )
    return [Named(after, before) for before, after in pairs]


def results_in(folder: Path) -> list[Path]:
    """The results of undark's in a folder, in natural order.

    Raises:
        UnreadableError: There is none.
    """
    found = [path for path in _photos_in(folder) if find_record(path) is not None]
    if not found:
        raise UnreadableError(f"{folder}: holds no result of undark's with a record")
    return found


def _photos_in(folder: Path) -> list[Path]:
    try:
        inside = sorted(folder.iterdir(), key=lambda path: natural_key(path.name))
    except OSError as error:
        raise UnreadableError(f"{folder}: cannot be read: {error.strerror}") from error
    return [
        path
        for path in inside
        if is_readable_name(path) and path.is_file() and not path.name.startswith(".")
    ]


class Sources:
    """Finds the photo that a result was made of, by the sha256 in its record.

    Args:
        folders: Where to look, below them too; by default beside each result.

    Raises:
        UnreadableError: A folder is not there.
    """

    def __init__(self, folders: Sequence[Path] = ()) -> None:
        """See that they are there."""
        for folder in folders:
            if not folder.is_dir():
                raise UnreadableError(f"{folder}: there is no such folder")
        self._folders = tuple(folders)

    def of(self, result: Path) -> Path:
        """The source of a result.

        Raises:
            UnsupportedError: It has no record, or its source is not there.
        """
        record = find_record(result)
        if record is None:
            raise UnsupportedError(f"{result}: has no record of what it was made of")
        if record.source:
            for path in self._likeliest_first(result):
                try:
                    if path != result and file_digest(path) == record.source:
                        return path
                except OSError:
                    continue
        where = ", ".join(str(folder) for folder in self._folders) or str(result.parent)
        raise UnsupportedError(
            f"{result}: its source is not in {where}; name both, before and after, or say where"
            " sources are"
        )

    def _likeliest_first(self, result: Path) -> list[Path]:
        stem = result.stem.removesuffix(OUTPUT_MARK)
        photos = [path for folder in self._looked_in(result) for path in _photos_in(folder)]
        return sorted(photos, key=lambda path: stem not in (path.stem, path.name))

    def _looked_in(self, result: Path) -> Iterator[Path]:
        if not self._folders:
            yield result.parent
        for folder in self._folders:
            yield folder
            yield from (path for path in sorted(folder.rglob("*")) if path.is_dir())
