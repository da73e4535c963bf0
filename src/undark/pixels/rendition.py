"""Frames of HDR video as an SDR screen shows them, and a change of these done to the frames.

The arithmetic is that of HDR photos (:mod:`undark.engine.hdr`): light = rendition × headroom. Here
curves are tables and all is done in bands of rows, several at a time: a video has many frames.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from undark.photo import FloatImage
from undark.pixels import transfer
from undark.pixels.colour import linear_to_srgb, srgb_to_linear
from undark.pixels.planes import Colours, Planes, Samples

__all__ = ["Rendering"]

HLG: Final = 18
_DEPTH: Final = 12  # Bits of a rendition's samples.
_ENTRIES: Final = 65536
_BAND: Final = 1 << 17  # Pixels.
_LEAST: Final = 1e-9
# Linear light of BT.2020's primaries in those of BT.709 (ITU-R BT.2087-0).
_TO_709: Final = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], np.float32
)
_SDR_GAMMA: Final = 2.4  # Of a screen (ITU-R BT.1886).
_KINDS: Final = {"area": cv2.INTER_AREA, "linear": cv2.INTER_LINEAR}

_Band = slice
_Parts = tuple[FloatImage, FloatImage, FloatImage]
_Work = Callable[[tuple[Samples, ...]], _Parts]


class Rendering:
    """HDR frames of one kind, shown on an SDR screen.

    Args:
        code: Their transfer function, 16 (PQ) or 18 (HLG).
        colours: What their samples mean.
        peak: The brightest light that is to be shown, in cd/m²; for tone mapping.
    """

    def __init__(self, code: int, colours: Colours, peak: float = transfer.HLG_PEAK) -> None:
        """Make the tables."""
        self._is_hlg = code == HLG
        self._colours = colours
        self._shown = Colours(0.2126, 0.0722, depth=_DEPTH)
        steps = np.linspace(0.0, 1.0, _ENTRIES)
        grey = np.repeat(steps[None, :, None], 3, axis=2)
        scale = transfer.HLG_PEAK / transfer.REFERENCE_WHITE
        self._scale = np.float32(scale)
        self._top = np.float32(transfer.PQ_PEAK / transfer.REFERENCE_WHITE)
        light = transfer.decode(grey, code)[0, :, 0]
        if self._is_hlg:
            # Light of a grey is scale · scene ** gamma: the tables are of the scene.
            self._decoding = _table((light / scale) ** (1.0 / transfer.HLG_GAMMA))
            beyond = grey[0, :, 0] ** 2
            shown = scale * beyond**transfer.HLG_GAMMA
        else:
            self._decoding = _table(light)
            shown = steps**4 * float(self._top)
        grey = np.repeat(shown[None, :, None], 3, axis=2)
        self._encoding = _table(transfer.encode(grey, code)[0, :, 0])
        self._to_srgb = _table(linear_to_srgb((steps**2).astype(np.float32)))
        self._to_linear = _table(srgb_to_linear(steps.astype(np.float32)))
        self._mapping = _mapping(peak / transfer.REFERENCE_WHITE, float(self._top))

    def rendition(self, source: Planes) -> Planes:
        """The frame as an SDR screen shows it, of more depth; what is above white is white."""

        def shown(parts: tuple[Samples, ...]) -> _Parts:
            light = self._light(self._rgb(parts, source.colours))
            found = light / _headroom(light)
            return self._shown.from_rgb(_looked_up(np.sqrt(found), self._to_srgb))

        return self._made(shown, (source,), source, self._shown)

    def relit(self, source: Planes, before: Planes, after: Planes, target: Planes) -> None:
        """Write `source` with the change from its rendition `before` to `after` to `target`."""
        if all(
            np.array_equal(was, now)
            for was, now in ((before.y, after.y), (before.u, after.u), (before.v, after.v))
        ):
            source.copy_to(target)
            return

        def changed(parts: tuple[Samples, ...]) -> _Parts:
            encoded = np.clip(self._rgb(parts[:3], source.colours), 0.0, 1.0)
            light = self._light(encoded)
            was, now = (
                _looked_up(self._rgb(item, self._shown), self._to_linear)
                for item in (parts[3:6], parts[6:])
            )
            lit = self._encoded(np.maximum(light + (now - was) * _headroom(light), 0.0))
            # The difference is added, so that what does not change stays bit for bit.
            return self._colours.from_rgb(lit - encoded)

        y, u, v = self._parts_of(changed, (source, before, after))
        colours = source.colours
        for plane, result, change, span in (
            (source.y, target.y, y, colours.luma_span),
            (source.u, target.u, u, colours.colour_span),
            (source.v, target.v, v, colours.colour_span),
        ):
            fitted = _resized(change, plane.shape, "area") * np.float32(span)
            result[...] = np.clip(np.rint(plane + fitted), 0, colours.top)

    def tone_mapped(self, source: Planes, target: Planes) -> None:
        """Write `source`, brought within BT.709 for SDR screens, to `target`."""

        def mapped(parts: tuple[Samples, ...]) -> _Parts:
            light = self._light(self._rgb(parts, source.colours))
            brightest = light.max(axis=-1)
            index = np.sqrt(np.sqrt(np.minimum(brightest / self._top, 1.0)))
            light *= _looked_up(index, self._mapping)[..., None]
            light = np.clip(cv2.transform(light, _TO_709), 0.0, 1.0)
            return target.colours.from_rgb(cast(FloatImage, cv2.pow(light, 1.0 / _SDR_GAMMA)))

        made = self._made(mapped, (source,), source, target.colours)
        made.copy_to(target)

    def _light(self, rgb: FloatImage) -> FloatImage:
        """Light of encoded RGB, 1.0 being reference white."""
        found = _looked_up(rgb, self._decoding)
        if self._is_hlg:
            gain = cv2.pow(_luminance(found), transfer.HLG_GAMMA - 1.0) * self._scale
            found *= np.asarray(gain)[..., None]
        return found

    def _encoded(self, light: FloatImage) -> FloatImage:
        if self._is_hlg:
            power = (transfer.HLG_GAMMA - 1.0) / transfer.HLG_GAMMA
            gain = cv2.pow(_luminance(light) / self._scale, power) * self._scale
            return _looked_up(np.sqrt(light / np.asarray(gain)[..., None]), self._encoding)
        return _looked_up(np.sqrt(np.sqrt(light / self._top)), self._encoding)

    @staticmethod
    def _rgb(parts: tuple[Samples, ...], colours: Colours) -> FloatImage:
        """RGB of rows of y, u and v of full size; not clipped."""
        y, u, v = (part.astype(np.float32) for part in parts)
        y = (y - np.float32(colours.black)) * np.float32(1.0 / colours.luma_span)
        u, v = (
            (part - np.float32(colours.middle)) * np.float32(1.0 / colours.colour_span)
            for part in (u, v)
        )
        return colours.to_rgb(y, u, v)

    def _made(
        self,
        work: _Work,
        sources: tuple[Planes, ...],
        like: Planes,
        colours: Colours,
    ) -> Planes:
        """Planes of the shape of `like`, of what `work` makes."""

        def stored(part: FloatImage, shape: tuple[int, ...], zero: int, span: int) -> Samples:
            fitted = _resized(part, shape, "area") * np.float32(span) + np.float32(zero)
            return np.clip(np.rint(fitted), 0, colours.top).astype(colours.dtype)

        y, u, v = self._parts_of(work, sources)
        middle, span = colours.middle, colours.colour_span
        return Planes(
            stored(y, like.y.shape, colours.black, colours.luma_span),
            stored(u, like.u.shape, middle, span),
            stored(v, like.v.shape, middle, span),
            colours,
        )

    def _parts_of(
        self,
        work: _Work,
        sources: tuple[Planes, ...],
    ) -> _Parts:
        """Luma and colours of full size, made by `work` band by band."""
        shape = sources[0].y.shape
        whole = [
            _resized(plane, shape, "linear")
            for item in sources
            for plane in (item.y, item.u, item.v)
        ]
        results = tuple(np.empty(shape, np.float32) for _ in range(3))

        def run(rows: _Band) -> None:
            found = work(tuple(plane[rows] for plane in whole))
            for result, part in zip(results, found, strict=True):
                result[rows] = part

        list(_POOL.map(run, _bands(*shape)))
        return cast(_Parts, results)


_POOL: Final = ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="undark-hdr")


def _table(values: NDArray[Any]) -> NDArray[np.float32]:
    return np.ascontiguousarray(values, np.float32)


def _looked_up(values: NDArray[Any], table: NDArray[np.float32]) -> FloatImage:
    """The table's entries at values in [0, 1]."""
    index = np.clip(values * np.float32(_ENTRIES - 1) + np.float32(0.5), 0, _ENTRIES - 1)
    return cast(FloatImage, cv2.LUT(index.astype(np.uint16), table))


def _luminance(light: FloatImage) -> FloatImage:
    weights = transfer.LUMINANCE.astype(np.float32)[None]
    return np.maximum(cv2.transform(light, weights), np.float32(_LEAST))


def _headroom(light: FloatImage) -> FloatImage:
    return np.maximum(light.max(axis=-1, keepdims=True), np.float32(1.0))


def _mapping(peak: float, top: float) -> NDArray[np.float32]:
    """What light is multiplied by in tone mapping, by its fourth root relative to `top`."""
    light = np.linspace(0.0, 1.0, _ENTRIES) ** 4 * top
    grey = np.repeat(light[None, :, None], 3, axis=2)
    mapped = transfer.tone_map(grey, max(peak, 1.0))[0, :, 0]
    return _table(np.where(light > _LEAST, mapped / np.maximum(light, _LEAST), 1.0))


def _resized(plane: NDArray[Any], shape: tuple[int, ...], kind: str) -> NDArray[Any]:
    if plane.shape == shape:
        return plane
    return cv2.resize(plane, (shape[1], shape[0]), interpolation=_KINDS[kind])


def _bands(rows: int, columns: int) -> Iterator[_Band]:
    step = max(1, _BAND // columns)
    for top in range(0, rows, step):
        yield slice(top, top + step)
