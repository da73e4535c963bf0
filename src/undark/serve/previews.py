"""Previews: a photo as a screen shows it, before and after, small or in part, made again quickly.

Small photos and the last whole ones are kept: a slider is answered by one small enhancement. A part
at full size is cut from the whole result, so that it is to the bit what a download holds.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from undark.adjust import Adjust
from undark.engine.enhancer import Enhancer
from undark.engine.frames import Quality
from undark.engine.video import VideoEnhancer
from undark.errors import UnsupportedError, UsageError
from undark.io.formats import FORMATS
from undark.io.formats.base import converted, is_opaque, pixel_limit
from undark.io.metadata.cicp import colours_of
from undark.io.photo import encode_photo, read_photo
from undark.io.record import record_of
from undark.io.video.options import Transcoding
from undark.io.video.stills import read_stills
from undark.io.walk import is_video
from undark.photo import Photo, area_resize, from_float
from undark.serve.settings import Limits
from undark.serve.tasks import Facts, Part, Show, Shown

__all__ = ["Previews", "probe"]

_KEPT_BYTES: Final = 256 << 20
_QUALITY: Final = 90


def probe(source: Path, limits: Limits) -> tuple[Facts, Photo | None]:
    """What a file is; of a photo, itself too.

    Raises:
        InputError: It is no photo or video that undark takes, or is too large.
        MissingExtraError: It needs a package that is not installed.
    """
    if is_video(source):
        with pixel_limit(limits.pixels):
            return _probe_video(source), None
    photo = read_photo(source, max_pixels=limits.pixels)
    record = record_of(photo.xmp)
    return Facts(
        kind="photo",
        width=photo.width,
        height=photo.height,
        seconds=None,
        bits=photo.bit_depth,
        alpha=photo.alpha is not None and not is_opaque(photo.alpha),
        format=photo.format or "",
        colours=colours_of(photo),
        notices=photo.notices,
        record=None if record is None else record.as_dict(),
    ), photo


def _probe_video(source: Path) -> Facts:
    with closing(read_stills(source, Transcoding())) as stills:
        first = next(stills, None)
    if first is None:
        raise UnsupportedError(f"{source}: holds no frame")
    photo = first.photo
    return Facts(
        kind="video",
        width=photo.width,
        height=photo.height,
        seconds=first.total * first.seconds,
        bits=photo.bit_depth,
        alpha=photo.alpha is not None and not is_opaque(photo.alpha),
        format=source.suffix.lstrip(".").upper(),
    )


class Previews:
    """Makes previews. Not for several threads.

    Args:
        open_photos: Gives a model for photos.
        open_videos: Gives a VideoEnhancer for one clip.
        limits: How much is taken.
    """

    def __init__(
        self,
        open_photos: Callable[[str], Enhancer],
        open_videos: Callable[[str, Adjust, Quality], VideoEnhancer],
        limits: Limits,
    ) -> None:
        """Nothing is kept yet."""
        self._open_photos = open_photos
        self._open_videos = open_videos
        self._limits = limits
        self._small: OrderedDict[tuple[Path, float, int], Photo] = OrderedDict()
        self._whole: tuple[object, Photo] | None = None
        self._result: tuple[object, Photo] | None = None

    def keep(self, source: Path, photo: Photo) -> None:
        """Keep a photo that was read already, small, for the previews that will be asked for."""
        self._remember((source, 0.0, self._limits.preview_pixels), _shrunk(photo, self._pixels))

    @property
    def _pixels(self) -> int:
        return self._limits.preview_pixels

    def show(self, task: Show, progress: Callable[[float], None]) -> Shown:
        """Make one preview.

        Args:
            task: Which.
            progress: Called with the fraction done, rising to 1.

        Raises:
            UsageError: The model cannot be asked for this, or the part is not in the photo.
            InputError: The file cannot be read.
            DeviceError: The runtime failed, or memory ran out.
        """
        if task.part is None:
            photo = self._source(task)
            if not task.before:
                photo = self._enhanced(photo, task, progress)
            return _shown(photo)
        photo = self._at_full_size(task, progress)
        return _shown(_cut(photo, task.part, self._pixels), exact=True)

    def _source(self, task: Show) -> Photo:
        pixels = min(task.pixels, self._pixels)
        key, largest = ((task.source, task.at, size) for size in (pixels, self._pixels))
        found = self._small.get(key) or self._small.get(largest)
        if found is None:
            found = _shrunk(self._read(task), self._pixels)
            self._remember(largest, found)
        self._remember(key, _shrunk(found, pixels))
        return self._small[key]

    def _read(self, task: Show) -> Photo:
        key = (task.source, task.at)
        if self._whole is not None and self._whole[0] == key:
            return self._whole[1]
        if not is_video(task.source):
            return read_photo(task.source, max_pixels=self._limits.pixels)
        limit = pixel_limit(self._limits.pixels)
        with limit, closing(read_stills(task.source, Transcoding(begin=task.at))) as stills:
            still = next(stills, None)
        if still is None:
            raise UsageError(f"{task.source}: ends before {task.at:g} s", argument="begin")
        return still.photo

    def _at_full_size(self, task: Show, progress: Callable[[float], None]) -> Photo:
        """The whole photo at full size, before or after; the last ones are kept."""
        key = (task.source, task.at)
        if self._whole is None or self._whole[0] != key:
            self._whole = self._result = None  # their memory is needed
            self._whole = (key, self._read(task))
        if task.before:
            return self._whole[1]
        asked = (key, task.model, task.adjust, task.video_quality)
        if self._result is None or self._result[0] != asked:
            self._result = None
            self._result = (asked, self._enhanced(self._whole[1], task, progress))
        return self._result[1]

    def _enhanced(self, photo: Photo, task: Show, progress: Callable[[float], None]) -> Photo:
        if is_video(task.source):
            video = self._open_videos(task.model, task.adjust, task.video_quality)
            return photo.with_pixels(video.enhance_frame(photo.pixels))
        model = self._open_photos(task.model)
        return model.enhance(photo, adjust=task.adjust, progress=progress)

    def _remember(self, key: tuple[Path, float, int], photo: Photo) -> None:
        self._small[key] = photo
        self._small.move_to_end(key)
        while len(self._small) > 1 and sum(map(_size, self._small.values())) > _KEPT_BYTES:
            self._small.popitem(last=False)


def _size(photo: Photo) -> int:
    return photo.pixels.nbytes + (0 if photo.alpha is None else photo.alpha.nbytes)


def _shrunk(photo: Photo, pixels: int) -> Photo:
    """The photo, of at most so many pixels and without what no screen shows."""
    bare = replace(photo, exif=None, xmp=None, iptc=None, texts=(), appended=None)
    scale = math.sqrt(pixels / (photo.width * photo.height))
    if scale >= 1.0:
        return bare
    height = max(1, math.floor(photo.height * scale))
    width = max(1, min(math.floor(photo.width * scale), pixels // height))

    def resized(samples: NDArray[Any]) -> NDArray[Any]:
        return from_float(area_resize(samples, height, width), photo.pixels.dtype)

    alpha = photo.alpha
    if alpha is not None:
        alpha = np.ascontiguousarray(resized(np.repeat(alpha[..., None], 3, axis=2))[..., 0])
    return replace(bare, pixels=resized(photo.pixels), alpha=alpha)


def _cut(photo: Photo, part: Part, pixels: int) -> Photo:
    if part.x + part.width > photo.width or part.y + part.height > photo.height:
        raise UsageError(
            f"the part reaches beyond the photo's {photo.width}×{photo.height} pixels",
            argument="part",
        )
    if part.width * part.height > pixels:
        raise UsageError(
            f"the part has more than {pixels} pixels, the limit of a preview", argument="part"
        )
    rows = slice(part.y, part.y + part.height)
    columns = slice(part.x, part.x + part.width)
    alpha = None if photo.alpha is None else np.ascontiguousarray(photo.alpha[rows, columns])
    return replace(
        _shrunk(photo, photo.width * photo.height),
        pixels=np.ascontiguousarray(photo.pixels[rows, columns]),
        alpha=alpha,
    )


def _shown(photo: Photo, *, exact: bool = False) -> Shown:
    """A photo as a browser takes it; JPEG where it is opaque and need not be exact."""
    alpha = None if photo.alpha is None or is_opaque(photo.alpha) else photo.alpha
    kind = "JPEG" if alpha is None and not exact else "PNG"
    if photo.cicp is None:
        alpha = None if alpha is None else converted(alpha, np.uint8)
        photo = replace(photo, pixels=converted(photo.pixels, np.uint8), alpha=alpha)
    return Shown(encode_photo(photo, format=kind, quality=_QUALITY), FORMATS[kind].mime)
