"""The VideoEnhancer: dark frames in, bright and steady ones out.

A model that decides on a light is asked about a frame's glance, up to ten times a second; what it
decides is smoothed over time. The light is done to the frame's own planes, after noise was cleaned
off, faster than video plays; or, where the best is asked for, the model restores each frame under
it. A model that decides no light enhances frame by frame, and the light of its results is steadied.
"""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Unpack

import numpy as np
from numpy.typing import NDArray

from undark.adjust import Adjust, Adjustments
from undark.engine.adapters import check_numbers
from undark.engine.cleaning import Cleaner
from undark.engine.enhancer import Enhancer
from undark.engine.frames import QUALITIES, SIZE, Moment, Quality, way_of
from undark.engine.temporal import TemporalSmoother
from undark.errors import UsageError
from undark.models.card import Card, Glance
from undark.models.store import Model, resolve
from undark.photo import FloatImage, Photo, from_float, to_float
from undark.pixels.planes import Colours, Planes
from undark.runtime import Device, Precision

__all__ = ["DEFAULT_MODEL", "VideoEnhancer"]

DEFAULT_MODEL: Final = "relight"
"""The model for video where none is named."""

# Of frames of RGB, while they are worked on.
_OF_RGB: Final = Colours(full=True, depth=16)


class VideoEnhancer:
    """Brings frames to light one by one, and keeps what must be known from frame to frame.

    Not for several threads: each clip has its own, made by `fork` so that they share the model.

    Args:
        model: A catalog name, the path of a user's ``.onnx`` with its card beside it, a Model, or
            an Enhancer to share, which then says what runs it; ``default`` is `DEFAULT_MODEL`.
        quality: ``fast``, the light alone; ``balanced``, noise cleaned off, too; ``best``, each
            frame restored by the model, as a photo is. A model whose mode decides no light
            enhances each frame in any case.
        adjust: What is asked of the result; :class:`undark.adjust.Adjust` says what may be.
            `denoise` is how much noise is taken off, all by default; ``fast`` takes off none.
        fps: Frames a second of frames that come without their time.
        runtime: As for `undark.Enhancer`.
        device: Likewise.
        threads: Likewise.
        precision: Likewise, ``auto`` being fast where it can be; curves are computed exactly.
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
        quality: Quality = "balanced",
        adjust: Adjust | None = None,
        fps: float = 30.0,
        runtime: str = "auto",
        device: Device = "auto",
        threads: int | None = None,
        precision: Precision = "auto",
        **controls: Unpack[Adjustments],
    ) -> None:
        """Find the model, check its weights and load them."""
        asked = replace(adjust or Adjust(), **controls)
        if quality not in QUALITIES:
            raise UsageError(
                f"quality must be one of {', '.join(QUALITIES)}, not {quality!r}",
                argument="quality",
            )
        if not (math.isfinite(fps) and fps > 0.0):
            raise UsageError(f"fps must be above 0, not {fps}")
        if isinstance(model, Enhancer):
            self._enhancer = model
        else:
            name = DEFAULT_MODEL if model == "default" else model
            found = name if isinstance(name, Model) else resolve(name)
            self._enhancer = Enhancer(
                found, runtime=runtime, device=device, threads=threads, precision=precision
            )
        self._denoise = asked.denoise
        self._quality: Quality = quality
        heeds = "denoise" in self._enhancer.controls
        self._adjust = asked if heeds else replace(asked, denoise=1.0)
        self._enhancer.check(self._adjust)
        self._fps = fps
        size = self._enhancer.card.glance or Glance(*SIZE)
        self._size = (size.height, size.width)
        self.reset()

    def reset(self) -> None:
        """Forget all frames seen: another clip begins."""
        self._smoother = TemporalSmoother()
        cleaner = None
        if self._denoise > 0.0 and self._quality != "fast":
            restores = self._quality == "best" and "denoise" in self._enhancer.controls
            cleaner = Cleaner(self._denoise, in_space=not restores)
        self._way = way_of(self._enhancer, self._adjust, self._smoother, cleaner, self._quality)
        self._frames = 0

    def fork(self) -> VideoEnhancer:
        """Another for another clip, with the same model and options and nothing seen."""
        asked = replace(self._adjust, denoise=self._denoise)
        return VideoEnhancer(self._enhancer, quality=self._quality, adjust=asked, fps=self._fps)

    def __repr__(self) -> str:
        """Its Enhancer and frame rate."""
        return f"VideoEnhancer({self._enhancer!r}, fps={self._fps:g})"

    @property
    def card(self) -> Card:
        """What the model is."""
        return self._enhancer.card

    @property
    def is_fast(self) -> bool:
        """Whether frames take about as long as they are shown: no network sees them whole."""
        return self._enhancer.mode.decides and self._quality != "best"

    @property
    def made(self) -> str:
        """What is done to frames, in words that differ where it does."""
        said = f"{self._adjust} denoise={self._denoise} quality={self._quality}"
        return f"{self.card.name} {self.card.sha256} {said}"

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
        if self._is_idle:
            self._see(photo.glance(*self._size), time)
            return frame.copy()
        shape = (photo.height, photo.width)
        source, target = (Planes.blank(shape, _OF_RGB) for _ in range(2))
        source.set_rgb(photo.pixels)
        moment = self._see(photo.glance(*self._size), time, min(photo.bit_depth, 16))
        self._way.planes(source, target, moment)
        return from_float(to_float(target.rgb()), frame.dtype)

    def enhance_planes(self, source: Planes, target: Planes, *, time: float | None = None) -> None:
        """Write the next frame, brought to light, to `target`.

        Args:
            source: The frame; left as it is.
            target: A frame of the same shape and colours, of any depth.
            time: When it is shown, in seconds; by default `fps` tells.

        Raises:
            DeviceError: The runtime failed, or memory ran out.
        """
        moment = self._see(source.glance(*self._size), time, source.colours.depth)
        if self._is_idle:
            source.copy_to(target)
        else:
            self._way.planes(source.deep(), target, moment)

    @property
    def _is_idle(self) -> bool:
        """Whether nothing is asked: no light, nor noise off what gets none."""
        return self._adjust.strength == 0.0 and self._adjust.exposure == 0.0

    def _see(self, glance: FloatImage, time: float | None, depth: int = 8) -> Moment:
        seconds = self._frames / self._fps if time is None else time
        self._frames += 1
        self._smoother.see(glance, seconds)
        return Moment(glance, seconds, depth)


def _native(frame: NDArray[Any]) -> NDArray[Any]:
    """The frame in a type that a Photo may have."""
    check_numbers(frame, "a frame")
    is_float = np.issubdtype(frame.dtype, np.floating)
    return np.ascontiguousarray(to_float(frame) if is_float else frame)
