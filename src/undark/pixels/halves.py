"""Large frames: all is done at half of their size or a quarter, and details are carried over.

Noise is cleaned and light is done where that costs least; details finer than that get the light of
their place, less what of them is noise. In 4:2:0 colours lie at half of luma's size anyway.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import cv2
import numpy as np

from undark.pixels.arrays import Floats, as_floats
from undark.pixels.lit import MARGIN, Tone, store
from undark.pixels.planenoise import added, by_roots, energy_of, kept_share, sized, tally_of
from undark.pixels.planes import Planes

__all__ = ["Details", "Known", "halved", "halvings"]

# Frames of more pixels than these are done at half their size, and at a quarter.
_LARGE: Final = (800_000, 1_800_000)
# How much of the noise that is found goes, of luma and of colour.
_LUMA: Final = np.float32(1.0)
_COLOUR: Final = np.float32(3.0)
_WHITE: Final = np.float32(4.0)
_PERIOD: Final = 12
_NEW: Final = 0.5
_MOST_RATIO: Final = 4.0
_MOST_OF_COLOUR: Final = 6.0


def halvings(frame: Planes) -> int:
    """How often a frame is halved: 0 to 2 times."""
    times = sum(frame.y.size > large for large in _LARGE)
    parts = 1 << times
    whole = frame.height % parts == frame.width % parts == 0
    is_420 = frame.u.shape == (frame.height // 2, frame.width // 2)
    return times if whole and is_420 else 0


def halved(frame: Planes) -> Planes:
    """The frame with luma at half its size, and colours no larger than that."""
    shape = (frame.height // 2, frame.width // 2)
    y, u, v = (
        plane
        if plane.shape == shape
        else cv2.resize(plane, shape[::-1], interpolation=cv2.INTER_AREA)
        for plane in (frame.y, frame.u, frame.v)
    )
    return Planes(y, u, v, frame.colours)


class Known(NamedTuple):
    """What is known before details are looked at.

    Attributes:
        cut: Whether a new scene begins.
        most: The most that noise's variance can be in details of luma and of both colours together,
            by roots of levels, in squares of samples; None where nothing is known. Texture that
            fills a frame looks like noise.
    """

    cut: bool
    most: tuple[Floats, Floats] | None = None

    def finer(self) -> Known:
        """What that says of details half as large: white noise has four times the variance."""
        if self.most is None:
            return self
        luma, colour = self.most
        return Known(self.cut, (as_floats(_WHITE * luma), as_floats(_WHITE * colour)))


class Judged(NamedTuple):
    """By what noise is told from details.

    Attributes:
        roots: Square roots of levels, at half size.
        tone: Of the light; the noise that it adds goes.
        cut: Whether a new scene begins.
        most: More noise than this there is not, by roots of levels.
    """

    roots: Floats
    tone: Tone
    cut: bool
    most: Floats | None = None


class Details:
    """Carries details from a frame to what became of its half.

    Args:
        amount: How much of their noise goes, from 0 to 1.
    """

    def __init__(self, amount: float) -> None:
        """Begin with nothing measured."""
        self._amount = np.float32(amount)
        self._fine: Floats = np.empty((0, 0), np.float32)
        self._wide: Floats = self._fine
        self._luma = _Judge(self._amount * _LUMA)
        self._colour = _Judge(self._amount * _COLOUR)

    def carry(
        self, source: Planes, half: Planes, lit: Planes, target: Planes, *, tone: Tone, known: Known
    ) -> None:
        """Write what `lit` shows to `target`, with the details of `source`.

        Args:
            source: The frame, 16 bits a sample.
            half: The same, halved.
            lit: What became of that, in 16 bits.
            target: A frame of the source's shape, of any depth.
            tone: Of the light.
            known: What is known already.
        """
        if self._fine.shape != source.y.shape:
            self._fine, self._wide = (np.empty(source.y.shape, np.float32) for _ in range(2))
        light, level = _level(lit), _level(half)
        # Of neighbours together, or the grain of one would be in the other.
        bright = cv2.blur(light, (3, 3)) + np.float32(MARGIN)
        plain = cv2.blur(level, (3, 3)) + np.float32(MARGIN)
        roots = np.sqrt(np.clip(level, 0.0, 1.0, out=level), out=level)
        more = np.minimum(bright / plain, np.float32(_MOST_OF_COLOUR))
        judged = Judged(roots, tone, known.cut)
        span = np.float32(source.colours.luma_span)
        slopes = by_roots(tone.slopes) / span
        luma, colour = known.most or (None, None)
        most = None if luma is None else as_floats(luma * np.square(slopes))
        self._carry_luma(
            source, half, target, light=light, bright=bright, judged=judged._replace(most=most)
        )
        self._carry_colours(
            source, half, target, lit=lit, more=more, judged=judged._replace(most=colour)
        )

    def _carry_luma(
        self,
        source: Planes,
        half: Planes,
        target: Planes,
        *,
        light: Floats,
        bright: Floats,
        judged: Judged,
    ) -> None:
        """What greys of the levels of both sizes become differs by the details."""
        rows, columns = source.y.shape
        span, size = np.float32(target.colours.luma_span), (columns, rows)
        black = np.float32(target.colours.black)
        usual = as_floats(cv2.LUT(half.y, judged.tone.lifted))
        fine, wide = self._fine, self._wide
        cv2.LUT(source.y, judged.tone.lifted, dst=fine)
        cv2.resize(usual, size, dst=wide)
        cv2.subtract(fine, wide, dst=fine)
        gain = bright / cv2.blur(usual, (3, 3))
        np.minimum(gain, np.float32(_MOST_RATIO), out=gain)
        if self._amount > 0.0:
            gain *= self._luma.kept([fine], judged)
        gain *= span
        cv2.resize(as_floats(gain), size, dst=wide)
        cv2.multiply(fine, wide, dst=fine)
        cv2.resize(as_floats(light * span + black), size, dst=wide)
        if target.colours.depth == 8:
            cv2.add(fine, wide, dst=target.y, dtype=cv2.CV_8U)
        else:
            store(cv2.add(fine, wide, dst=fine), 0.0, target.y, target.colours)

    def _carry_colours(
        self,
        source: Planes,
        half: Planes,
        target: Planes,
        *,
        lit: Planes,
        more: Floats,
        judged: Judged,
    ) -> None:
        """Colours are as much stronger as their place is brighter."""
        out, shape = target.colours, source.u.shape
        factor = np.float32(out.colour_span / source.colours.colour_span)
        middle = np.float32(source.colours.middle)
        shown = [(plane.astype(np.float32) - middle) * factor for plane in (lit.u, lit.v)]
        if half.u.shape != shape:
            finest = [
                as_floats(cv2.subtract(one.astype(np.float32), sized(as_floats(two), shape)))
                for one, two in ((source.u, half.u), (source.v, half.v))
            ]
            if self._amount > 0.0:
                more *= self._colour.kept(finest, judged)
            wide = sized(as_floats(more * factor), shape)
            shown = [
                as_floats(cv2.add(cv2.multiply(one, wide, dst=one), sized(two, shape), dst=one))
                for one, two in zip(finest, shown, strict=True)
            ]
        store(shown[0], out.middle, target.u, out)
        store(shown[1], out.middle, target.v, out)


def _level(frame: Planes) -> Floats:
    level = frame.y.astype(np.float32)
    level -= np.float32(frame.colours.black)
    level *= np.float32(1.0 / frame.colours.luma_span)
    return level


class _Judge:
    """Tells which share of details is no noise.

    Args:
        amount: How much of the noise goes.
    """

    def __init__(self, amount: np.float32) -> None:
        self._amount = amount
        self._noise: Floats | None = None
        self._age = 0

    def kept(self, details: list[Floats], judged: Judged) -> Floats:
        """The share, by place.

        Args:
            details: Of one plane or several, judged together, at the size of the levels or larger.
            judged: By what.
        """
        roots = judged.roots
        energy = energy_of(details[0], roots.shape)
        for other in details[1:]:
            energy += energy_of(other, roots.shape)
        self._age += 1
        if judged.cut or self._noise is None or self._age >= _PERIOD:
            self._age = 0
            found = tally_of(roots, energy)
            if self._noise is not None and not judged.cut:
                found = as_floats(self._noise + np.float32(_NEW) * (found - self._noise))
            self._noise = found
        noise = self._noise if judged.most is None else np.minimum(self._noise, judged.most)
        table = noise * by_roots(added(judged.tone.slopes)) * self._amount
        noise = as_floats(cv2.LUT(cv2.convertScaleAbs(roots, alpha=255.0), as_floats(table)))
        return kept_share(energy, noise)
