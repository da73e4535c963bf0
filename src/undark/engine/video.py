"""The VideoEnhancer: dark frames in, bright and steady ones out.

A model that gives tone curves is asked about a frame's glance, up to ten times a second; its curves
are smoothed over time and done to the frame's own planes by tables, faster than video plays. One
that decides on a light and restores is given a light that was smoothed alike. Any other model
enhances frame by frame, and the light of its results is steadied afterwards.
"""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Unpack

import cv2
import numpy as np
from numpy.typing import NDArray

from undark.adjust import Adjust, Adjustments
from undark.engine.adapters import check_numbers
from undark.engine.enhancer import Enhancer
from undark.engine.frames import SIZE, Moment, way_of
from undark.engine.temporal import TemporalDenoiser, TemporalSmoother
from undark.errors import UsageError
from undark.models.card import Card, Glance
from undark.models.store import Model, resolve
from undark.modes import mode_of
from undark.photo import FloatImage, Photo, from_float, to_float
from undark.pixels.planes import Planes
from undark.runtime import Device, Precision

__all__ = ["DEFAULT_MODEL", "VideoEnhancer"]

DEFAULT_MODEL: Final = "curve"
"""The model for video where none is named: the fastest of those that give tone curves."""

_NEUTRAL: Final = Adjust(denoise=0.0)


class VideoEnhancer:
    """Brings frames to light one by one, and keeps what must be known from frame to frame.

    Not for several threads: each clip has its own, made by `fork` so that they share the model.

    Args:
        model: A catalog name, the path of a user's ``.onnx`` with its card beside it, a Model, or
            an Enhancer to share, which then says what runs it; ``default`` is `DEFAULT_MODEL`. One
            whose card's mode is ``curves`` runs in real time.
        adjust: What is asked of the result; :class:`undark.adjust.Adjust` says what may be.
            `denoise` is 0 by default here, and means how far the noise of dark parts is averaged
            over time where nothing moves.
        fps: Frames a second of frames that come without their time.
        runtime: As for `undark.Enhancer`.
        device: Likewise.
        threads: Likewise.
        precision: Likewise; curves are always computed exactly.
        **controls: Fields of `adjust` by name, which take the place of those in `adjust`.

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
        model: str | Path | Model | Enhancer = "default",
        *,
        adjust: Adjust | None = None,
        fps: float = 30.0,
        runtime: str = "auto",
        device: Device = "auto",
        threads: int | None = None,
        precision: Precision = "auto",
        **controls: Unpack[Adjustments],
    ) -> None:
        """Find the model, check its weights and load them."""
        asked = replace(adjust or _NEUTRAL, **controls)
        if not (math.isfinite(fps) and fps > 0.0):
            raise UsageError(f"fps must be above 0, not {fps}")
        if isinstance(model, Enhancer):
            self._enhancer = model
        else:
            name = DEFAULT_MODEL if model == "default" else model
            found = name if isinstance(name, Model) else resolve(name)
            if mode_of(found.card, str(found.path)).by_tables:
                precision = "exact"
            self._enhancer = Enhancer(
                found, runtime=runtime, device=device, threads=threads, precision=precision
            )
        self._denoise = asked.denoise
        # Noise is averaged over time here: a mode that restores does all of its restoration.
        self._adjust = replace(asked, denoise=1.0)
        self._enhancer.check(self._adjust)
        self._fps = fps
        size = self._enhancer.card.glance or Glance(*SIZE)
        self._size = (size.height, size.width)
        self.reset()

    def reset(self) -> None:
        """Forget all frames seen: another clip begins."""
        self._smoother = TemporalSmoother()
        self._denoiser = TemporalDenoiser(self._denoise) if self._denoise > 0.0 else None
        self._way = way_of(self._enhancer, self._adjust, self._smoother)
        self._frames = 0

    def fork(self) -> VideoEnhancer:
        """Another for another clip, with the same model and options and nothing seen."""
        asked = replace(self._adjust, denoise=self._denoise)
        return VideoEnhancer(self._enhancer, adjust=asked, fps=self._fps)

    def __repr__(self) -> str:
        """Its Enhancer and frame rate."""
        return f"VideoEnhancer({self._enhancer!r}, fps={self._fps:g})"

    @property
    def card(self) -> Card:
        """What the model is."""
        return self._enhancer.card

    @property
    def is_fast(self) -> bool:
        """Whether the model gives curves, which are done to video in real time."""
        return self._enhancer.mode.by_tables

    @property
    def made(self) -> str:
        """What is done to frames, in words that differ where it does."""
        return f"{self.card.name} {self.card.sha256} {self._adjust} denoise={self._denoise}"

    def describe(self) -> str:
        """Model, runtime and device in a line for a person."""
        return self._enhancer.describe()

    def enhance_frame(self, frame: NDArray[Any], *, time: float | None = None) -> NDArray[Any]:
        """The next frame, brought to light.

        Args:
            frame: H×W×3 RGB: uint8, uint16 or float in [0, 1].
            time: When it is shown, in seconds; by default `fps` tells.

        Returns:
            The same shape and type.

        Raises:
            UsageError: The frame is of another shape or type, or holds values that are not numbers.
            DeviceError: The runtime failed, or memory ran out.
        """
        photo = Photo(_native(frame))
        moment = self._see(photo.glance(*self._size), time)
        pixels = photo.pixels
        if self._denoiser is not None:
            pixels = _averaged(self._denoiser, pixels)
        if not self._is_idle:
            pixels = self._way.pixels(pixels, moment, min(photo.bit_depth, 16))
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
        moment = self._see(source.glance(*self._size), time)
        if self._denoiser is None and self._is_idle:
            source.copy_to(target)
            return
        if self._denoiser is not None:
            black, span = source.colours.black, source.colours.luma_span
            planes = (source.y, source.u, source.v)
            source = source.deeper(self._denoiser.average(planes, black=black, span=span))
        self._way.planes(source, target, moment)

    @property
    def _is_idle(self) -> bool:
        return self._adjust.strength == 0.0 and self._adjust.exposure == 0.0

    def _see(self, glance: FloatImage, time: float | None) -> Moment:
        seconds = self._frames / self._fps if time is None else time
        self._frames += 1
        self._smoother.see(glance, seconds)
        if self._denoiser is not None and self._smoother.cut:
            self._denoiser.reset()
        return Moment(glance, seconds)


def _native(frame: NDArray[Any]) -> NDArray[Any]:
    """The frame in a type that a Photo may have."""
    check_numbers(frame, "a frame")
    is_float = np.issubdtype(frame.dtype, np.floating)
    return np.ascontiguousarray(to_float(frame) if is_float else frame)


def _averaged(denoiser: TemporalDenoiser, pixels: NDArray[Any]) -> FloatImage:
    red, green, blue = cv2.split(to_float(pixels))
    green, red, blue = denoiser.average((green, red, blue), black=0.0, span=1.0)  # pyright: ignore[reportArgumentType]
    return np.stack([red, green, blue], axis=-1)
