"""Frames of HDR video as an SDR screen shows them, and a change of these done to the frames.

The arithmetic is that of HDR photos (:mod:`undark.engine.hdr`): light = rendition × headroom. As
light is done to planes (:mod:`undark.pixels.lit`), it is exact where colour is stored, and carried
to luma's full size: there a grey of its level is looked up, times what its place gets more or less.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from undark.pixels import transfer
from undark.pixels.arrays import Floats, as_floats
from undark.pixels.colour import linear_to_srgb
from undark.pixels.lighttables import (
    TOP,
    Words,
    linear,
    linear_of_three,
    linear_table,
    mapping,
    srgb_of_root,
    three,
    words,
)
from undark.pixels.lit import MARGIN, rgb_of, store
from undark.pixels.planes import Colours, Planes, Samples

__all__ = ["Rendering", "Shown"]

HLG: Final = 18
_LEAST: Final = 1e-9
_ONE: Final = np.float32(1.0)
_MOST_RATIO: Final = 8.0
# Linear light of BT.2020's primaries in those of BT.709 (ITU-R BT.2087-0).
_TO_709: Final = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], np.float32
)
_SDR_GAMMA: Final = 2.4  # Of a screen (ITU-R BT.1886).
_SHOWN: Final = Colours(0.2126, 0.0722, depth=16)


class Shown(NamedTuple):
    """A frame as an SDR screen shows it.

    Attributes:
        planes: The frame, 16 bits a sample; what is above white is white.
        headroom: By place, at the size of the colours, how many times brighter than white the
            largest channel is, at least 1; None where nothing is.
    """

    planes: Planes
    headroom: Floats | None


class Rendering:
    """HDR frames of one kind, shown on an SDR screen.

    Args:
        code: Their transfer function, 16 (PQ) or 18 (HLG).
        colours: What their samples mean, of 9 to 16 bits.
        peak: The brightest light that is to be shown, in cd/m²; for tone mapping.
    """

    def __init__(self, code: int, colours: Colours, peak: float = transfer.HLG_PEAK) -> None:
        """Make the tables: of samples, and of roots of light, which tell dark ones apart."""
        self._code, self._is_hlg, self._colours = code, code == HLG, colours
        steps = np.linspace(0.0, 1.0, TOP + 1)
        self._scale = transfer.HLG_PEAK / transfer.REFERENCE_WHITE
        pq_top = transfer.PQ_PEAK / transfer.REFERENCE_WHITE
        self._top = np.float32(self._scale if self._is_hlg else pq_top)
        self._light_of = self._decoded(steps)
        if self._is_hlg:
            # Light of a grey is scale · scene ** gamma: what follows is of the scene.
            scene = (self._light_of / self._scale) ** (1.0 / transfer.HLG_GAMMA)
            self._scene = three(scene)
            # By the root of luminance: what makes light of the scene, and the other way round.
            bright = np.maximum(steps**2, _LEAST)
            self._to_light = as_floats(self._scale * bright ** (transfer.HLG_GAMMA - 1.0))
            back = bright ** ((transfer.HLG_GAMMA - 1.0) / transfer.HLG_GAMMA) * self._scale
            self._to_scene = as_floats(1.0 / back)
            self._of_root = three(
                words(self._encoded(self._scale * (steps**2) ** transfer.HLG_GAMMA))
            )
        else:
            light = self._light_of
            self._light3 = three(light)
            self._direct = three(words(linear_to_srgb(np.minimum(light, _ONE))))
            self._back = three(words(self._encoded(linear(steps))))
        # Of greys, by the fourth root of their light.
        self._grey_of_root = as_floats(self._encoded(steps**4 * float(self._top)))
        self._mapping = mapping(peak / transfer.REFERENCE_WHITE, pq_top)
        # Of luma's samples: light, what is shown of it, and what a shown one becomes.
        self._grey_light = self._decoded(_values(colours))
        shown = linear_to_srgb(np.minimum(self._grey_light, _ONE))
        self._grey_shown = as_floats(shown + np.float32(MARGIN))
        self._grey_linear = as_floats(linear(_values(_SHOWN)))
        self._grey_lit = as_floats(self._encoded(self._grey_linear) + MARGIN)
        mapped = self._grey_light * _looked_up_root(self._grey_light, self._mapping, pq_top)
        self._grey_mapped = as_floats(np.clip(mapped, 0.0, 1.0) ** (1.0 / _SDR_GAMMA) + MARGIN)
        self._pq_top = np.float32(pq_top)

    def _decoded(self, values: NDArray[Any]) -> Floats:
        grey = np.repeat(values[None, :, None], 3, axis=2)
        return as_floats(transfer.decode(grey, self._code)[0, :, 0])

    def _encoded(self, light: NDArray[Any]) -> NDArray[np.float64]:
        grey = np.repeat(light[None, :, None], 3, axis=2)
        return transfer.encode(grey, self._code)[0, :, 0]

    def rendition(self, source: Planes) -> Shown:
        """The frame as an SDR screen shows it, of more depth; what is above white is white."""
        small = _small(source)
        rgb = rgb_of(small, source)
        shown, headroom = self._shown_scene(rgb) if self._is_hlg else self._shown_direct(rgb)
        y, u, v = cv2.split(cv2.transform(shown, _matrix(_SHOWN)))
        planes = Planes(np.empty(source.y.shape, np.uint16), np.asarray(u), np.asarray(v), _SHOWN)
        exact = _unit(y, _SHOWN)
        _carry(source.y, small, exact, planes, self._grey_shown)
        return Shown(planes, headroom)

    def _shown_direct(self, rgb: Words) -> tuple[Words, Floats | None]:
        """Encoded by the sRGB curve, channel by channel but for what is above white."""
        shown = np.asarray(cv2.LUT(rgb, self._direct), np.uint16)
        most = _largest(rgb)
        bright = np.flatnonzero(self._light_of[most.ravel()] > 1.0) if most.size else most
        if not bright.size:
            return shown, None
        headroom = np.ones(most.shape, np.float32)
        light = self._light_of[rgb.reshape(-1, 3)[bright]]
        over = light.max(axis=1)
        headroom.reshape(-1)[bright] = over
        shown.reshape(-1, 3)[bright] = words(linear_to_srgb(as_floats(light / over[:, None])))
        return shown, headroom

    def _shown_scene(self, rgb: Words) -> tuple[Words, Floats | None]:
        """The same of HLG, of which light depends on luminance."""
        light = self._light(rgb)
        most = _largest(light)
        headroom = None
        if float(most.max()) > 1.0:
            headroom = as_floats(np.maximum(most, _ONE))
            light = cv2.divide(light, _merged(headroom), dst=light)
        index = _index(cv2.sqrt(light, dst=light))
        return np.asarray(cv2.LUT(index, srgb_of_root()), np.uint16), headroom

    def relit(self, source: Planes, before: Shown, after: Planes, target: Planes) -> None:
        """Write `source` with the change from its rendition `before` to `after` to `target`."""
        was = before.planes
        pairs = ((was.y, after.y), (was.u, after.u), (was.v, after.v))
        if all(np.array_equal(mine, its) for mine, its in pairs):
            source.copy_to(target)
            return
        small, lit = _small(source), _small(after)
        rgb = rgb_of(lit, after)
        colours = replace(self._colours, depth=16)
        encoded = self._lit(rgb, before.headroom)
        y, u, v = cv2.split(cv2.transform(encoded, _matrix(colours)))
        factor: Any = self._colours.luma_span / colours.luma_span
        for plane, result in ((u, target.u), (v, target.v)):
            cv2.multiply(np.minimum(plane, TOP - 32), factor, dst=result, dtype=cv2.CV_16U)
        exact = _unit(y, colours)
        if source.y.shape == source.u.shape:
            _put(exact, target.y, self._colours)
            return
        ratio = _ratio(exact, self._grey(small, lit))
        _spread(self._grey(source.y, after.y), ratio, target.y, self._colours)

    def _lit(self, rgb: Words, headroom: Floats | None) -> Words:
        """Encoded RGB of the rendition, as bright as its headroom says."""
        if not self._is_hlg:
            encoded = np.asarray(cv2.LUT(rgb, self._back), np.uint16)
            if headroom is not None:
                bright = np.flatnonzero(headroom > 1.0)
                light = linear_table()[rgb.reshape(-1, 3)[bright]]
                light *= headroom.reshape(-1)[bright][:, None]
                encoded.reshape(-1, 3)[bright] = words(self._by_root(light))
            return encoded
        light = as_floats(cv2.LUT(rgb, linear_of_three()))
        if headroom is not None:
            light = as_floats(cv2.multiply(light, _merged(headroom), dst=light))
        root = np.sqrt(_luminance(light) * np.float32(1.0 / self._scale))
        factor = as_floats(cv2.LUT(_index(root), self._to_scene))
        light = as_floats(cv2.multiply(light, _merged(factor), dst=light))
        index = _index(np.sqrt(light, out=light))
        return np.asarray(cv2.LUT(index, self._of_root), np.uint16)

    def _grey(self, luma: Samples, seen: Samples) -> Floats:
        """What greys of these levels, shown like that, become, with a margin."""
        result = _of(seen, self._grey_lit)
        white = int(np.searchsorted(self._grey_light, 1.0, side="right"))
        if int(luma.max()) >= white:
            bright = np.flatnonzero(luma.ravel() >= white)
            light = self._grey_linear[seen.ravel()[bright]]
            light = light * self._grey_light[luma.ravel()[bright]]
            result.reshape(-1)[bright] = self._by_root(light) + np.float32(MARGIN)
        return result

    def _by_root(self, light: Floats) -> Floats:
        """Encoded light of greys, and in PQ of any channel."""
        root = np.sqrt(np.sqrt(np.clip(light / self._top, 0.0, 1.0)))
        return self._grey_of_root[np.rint(root * np.float32(TOP)).astype(np.uint16)]

    def tone_mapped(self, source: Planes, target: Planes) -> None:
        """Write `source`, brought within BT.709 for SDR screens, to `target`."""
        out, small = target.colours, _small(source)
        light = self._light(rgb_of(small, source))
        gain = _looked_up_root(_largest(light), self._mapping, float(self._pq_top))
        light = cv2.multiply(light, _merged(gain), dst=light)
        light = np.clip(cv2.transform(light, _TO_709), 0.0, 1.0)
        y, u, v = out.from_rgb(as_floats(cv2.pow(light, 1.0 / _SDR_GAMMA)))
        for plane, result in ((u, target.u), (v, target.v)):
            store(plane * np.float32(out.colour_span), out.middle, result, out)
        _carry(source.y, small, y, target, self._grey_mapped)

    def _light(self, rgb: Words) -> Floats:
        """Light of encoded RGB, 1.0 being reference white."""
        if not self._is_hlg:
            return as_floats(cv2.LUT(rgb, self._light3))
        scene = as_floats(cv2.LUT(rgb, self._scene))
        gain = cv2.LUT(_index(cv2.sqrt(_luminance(scene))), self._to_light)
        return as_floats(cv2.multiply(scene, _merged(gain), dst=scene))


def _carry(luma: Samples, small: Samples, exact: Floats, target: Planes, usual: Floats) -> None:
    """Write what becomes of `luma`, known exactly at a smaller size, to the luma of `target`.

    Args:
        luma: Of the source.
        small: The same at the size of the colours.
        exact: What that becomes.
        target: Is written to.
        usual: What greys of all samples become, with a margin.
    """
    if luma.shape == small.shape:
        _put(exact, target.y, target.colours)
    else:
        _spread(_of(luma, usual), _ratio(exact, _of(small, usual)), target.y, target.colours)


def _ratio(exact: Floats, usual: Floats) -> Floats:
    """What a place gets more or less than a grey, with a margin, of its level."""
    ratio = exact + np.float32(MARGIN)
    ratio /= usual
    return np.minimum(ratio, np.float32(_MOST_RATIO), out=ratio)


def _spread(usual: Floats, ratio: Floats, target: Samples, colours: Colours) -> None:
    wide: Any = cv2.resize(ratio, (usual.shape[1], usual.shape[0]), interpolation=cv2.INTER_LINEAR)
    span = float(colours.luma_span)
    wide = cv2.multiply(usual, wide, dst=wide, scale=span)
    store(wide, colours.black - MARGIN * span, target, colours)


def _put(exact: Floats, target: Samples, colours: Colours) -> None:
    store(exact * np.float32(colours.luma_span), colours.black, target, colours)


def _small(frame: Planes) -> Samples:
    """Luma at the size of the colours."""
    if frame.y.shape == frame.u.shape:
        return frame.y
    size = (frame.u.shape[1], frame.u.shape[0])
    return np.asarray(cv2.resize(frame.y, size, interpolation=cv2.INTER_AREA))


def _matrix(colours: Colours) -> NDArray[np.float64]:
    """RGB of 16 bits to y, u and v of as many."""
    red, green, blue = (float(weight) for weight in colours.weights)
    rows = np.array(
        [
            [red, green, blue],
            np.array([-red, -green, 1.0 - blue]) / (2.0 * (1.0 - blue)),
            np.array([1.0 - red, -green, -blue]) / (2.0 * (1.0 - red)),
        ]
    )
    spans = np.array([[colours.luma_span], [colours.colour_span], [colours.colour_span]])
    zeros = np.array([[colours.black], [colours.middle], [colours.middle]])
    return np.concatenate([rows * spans / TOP, zeros], axis=1)


def _unit(luma: Any, colours: Colours) -> Floats:
    values = luma.astype(np.float32)
    values -= np.float32(colours.black)
    values *= np.float32(1.0 / colours.luma_span)
    return as_floats(values)


def _values(colours: Colours) -> NDArray[np.float64]:
    """Luma in [0, 1] of all samples of 16 bits, of which there may be fewer."""
    return np.clip((np.arange(TOP + 1.0) - colours.black) / colours.luma_span, 0.0, 1.0)


def _of(luma: Samples, table: Floats) -> Floats:
    return as_floats(cv2.LUT(np.ascontiguousarray(luma), table))


def _index(values: Any) -> Any:
    """Of [0, 1] in 16 bits, by OpenCV, which takes a factor for one channel only."""
    flat = values.reshape(values.shape[0], -1)
    factor: Any = float(TOP)
    found = np.asarray(cv2.multiply(flat, factor, dtype=cv2.CV_16U), np.uint16)
    return found.reshape(values.shape)


def _merged(plane: Any) -> Any:
    return cv2.merge([plane, plane, plane])


def _largest(values: Any) -> Any:
    largest: Any = np.maximum(values[..., 0], values[..., 1])
    return np.maximum(largest, values[..., 2], out=largest)


def _luminance(light: Floats) -> Floats:
    return as_floats(cv2.transform(light, transfer.LUMINANCE.astype(np.float32)[None]))


def _looked_up_root(light: Floats, table: Floats, top: float) -> Floats:
    root = np.sqrt(np.sqrt(np.minimum(light / np.float32(top), _ONE)))
    return table[np.rint(root * np.float32(TOP)).astype(np.uint16)]
