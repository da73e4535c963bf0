"""Animated GIF, WebP and PNG: frames with their times, in and out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

import numpy as np

from undark.errors import DamagedError, UnreadableError, UnsupportedError
from undark.io.atomic import write_atomically
from undark.io.formats import FORMATS, PHOTO_SUFFIXES
from undark.io.formats.base import converted
from undark.io.formats.chunks import chunks
from undark.io.formats.texts import TEXT_KINDS, XMP_KEY, Texts, decoded_text, text_chunks
from undark.io.metadata.exif import bare_block
from undark.io.metadata.icc import fitting_icc
from undark.io.metadata.placing import Room, placed
from undark.photo import Photo, Text

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["ANIMATIONS", "Animation", "Frame", "is_animated", "read_animation"]

ANIMATIONS: Final = (".gif", ".webp", ".png", ".apng")
"""Suffixes of files that may be animated."""

# What players make of no time; and the least that is no trick, where a format cannot hold a time.
_USUAL: Final = 0.1
_LEAST_MS: Final = 20
# A GIF counts hundredths of a second.
_GIF_MS: Final = 10
_QUALITY: Final = 85
_NEARLY: Final = 1e-3
_PNG: Final = (".png", ".apng")
_PNG_HEAD: Final = 8
_MAX_PIXELS: Final = 50_000_000


def is_animated(path: Path) -> bool:
    """Whether a GIF, WebP or PNG holds more than one frame; what cannot be read holds none."""
    if path.suffix.lower() not in ANIMATIONS or not path.is_file():
        return False
    if path.suffix.lower() in _PNG:
        return _is_animated_png(path)
    from PIL import Image

    try:
        with Image.open(path) as image:
            return bool(getattr(image, "is_animated", False))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return False


def _is_animated_png(path: Path) -> bool:
    """Whether a PNG says before its pixels that it is animated (PNG, third edition, 11.3.4)."""
    try:
        with path.open("rb") as file:
            at = file.seek(_PNG_HEAD)
            while len(head := file.read(12)) == 12 and head[4:8] != b"IDAT":
                if head[4:8] == b"acTL":
                    return int.from_bytes(head[8:12], "big") > 1
                at = file.seek(at + 12 + int.from_bytes(head[:4], "big"))
    except OSError:
        pass
    return False


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One frame of an animation, as it is seen.

    Attributes:
        photo: Whole, 8 bits, with the metadata of the file.
        seconds: How long it is shown, as stored; 0 where it is left to the player.
        count: Frames of the animation.
        plays: Times that the animation is shown; 0 is for ever.
    """

    photo: Photo
    seconds: float
    count: int
    plays: int

    @property
    def shown(self) -> float:
        """Seconds that it is shown."""
        return self.seconds or _USUAL


def read_animation(path: Path) -> Iterator[Frame]:
    """The frames of an animation, in their order.

    Raises:
        InputError: It cannot be read.
    """
    from PIL import Image, ImageSequence

    try:
        with Image.open(path) as image:
            if image.width * image.height > _MAX_PIXELS:
                raise UnsupportedError(f"{path}: its frames are too large for an animation")
            # A PNG may begin with an image for programs that know no animation.
            still = int(image.info.get("default_image", False))
            count = int(getattr(image, "n_frames", 1)) - still
            plays = _plays(image)
            said: dict[str, Any] | None = None
            for number, frame in enumerate(ImageSequence.Iterator(image)):
                frame.load()  # a WebP tells its times only then
                if number < still:
                    continue
                seconds = float(frame.info.get("duration") or 0) / 1000
                if said is None:
                    said = _metadata_of(image, path)
                yield Frame(replace(_photo(frame), **said), seconds, count, plays)
    except FileNotFoundError as error:
        raise UnreadableError(f"{path}: cannot be read: there is no such file") from error
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        reason = " ".join(str(error).split())
        raise DamagedError(f"{path}: is damaged or truncated: {reason}") from error


def _plays(image: Image.Image) -> int:
    """How often an animation is shown; a GIF stores how often it is repeated, or nothing."""
    stored = image.info.get("loop")
    if image.format == "GIF":
        return 1 if stored is None else int(stored) and int(stored) + 1
    return int(stored or 0)


def _photo(frame: Image.Image) -> Photo:
    icc = frame.info.get("icc_profile")
    if frame.mode.startswith("I"):  # 16-bit grey, which Pillow would clip
        gray = (np.asarray(frame) >> 8).astype(np.uint8)
        return Photo(np.repeat(gray[..., None], 3, axis=2), icc=icc)
    if not frame.has_transparency_data:
        return Photo(np.asarray(frame.convert("RGB")), icc=icc)
    samples = np.asarray(frame.convert("RGBA"))
    return Photo(np.ascontiguousarray(samples[..., :3]), alpha=samples[..., 3], icc=icc)


def _metadata_of(image: Image.Image, path: Path) -> dict[str, Any]:
    """EXIF, XMP, IPTC and texts of an animation, as stored: its frames are not turned."""
    found = {"format": image.format, "exif": bare_block(image.info.get("exif"))}
    if image.format == "PNG":
        texts = Texts()
        with path.open("rb") as file, suppress(DamagedError):
            for kind, data in chunks(file):
                if kind in TEXT_KINDS:
                    texts.take(kind, data)
        texts.close()
        exif = found["exif"] or texts.exif
        said = {"xmp": texts.xmp, "iptc": texts.iptc, "texts": tuple(texts.texts)}
        return {**found, "exif": exif, **said}
    comment = decoded_text(image.info.get("comment") or b"")
    said = {"texts": (Text("Comment", comment),) if comment else ()}
    return {**found, "xmp": image.info.get("xmp"), **said}


class Animation:
    """An animated file in the making; it is written whole when it ends.

    Args:
        path: Ends in one of `ANIMATIONS`.
    """

    def __init__(self, path: Path) -> None:
        """Begin without frames."""
        self._path = path
        self._suffix = path.suffix.lower()
        self._plays = 0
        self._first: Photo | None = None
        self._frames: list[Image.Image] = []
        self._times: list[int] = []
        self._owed = 0.0

    def add(self, photo: Photo, seconds: float, *, plays: int = 0) -> None:
        """Show `photo` next, for so long, in an animation that is shown `plays` times.

        The first one's metadata become the file's.
        """
        from PIL import Image

        self._plays = plays
        self._first = self._first or photo
        pixels = converted(photo.pixels, np.uint8)
        if photo.alpha is not None:
            pixels = np.dstack([pixels, converted(photo.alpha, np.uint8)])
        image = Image.fromarray(pixels)
        if self._suffix == ".gif":
            image = _paletted(image)
        self._frames.append(image)
        self._times.append(self._milliseconds(seconds))

    def _milliseconds(self, seconds: float) -> int:
        """How long a frame is shown, so that all that were rounded last as long as they should."""
        unit = _GIF_MS if self._suffix == ".gif" else 1
        exact = round(seconds * 1000)
        if exact % unit == 0 and abs(seconds * 1000 - exact) < _NEARLY:
            return exact
        owed = seconds * 1000 + self._owed
        found = max(round(owed / unit) * unit, _LEAST_MS)
        self._owed = owed - found
        return found

    def close(self) -> None:
        """Write the file.

        Raises:
            OutputError: It could not be written.
        """
        first, *others = self._frames
        options: dict[str, Any] = {"duration": self._times} | self._metadata()
        if self._suffix == ".gif":
            options |= {"format": "GIF", "disposal": 2 if first.info.get("seen") else 1}
            if self._plays != 1:
                options["loop"] = max(self._plays - 1, 0)
        else:
            options["loop"] = self._plays
            if self._suffix in _PNG:
                options |= {"format": "PNG", "disposal": 0, "blend": 0, "default_image": False}
            else:
                options |= {"format": "WEBP", "quality": _QUALITY, "method": 2}

        def save(file: BinaryIO) -> None:
            first.save(file, save_all=True, append_images=others, **options)

        write_atomically(self._path, save)

    def _metadata(self) -> dict[str, Any]:
        """The metadata that the format has a place for, as Pillow takes them."""
        from PIL.PngImagePlugin import PngInfo

        assert self._first is not None
        kind = FORMATS[PHOTO_SUFFIXES[self._suffix]]
        room = Room(kind.name, kind.iptc, kind.texts, kind.comment, kind.xmp)
        photo, _ = placed(self._first, room)
        if self._suffix == ".gif":
            comment = "\n".join(text.text for text in photo.texts)
            return {"comment": comment.encode("utf-8", "replace")} if comment else {}
        found: dict[str, Any] = {"icc_profile": fitting_icc(photo.icc, gray=False)}
        found["exif"] = photo.exif
        if self._suffix in _PNG:
            found["pnginfo"] = info = PngInfo()
            if photo.xmp:
                info.add(b"iTXt", XMP_KEY + b"\0\0\0\0\0" + photo.xmp)
            for name, data in text_chunks(photo):
                info.add(name, data)
        else:
            found["xmp"] = photo.xmp
        return {name: value for name, value in found.items() if value is not None}


def _paletted(image: Image.Image) -> Image.Image:
    """At most 256 colours of its own, dithered; what is nearly transparent is so wholly."""
    from PIL import Image

    solid = image.convert("RGB")
    if image.mode == "RGB":
        return solid.quantize(256, Image.Quantize.MEDIANCUT)
    result = solid.quantize(255, Image.Quantize.MEDIANCUT)
    result.paste(255, mask=image.getchannel("A").point([255] * 128 + [0] * 128))
    result.info["transparency"] = 255
    result.info["seen"] = True
    return result
