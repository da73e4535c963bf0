"""The page: all that it shows is in it, and its policy lets it fetch nothing."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from html import escape
from importlib import resources
from pathlib import Path
from string import Template
from typing import Final

from undark.adjust import CONTROLS
from undark.errors import UsageError
from undark.io.atomic import write_atomically
from undark.io.photo import encode_photo, read_photo
from undark.io.record import Record, find_record
from undark.io.screen import for_screen, size_within
from undark.photo import Photo

__all__ = ["Comparison", "write_page"]

_QUALITY: Final = 88
_MARK: Final = "<!--comparisons-->"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two photos of the same view."""

    before: Path
    after: Path


def write_page(
    pairs: Sequence[Comparison],
    destination: Path,
    *,
    title: str,
    max_side: int = 2048,
    exif: bool = False,
    overwrite: bool = False,
) -> None:
    """Write one HTML file that shows each pair behind a divider, whole or not at all.

    Photos are in it as sRGB of 8 bits: JPEG, or WebP where they are transparent in part. Without
    scripts, and on paper, before and after stand side by side.

    Args:
        pairs: What to compare, at least one pair; both of a pair are shown at the size of `after`.
        destination: The HTML file.
        title: The page's heading.
        max_side: Longest side of what is embedded, in pixels.
        exif: Embed the photos' EXIF too, the place included.
        overwrite: Replace a file that is there.

    Raises:
        UsageError: There is no pair, or the two of one are of different shapes.
        InputError: A photo is missing, damaged or of a kind that undark does not take.
        OutputError: The page could not be written.
    """
    if not pairs:
        raise UsageError("there is nothing to compare")
    head, _, foot = _frame(title, many=len(pairs) > 1).partition(_MARK)

    def parts() -> Iterator[str]:
        yield head
        for pair in pairs:
            yield from _comparison(pair, max_side, exif)
        yield foot

    write_atomically(
        destination,
        lambda file: file.writelines(part.encode() for part in parts()),
        overwrite=overwrite,
    )


def _frame(title: str, *, many: bool) -> str:
    """The page around its comparisons."""
    style, script = _asset("share.css"), _asset("share.js")
    policy = (
        "default-src 'none'; img-src data:;"
        f" style-src '{_digest(style)}'; script-src '{_digest(script)}';"
        " base-uri 'none'; form-action 'none'"
    )
    return Template(_asset("share.html")).substitute(
        title=escape(title),
        policy=policy,
        style=style,
        script=script,
        kind="many" if many else "one",
        comparisons=_MARK,
    )


@cache
def _asset(name: str) -> str:
    found = resources.files("undark.share").joinpath("assets", name)
    return found.read_text(encoding="utf-8").strip()


def _digest(text: str) -> str:
    """What a content security policy calls an element by: the hash of its text."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _comparison(pair: Comparison, max_side: int, exif: bool) -> Iterator[str]:
    after = read_photo(pair.after)
    before = read_photo(pair.before)
    _check_shapes(pair, before, after)
    size = size_within(after.width, after.height, max_side)
    name = escape(pair.after.name)
    yield f'<figure class="pair" aria-label="{name}, before and after">\n<div class="frame">\n'
    for what, photo in (("before", before), ("after", after)):
        yield f'<div class="side {what}"><img src="'
        yield _data_address(photo, size, exif)
        yield (
            f'" width="{size[0]}" height="{size[1]}" alt="{name}, {what}">'
            f"<span>{what.capitalize()}</span></div>\n"
        )
    yield f"</div>\n<figcaption>{name}{_making(find_record(pair.after))}</figcaption>\n</figure>\n"


def _check_shapes(pair: Comparison, before: Photo, after: Photo) -> None:
    """See that one can be scaled to the other: to a pixel, for sizes are whole numbers."""
    small, large = sorted((before, after), key=lambda photo: photo.width)
    wanted = large.height * small.width / large.width
    if abs(small.height - wanted) > 1:
        raise UsageError(
            f"{pair.before} ({before.width}×{before.height}) and {pair.after}"
            f" ({after.width}×{after.height}) are of different shapes; they show no same view"
        )


def _data_address(photo: Photo, size: tuple[int, int], exif: bool) -> str:
    shown = for_screen(photo, size)
    kind, mime = ("JPEG", "image/jpeg") if shown.alpha is None else ("WEBP", "image/webp")
    if exif:
        shown = replace(shown, exif=photo.exif)
    data = encode_photo(shown, format=kind, quality=_QUALITY)
    return f"data:{mime};base64,{base64.b64encode(data).decode()}"


def _making(record: Record | None) -> str:
    """How a result was made, in a few words."""
    if record is None or not record.model:
        return ""
    asked = [
        f"{name} {getattr(record.adjust, name):g}{f' {CONTROLS[name].unit}'.rstrip()}"
        for name in record.adjust.asked()
    ]
    words = ", ".join([f"undark {record.version}".strip(), record.model, *asked])
    return f" <small>{escape(words)}</small>"
