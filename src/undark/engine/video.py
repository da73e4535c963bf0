"""The VideoEnhancer: dark frames in, bright and steady ones out.

A model that gives tone curves is asked about a frame's glance, up to ten times a second; its curves
are smoothed over time and done to the frame's own planes by tables, faster than film plays. Any
other model enhances frame by frame, and its light is steadied afterwards.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from undark import tone
from undark.curves import SAMPLES, look_up, sample_points, tables
from undark.engine.curves import decide_curves
from undark.engine.enhancer import Enhancer
from undark.engine.session import Device, Precision, Runtime, Session, open_session
from undark.engine.temporal import Averager, Steady
from undark.engine.yuv import PlaneTables, relight_planes
from undark.errors import UsageError
from undark.io.video.planes import Colours, Planes
from undark.models.card import Card, Glance
from undark.models.store import Model, resolve
from undark.photo import FloatImage, Photo, from_float, to_float

__all__ = ["DEFAULT_MODEL", "VideoEnhancer"]

DEFAULT_MODEL: Final = "curve"
"""The model for video where none is named: the fastest of those that give tone curves."""

# Seconds from one question to the model to the next, while light changes and else.
_SOON: Final = 0.1
_PERIOD: Final = 0.4
_SIZE: Final = (64, 64)
# Curves that have moved by less are the same to the eye.
_SAME: Final = 5e-4
# A sample of 8 bits becomes no more than about so many.
_STEEPEST: Final = 14.0
_TINY: Final = np.float32(1e-9)
# Of finding the bend that gives a gain; each leaves a fraction of the error.
_STEPS: Final = 4
# Added to levels whose ratio is asked for: that of black to black is 1.
_MARGIN: Final = np.float32(0.004)

Curves = NDArray[np.float32]


class VideoEnhancer:
    """Brings frames to light one by one, and keeps what must be known from frame to frame.

    Not for several threads: each clip has its own, made by `fork` so that they share the model.

    Args:
        model: A catalog name, the path of a user's ``.onnx`` with its card beside it, or a Model;
            ``default`` is `DEFAULT_MODEL`. One whose card's mode is ``curves`` runs in real time.
        strength: Share of the effect, from 0 (the source) to 1.
        exposure: More or less light besides, in EV, -4 to 4.
        denoise: How far the noise of dark parts is averaged over time where nothing moves, from 0
            to 1.
        fps: Frames a second of frames that come without their time.
        runtime: As for `undark.Enhancer`.
        device: Likewise.
        threads: Likewise.
        precision: Likewise; curves are always computed exactly.

    Raises:
        ModelError: No such model, its weights were altered, or they do not fit their card.
        DeviceError: The runtime or device asked for is not there.
        UsageError: An option makes no sense.

    Example:
        >>> import numpy as np
        >>> from undark import VideoEnhancer
        >>> video = VideoEnhancer(fps=25)
        >>> dark = np.full((40, 60, 3), 12, dtype=np.uint8)
        >>> bright = video.enhance_frame(dark)
        >>> bright.shape, bright.dtype, bool(bright.mean() > dark.mean())
        ((40, 60, 3), dtype('uint8'), True)
    """

    def __init__(
        self,
        model: str | Path | Model = "default",
        *,
        strength: float = 1.0,
        exposure: float = 0.0,
        denoise: float = 0.0,
        fps: float = 30.0,
        runtime: Runtime = "auto",
        device: Device = "auto",
        threads: int | None = None,
        precision: Precision = "auto",
    ) -> None:
        """Find the model, check its weights and load them."""
        if not (math.isfinite(strength) and 0.0 <= strength <= 1.0):
            raise UsageError(f"strength must be between 0 and 1, not {strength}")
        if not (math.isfinite(exposure) and -4.0 <= exposure <= 4.0):
            raise UsageError(f"exposure must be between -4 and 4 EV, not {exposure}")
        if not (math.isfinite(denoise) and 0.0 <= denoise <= 1.0):
            raise UsageError(f"denoise must be between 0 and 1, not {denoise}")
        if not (math.isfinite(fps) and fps > 0.0):
            raise UsageError(f"fps must be above 0, not {fps}")
        name = DEFAULT_MODEL if model == "default" else model
        found = name if isinstance(name, Model) else resolve(name)
        self._card = found.card
        self._session: Session | None = None
        self._enhancer: Enhancer | None = None
        if self._card.scaling.mode == "curves":
            # The network is tiny, and the processor has film to encode.
            self._session = open_session(
                found.read(),
                runtime=runtime,
                device=device,
                threads=threads or 1,
                precision="exact",
            )
            self._session.check(self._card)
        else:
            self._enhancer = Enhancer(
                found, runtime=runtime, device=device, threads=threads, precision=precision
            )
        self._strength = strength
        self._exposure = exposure
        self._denoise = denoise
        self._fps = fps
        self.reset()

    def reset(self) -> None:
        """Forget all frames seen: another clip begins."""
        self._steady = Steady()
        self._averager = Averager(self._denoise) if self._denoise > 0.0 else None
        self._frames = 0
        self._asked = -math.inf
        self._wanted: Curves = np.zeros((3, 2), np.float32)
        self._kept: tuple[Curves, Colours, PlaneTables] | None = None

    def fork(self) -> VideoEnhancer:
        """Another for another clip, with the same model and options and nothing seen."""
        other = object.__new__(VideoEnhancer)
        other.__dict__.update(self.__dict__)
        other.reset()
        return other

    @property
    def card(self) -> Card:
        """What the model is."""
        return self._card

    @property
    def is_fast(self) -> bool:
        """Whether the model gives curves, which are done to film in real time."""
        return self._session is not None

    def describe(self) -> str:
        """Model, runtime and device in a line for a person."""
        if self._enhancer is not None:
            return self._enhancer.describe()
        assert self._session is not None
        return f"{self._card.name} by {self._session.describe()}"

    def enhance_frame(self, frame: NDArray[Any], *, time: float | None = None) -> NDArray[Any]:
        """The next frame, brought to light.

        Args:
            frame: H×W×3 RGB: uint8, uint16 or float in [0, 1].
            time: When it is shown, in seconds; by default `fps` tells.

        Returns:
            The same shape and type.

        Raises:
            UsageError: The frame is of another shape or type.
            DeviceError: The runtime failed, or memory ran out.
        """
        photo = Photo(_native(frame))
        size = self._card.glance or Glance(*_SIZE)
        glance = photo.glance(size.height, size.width)
        seconds = self._see(glance, time)
        pixels, depth = photo.pixels, min(photo.bit_depth, 16)
        if self._averager is not None:
            pixels = self._averaged(self._averager, pixels)
        if self._enhancer is not None:
            pixels = self._steadied(self._enhancer, pixels)
        elif not self._is_idle:
            curves = self._decide(glance, seconds, depth)
            pixels = from_float(look_up(pixels, tables(curves, pixels.dtype)), pixels.dtype)
        return pixels if pixels.dtype == frame.dtype else from_float(to_float(pixels), frame.dtype)

    def enhance_planes(self, source: Planes, target: Planes, *, time: float | None = None) -> None:
        """Write the next frame, brought to light, to `target`.

        Args:
            source: The frame; left as it is.
            target: A frame of the same shape and colours.
            time: When it is shown, in seconds; by default `fps` tells.

        Raises:
            DeviceError: The runtime failed, or memory ran out.
        """
        size = self._card.glance or Glance(*_SIZE)
        glance = source.glance(size.height, size.width)
        seconds = self._see(glance, time)
        if self._averager is not None:
            black, span = source.colours.black, source.colours.luma_span
            planes = (source.y, source.u, source.v)
            source = source.deeper(self._averager.average(planes, black=black, span=span))
        if self._enhancer is not None:
            target.set_rgb(self._steadied(self._enhancer, source.rgb()))
        elif self._is_idle and self._averager is None:
            source.copy_to(target)
        else:
            curves = self._decide(glance, seconds, target.colours.depth)
            relight_planes(source, target, self._tables(curves, source.colours, target.colours))

    @property
    def _is_idle(self) -> bool:
        return self._strength == 0.0 and self._exposure == 0.0

    def _see(self, glance: FloatImage, time: float | None) -> float:
        seconds = self._frames / self._fps if time is None else time
        self._frames += 1
        self._steady.see(glance, seconds)
        if self._averager is not None and self._steady.cut:
            self._averager.reset()
        return seconds

    def _decide(self, glance: FloatImage, time: float, depth: int) -> Curves:
        """The curves for the frame last seen."""
        assert self._session is not None
        period = _SOON if self._steady.hurry else _PERIOD
        if self._steady.cut or not 0.0 <= time - self._asked < period:
            self._asked = time
            self._wanted = self._mixed(decide_curves(self._session, glance), depth)
        return np.minimum(self._steady.follow(self._wanted), np.float32(1.0))

    def _mixed(self, curves: Curves, depth: int) -> Curves:
        """The curves with `strength` and `exposure` in them, and no steeper than samples allow."""
        # One sample must not become a visible step: what little it tells of colour is rounding.
        steepest = sample_points(curves.shape[1]) * np.float32(_STEEPEST * 2.0 ** (depth - 8))
        ratio = np.square(np.square(curves / np.maximum(steepest, _TINY)))
        curves = np.asarray(curves / np.sqrt(np.sqrt(1.0 + ratio)), np.float32)
        if self._strength < 1.0:
            same = sample_points(curves.shape[1])
            curves = np.asarray(same + self._strength * (curves - same), np.float32)
        return tone.exposure(curves, self._exposure)

    def _tables(self, curves: Curves, colours: Colours, target: Colours) -> PlaneTables:
        kept = self._kept
        if kept is None or kept[1] != colours or float(np.abs(kept[0] - curves).max()) > _SAME:
            kept = self._kept = (curves, colours, PlaneTables.of(curves, colours, target))
        return kept[2]

    def _steadied(self, enhancer: Enhancer, pixels: NDArray[Any]) -> NDArray[Any]:
        """One frame by itself, its light then brought to that of the frames before."""
        photo = enhancer.enhance(Photo(pixels), strength=self._strength, exposure=self._exposure)
        before, after = Photo(pixels).glance(*_SIZE), photo.glance(*_SIZE)
        gains = _gains(before, after)
        wanted = self._steady.follow(gains)
        if float(np.abs(np.log(wanted / gains)).max()) < _SAME:
            return photo.pixels
        curves = np.stack([_towards(*item) for item in zip(before.T, after.T, wanted, strict=True)])
        return from_float(look_up(photo.pixels, tables(curves, pixels.dtype)), pixels.dtype)

    def _averaged(self, averager: Averager, pixels: NDArray[Any]) -> FloatImage:
        red, green, blue = cv2.split(to_float(pixels))
        green, red, blue = averager.average((green, red, blue), black=0.0, span=1.0)  # pyright: ignore[reportArgumentType]
        return np.stack([red, green, blue], axis=-1)


def _native(frame: NDArray[Any]) -> NDArray[Any]:
    """The frame in a type that a Photo may have."""
    is_float = np.issubdtype(frame.dtype, np.floating)
    return np.ascontiguousarray(to_float(frame) if is_float else frame)


def _gains(before: FloatImage, after: FloatImage) -> Curves:
    """How much brighter the three channels have become in most places, whatever passes there."""
    ratios = (after + _MARGIN) / (before + _MARGIN)
    return np.asarray(np.median(ratios, axis=(0, 1)), np.float32)


def _towards(before: Curves, after: Curves, gain: np.float32) -> Curves:
    """A curve that keeps black and white and makes `after` `gain` times `before` in most places.

    Sampled for `tables`.
    """
    bend = np.float32(1.0)
    for _ in range(_STEPS):
        ratios = (_bent(after, bend) + _MARGIN) / (before + _MARGIN)
        bend = np.float32(bend * gain / np.median(ratios))
    return _bent(sample_points(SAMPLES), bend)


def _bent(values: Curves, bend: np.float32) -> Curves:
    return np.asarray(bend * values / (1 + (bend - 1) * values), np.float32)
