"""From what a user names (files, folders, globs) to pairs of a source and its destination."""

from __future__ import annotations

import glob
import os
import stat
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from undark.errors import UndarkError, UnreadableError, UsageError
from undark.io.formats import (
    FORMATS,
    PHOTO_SUFFIXES,
    RAW_SUFFIXES,
    READABLE_SUFFIXES,
    format_named,
    is_readable_name,
    result_format,
    suffix_format,
)
from undark.io.names import natural_key
from undark.io.video.animation import ANIMATIONS, is_animated
from undark.io.video.containers import VIDEO_SUFFIXES, is_video_name
from undark.io.video.feed import shows_video
from undark.io.video.sequence import is_sequence_name

__all__ = [
    "OUTPUT_MARK",
    "Pair",
    "is_glob",
    "is_replaceable",
    "is_source_name",
    "is_video",
    "plan",
    "result_suffix",
]

OUTPUT_MARK = ".undark"
"""What stands before the suffix of a result that lies beside its source."""

_SEPARATORS = (os.sep, os.altsep or os.sep)


@dataclass(frozen=True, slots=True)
class Pair:
    """One photo or video to enhance and where its result goes."""

    source: Path
    destination: Path


@dataclass(frozen=True, slots=True)
class _Found:
    """A source, and its place below the input that named it."""

    path: Path
    place: Path


def plan(
    inputs: Sequence[str | Path],
    *,
    output: str | Path | None = None,
    recursive: bool = False,
    format: str | None = None,
    in_place: bool = False,
) -> list[Pair]:
    """Which photos and videos are meant, and where each result goes.

    Inputs are files, folders and globs (``*``, ``?``, ``[...]``, ``**``). A folder gives its own
    photos, with `recursive` also those below it; hidden files, results of earlier runs
    (``night.undark.jpg``) and unfinished files are left out. A result that is named among its own
    source, as a shell's ``*.jpg`` does, is left out too. A file that does not exist is kept, so
    that reading it reports it without stopping the others; so is a glob that matches nothing. What
    a folder holds that is no file (a pipe, a device) is left out.

    Without `output`, ``night.jpg`` becomes ``night.undark.jpg`` beside it. With a folder it
    becomes ``FOLDER/night.jpg``, and the tree below an input folder is kept. With a file (one
    input, and a suffix that can be written) exactly that. Camera RAW becomes ``.tif``, a still GIF
    ``.png``, a video of a kind that undark does not write, or without a suffix,
    ``.mkv``; all else keeps its suffix
    unless `format` asks for another, which videos ignore. A name such as ``frame%05d.png`` stands
    for numbered images, which are one video. Where sources of one folder differ only in their
    suffix and would meet, each keeps its own in the name: ``night.heic.undark.jpg``.

    Args:
        inputs: Files, folders and globs.
        output: A folder, or a file for a single photo.
        recursive: Look into sub-folders.
        format: Format of all results ("png", "jpg", ...).
        in_place: Replace the sources themselves.

    Returns:
        Pairs in the order of the inputs, and in natural order within each; no source and no
        destination twice.

    Raises:
        UnreadableError: The folders named hold no photo or video.
        UsageError: No input is named, two results would meet, a result would replace a source
            without `in_place`, none can be replaced with it, or the arguments contradict each
            other.
    """
    kind = format_named(format) if format else None
    if in_place and (output is not None or kind):
        raise UsageError(
            "a photo that is replaced in place keeps its name and format: neither an output nor a"
            " format can be chosen",
            argument="in_place",
        )
    folder, file = _target(inputs, output, kind)
    found = _without_results(_unique(_expand(inputs, recursive, folder)))
    if not found:
        raise _nothing(inputs, recursive)
    if in_place:
        # Among others, what cannot be replaced is an error of its own.
        if not any(is_replaceable(item.path) for item in found):
            raise UsageError(
                f"{found[0].path}: cannot be replaced in place: undark does not write its format"
            )
        return [Pair(item.path, item.path) for item in found]
    if file is not None:
        pairs = [Pair(item.path, file) for item in found]
    else:
        pairs = _apart(found, folder, kind)
    _check(pairs)
    return pairs


def _apart(found: list[_Found], folder: Path | None, kind: str | None) -> list[Pair]:
    """Each source and its destination; those of one folder that would meet keep their suffixes."""
    pairs = [Pair(item.path, _destination(item, folder, kind)) for item in found]
    crowded = _meeting(pairs)
    return [
        Pair(item.path, _destination(item, folder, kind, whole_name=True))
        if len(crowded.get(_key(pair.destination), ())) == 1
        else pair
        for item, pair in zip(found, pairs, strict=True)
    ]


def _target(
    inputs: Sequence[str | Path], output: str | Path | None, kind: str | None
) -> tuple[Path | None, Path | None]:
    """The output folder or the output file; neither where results lie beside their sources."""
    if output is None:
        return None, None
    path = Path(output)
    folder = path.is_dir() or str(output).endswith(_SEPARATORS)
    if folder or (not path.suffix and not path.is_file()):
        return path, None
    if len(inputs) != 1 or Path(inputs[0]).is_dir() or is_glob(inputs[0]):
        if path.is_file() or suffix_format(path) or _holds_video(path):
            raise UsageError(
                f"{output}: several inputs need a folder for their results, not a file",
                argument="output",
            )
        return path, None
    written = suffix_format(path)
    if not (_holds_video(path) if is_video(Path(inputs[0])) else written):
        raise UsageError(
            f"{output}: undark does not write {path.suffix or 'such'} files; choose another suffix,"
            " or end the name of a folder with a slash"
        )
    if kind and written and kind != written:
        raise UsageError(
            f"{output}: this suffix and the format {kind.lower()} contradict each other",
            argument="format",
        )
    return None, path


def is_video(path: Path) -> bool:
    """Whether `path` is a video, stands for numbered images, or is an animation.

    The content decides where the name says nothing.
    """
    named = is_video_name(path) or is_sequence_name(path)
    return named or is_animated(path) or shows_video(path)


def _holds_video(path: Path) -> bool:
    suffix = path.suffix.lower()
    numbered = is_sequence_name(path) and suffix_format(path) is not None
    return numbered or suffix in VIDEO_SUFFIXES or suffix in ANIMATIONS


def _is_taken(path: Path) -> bool:
    return is_readable_name(path) or is_video_name(path)


def is_source_name(path: Path) -> bool:
    """Whether a folder gives this file, by its name: a photo or video that is no result."""
    return _is_taken(path) and OUTPUT_MARK not in path.suffixes[-2:-1]


def is_glob(item: str | Path) -> bool:
    """Whether this is a pattern, and not the name of a file that is there."""
    return glob.has_magic(str(item)) and not os.path.lexists(item)


def _expand(inputs: Sequence[str | Path], recursive: bool, folder: Path | None) -> Iterator[_Found]:
    for item in inputs:
        path = Path(item)
        if path.is_dir():
            for child in _scan(path, recursive, folder):
                yield _Found(child, child.relative_to(path))
        elif is_glob(item):
            matches = sorted(glob.glob(str(item), recursive=True), key=natural_key)  # noqa: PTH207
            photos = [Path(name) for name in matches if _is_taken(Path(name))]
            root = _fixed_part(str(item))
            photos = [p for p in photos if p.is_file() and OUTPUT_MARK not in p.suffixes]
            for photo in photos:
                yield _Found(photo, photo.relative_to(root))
            if not photos:
                yield _Found(path, Path(path.name))
        else:
            yield _Found(path, Path(path.name))


def _fixed_part(pattern: str) -> Path:
    """The folder of a glob above which nothing varies; the tree below it is kept."""
    fixed: list[str] = []
    for part in Path(pattern).parts[:-1]:
        if glob.has_magic(part):
            break
        fixed.append(part)
    return Path(*fixed)


def _scan(folder: Path, recursive: bool, output: Path | None) -> Iterator[Path]:
    """The photos in a folder; with `recursive` also below it, each real folder once.

    A folder that may not be listed is given itself, so that reading it says so.
    """
    skipped = output.resolve() if output else None
    seen: set[Path] = set()
    denied: list[Path] = []

    def refuse(error: OSError) -> None:
        denied.append(Path(error.filename))

    for here, folders, files in os.walk(folder, followlinks=True, onerror=refuse):
        path = Path(here)
        seen.add(path.resolve())
        inside = sorted((name for name in folders if not name.startswith(".")), key=natural_key)
        folders[:] = []
        for name in inside if recursive else []:
            real = (path / name).resolve()
            if real not in seen and real != skipped:
                seen.add(real)
                folders.append(name)
        for name in sorted(files, key=natural_key):
            child = path / name
            if is_source_name(child) and not _is_special(child):
                yield child
    yield from denied


def _is_special(path: Path) -> bool:
    """Whether this is a pipe, a device or a socket: to read it could mean to wait for ever."""
    try:
        return not stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return False


def _unique(found: Iterator[_Found]) -> list[_Found]:
    first: dict[str, _Found] = {}
    for item in found:
        first.setdefault(_key(item.path), item)
    return list(first.values())


def _without_results(found: list[_Found]) -> list[_Found]:
    """Without those that an earlier run made from another of the sources."""
    stems = {(item.path.parent, item.path.stem) for item in found}
    names = {(item.path.parent, item.path.name) for item in found}

    def is_result(path: Path) -> bool:
        stem, mark, _ = path.stem.rpartition(OUTPUT_MARK)
        made = mark and path.stem.endswith(OUTPUT_MARK)
        return bool(made) and ((path.parent, stem) in stems or (path.parent, stem) in names)

    return [item for item in found if not is_result(item.path)]


def _key(path: Path) -> str:
    return os.path.normcase(path.absolute())


def _nothing(inputs: Sequence[str | Path], recursive: bool) -> UndarkError:
    if not inputs:
        return UsageError("no input given; name photos, videos, folders or globs")
    named = ", ".join(str(item) for item in inputs[:3]) + (", ..." if len(inputs) > 3 else "")
    return UnreadableError(
        f"{named}: no photo or video found", argument="" if recursive else "recursive"
    )


def result_suffix(source: Path, kind: str | None) -> str:
    """The suffix of the result: the source's own wherever that names the right format.

    Args:
        source: A file that is there; a GIF is looked into.
        kind: The format that is asked for, which videos ignore.
    """
    own = suffix_format(source)
    suffix = source.suffix.lower()
    if is_video(source):
        kept = suffix in VIDEO_SUFFIXES or suffix in ANIMATIONS or is_sequence_name(source)
        return source.suffix if kept else ".mkv"
    if kind is not None:
        return source.suffix if own == kind else FORMATS[kind].suffix
    if own and suffix != ".mpo":  # a JPEG that holds several images; the result holds one
        return source.suffix
    known = PHOTO_SUFFIXES.get(suffix) or ("RAW" if suffix in RAW_SUFFIXES else None)
    return FORMATS[result_format(known)].suffix


def _destination(
    item: _Found, folder: Path | None, kind: str | None, *, whole_name: bool = False
) -> Path:
    stem = item.path.name if whole_name else _stem(item.path)
    suffix = result_suffix(item.path, kind)
    if folder is None:
        return item.path.with_name(f"{stem}{OUTPUT_MARK}{suffix}")
    return folder / item.place.with_name(stem + suffix)


def _stem(path: Path) -> str:
    is_known = path.suffix.lower() in READABLE_SUFFIXES or is_video_name(path)
    return path.stem if is_known else path.name


def _meeting(pairs: list[Pair]) -> dict[str, set[Path]]:
    """Destinations that more than one source has, and the folders of those sources."""
    sources: dict[str, list[Path]] = defaultdict(list)
    for pair in pairs:
        sources[_key(pair.destination)].append(pair.source)
    return {
        key: {path.parent for path in paths} for key, paths in sources.items() if len(paths) > 1
    }


def is_replaceable(source: Path) -> bool:
    """Whether undark writes files such as this one; of one that does not exist, True."""
    is_written = source.suffix.lower() in VIDEO_SUFFIXES or is_animated(source)
    return not source.exists() or suffix_format(source) is not None or is_written


def _check(pairs: list[Pair]) -> None:
    owner: dict[str, Path] = {}
    for pair in pairs:
        other = owner.setdefault(_key(pair.destination), pair.source)
        if other != pair.source:
            raise UsageError(
                f"{other} and {pair.source} would both become {pair.destination};"
                " enhance them in separate runs, or let results lie beside their sources",
                argument="output",
            )
    real = {os.path.realpath(pair.source): pair.source for pair in pairs}
    for pair in pairs:
        source = real.get(os.path.realpath(pair.destination))
        if source is not None:
            raise UsageError(
                f"{source}: would be replaced by a result; choose another output, or replace"
                " photos in place",
                argument="in_place",
            )
