"""One photo through an Editor, from its file to what is to be written, with its record."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from undark.adjust import Adjust
from undark.engine.editor import Editor
from undark.io.photo import losses, read_photo, target_format
from undark.io.record import file_digest, record_of, with_record, without_record
from undark.io.strip import strip_losses, stripped
from undark.photo import Photo
from undark.pixels.steps import Step

__all__ = ["Source", "render"]


class Source:
    """A photo's file, or the bytes of one, and the digest of these.

    Args:
        origin: The file, or its bytes. A pipe is read at once, since it can be read only once.
        name: What to call it in errors; by default the path.
        salvage: Take what is there of a photo that is truncated or damaged.
        max_pixels: Refuse a photo of more pixels, by its header.

    Raises:
        OSError: It cannot be read.
    """

    def __init__(
        self,
        origin: Path | bytes,
        name: str | None = None,
        *,
        salvage: bool = False,
        max_pixels: int | None = None,
    ) -> None:
        """See what it is."""
        if isinstance(origin, Path):
            name = name or str(origin)
            if origin.is_fifo():
                origin = origin.read_bytes()
        self._origin = origin
        self._salvage = salvage
        self._max_pixels = max_pixels
        self.name: str = name or "the input"

    def digest(self) -> str:
        """The sha256 of the bytes, in hex; empty where they cannot be read, as `read` then says."""
        if isinstance(self._origin, bytes):
            return hashlib.sha256(self._origin).hexdigest()
        try:
            return file_digest(self._origin)
        except OSError:
            return ""

    def is_at(self, path: Path) -> bool:
        """Whether it is this file."""
        return self._origin == path

    def read(self) -> Photo:
        """The photo.

        Raises:
            InputError: It is missing, damaged or of a kind that undark does not take.
        """
        return read_photo(
            self._origin, name=self.name, salvage=self._salvage, max_pixels=self._max_pixels
        )


def render(
    source: Source,
    destination: Path,
    editor: Editor,
    adjust: Adjust,
    *,
    format: str | None = None,
    quality: int | None = None,
    explain: bool = False,
    record: bool = True,
    strip: str | None = None,
    progress: Callable[[float], None] | None = None,
    tell: Callable[[str], None] | None = None,
) -> tuple[Photo, tuple[Step, ...] | None]:
    """Bring a photo to light.

    Args:
        source: The photo.
        destination: Where it will be written; its suffix decides the format, where none is given.
        editor: What makes the result.
        adjust: What is asked of it.
        format: Format that it will be written in.
        quality: That it will be written with, for the record.
        explain: Give the steps.
        record: Say in the result how it was made.
        strip: What is left out of its metadata; see :func:`undark.io.strip.stripped`.
        progress: Called with the fraction done, rising to 1.
        tell: Called with lines about what was found in the file, and what the result cannot hold.

    Returns:
        The photo as it is to be written, and where they were asked for the steps.

    Raises:
        UndarkError: See `Editor.enhance`, `Editor.steps`, `undark.read_photo` and
            `undark.write_photo`.
    """
    tell = _nobody if tell is None else tell
    # Before the pixels are read: should the file change meanwhile, it is done again.
    digest = source.digest() if record else ""
    before = source.read()
    kind = target_format(before, destination, format)
    old = record_of(before.xmp)
    if old is not None and not source.is_at(destination):
        tell(f"is a result of undark's already ({old.model or 'unknown'}); this comes on top of it")
    told = strip_losses(before, strip)
    before = stripped(before, strip)
    for line in (*before.notices, *told, *losses(before, kind)):
        tell(line)
    steps = editor.steps(before) if explain else None
    photo = editor.enhance(before, adjust=adjust, progress=progress)
    if record:
        made = replace(
            editor.record(before, adjust), source=digest, quality=quality, strip=strip or ""
        )
        photo = with_record(photo, made, kind)
    else:
        photo = without_record(photo)
    return photo, steps


def _nobody(_: object) -> None:
    """What nobody listens to."""
