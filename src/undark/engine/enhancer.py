"""The Enhancer: one model, kept ready, for photos of any size, depth and type; the Retoucher."""

from __future__ import annotations

import math
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, TypeVar, overload

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from undark import tone
from undark.engine.adapters import apply
from undark.engine.curves import run_curves
from undark.engine.guided import run_guided
from undark.engine.relighting import Control, run_relighting
from undark.engine.retouching import as_it_is, plan_steps, run_steps
from undark.engine.session import Device, Feeds, Precision, Runtime, Session, open_session
from undark.engine.tiling import run_tiles, to_nchw
from undark.errors import DeviceError, UsageError
from undark.models.card import Card
from undark.models.store import Model, resolve
from undark.photo import FloatImage, Photo, from_float
from undark.retouch import Step

__all__ = ["Editor", "Enhancer", "Retoucher", "enhance"]

_T = TypeVar("_T", bytes, Photo, Image.Image, NDArray[Any])

Progress = Callable[[float], None]

_PIECE_PIXELS = 1 << 19


class Editor(ABC):
    """Whatever makes one photo of another: what `Enhancer` and `Retoucher` have in common."""

    @overload
    def enhance(
        self,
        x: str | Path,
        *,
        strength: float = 1.0,
        exposure: float = 0.0,
        denoise: float = 1.0,
        progress: Progress | None = None,
    ) -> Photo: ...
    @overload
    def enhance(
        self,
        x: _T,
        *,
        strength: float = 1.0,
        exposure: float = 0.0,
        denoise: float = 1.0,
        progress: Progress | None = None,
    ) -> _T: ...
    def enhance(
        self,
        x: object,
        *,
        strength: float = 1.0,
        exposure: float = 0.0,
        denoise: float = 1.0,
        progress: Progress | None = None,
    ) -> Any:
        """Bring a photo to light.

        Args:
            x: One of

                - a path: gives a Photo, which `undark.write_photo` writes;
                - bytes of an image file: gives bytes of the same format;
                - a PIL image (L, LA, RGB, RGBA, I;16): gives one of the same mode and `info`; its
                  orientation tag is not applied, so it still holds for the result;
                - an array, H×W or H×W×C, uint8, uint16 or float in [0, 1], where C is 1 (grey),
                  2 (grey, alpha), 3 (RGB) or 4 (RGB, alpha): gives the same shape and type;
                - a Photo: gives a Photo.
            strength: Share of the effect, from 0 (the source, bit for bit) to 1. A model that
                relights (:attr:`Enhancer.relights`) adds that share of the light, in EV.
            exposure: More or less light besides, in EV, -4 to 4. Highlights roll
                off; none that was not white becomes so by clipping. A model that relights is told,
                and cleans accordingly.
            denoise: Share of its restoration that a model which relights shall do, 0 to 1; with 0
                the photo is relit and keeps its grain.
            progress: Called with the share done, rising to 1.

        Returns:
            The same type, size, depth and alpha. Greyscale stays greyscale.

        Raises:
            UsageError: A value is out of range, or `x` is of no such type.
            InputError: A file is missing, damaged or of a kind that undark does not take.
            DeviceError: The runtime failed, or memory ran out.
        """
        if not (math.isfinite(strength) and 0.0 <= strength <= 1.0):
            raise UsageError(f"strength must be between 0 and 1, not {strength}")
        if not (math.isfinite(exposure) and -4.0 <= exposure <= 4.0):
            raise UsageError(f"exposure must be between -4 and 4 EV, not {exposure}")
        if not (math.isfinite(denoise) and 0.0 <= denoise <= 1.0):
            raise UsageError(f"denoise must be between 0 and 1, not {denoise}")
        if denoise < 1.0 and not self.relights:
            raise UsageError("only a model that relights can be asked to denoise less")
        report = progress or _ignore
        control = Control(exposure=exposure, strength=strength, denoise=denoise)

        def change(photo: Photo) -> Photo:
            return self._photo(photo, control, report)

        try:
            return apply(change, x)
        except MemoryError as error:
            raise DeviceError(
                "out of memory; close other programs or enhance fewer photos at a time"
            ) from error

    __call__ = enhance

    @abstractmethod
    def steps(self, x: object) -> tuple[Step, ...]:
        """The steps in which it would retouch `x`; see `enhance` for what that may be.

        Raises:
            UsageError: It does not work in steps, or `x` is of no type that can be enhanced.
            InputError: A file is missing, damaged or of a kind that undark does not take.
        """

    @property
    def relights(self) -> bool:
        """Whether it acts on strength, exposure and denoise itself, by adding light."""
        return False

    def _photo(self, photo: Photo, control: Control, progress: Progress) -> Photo:
        strength, exposure = control.strength, control.exposure
        if strength == 0.0 and exposure == 0.0:
            progress(1.0)
            return photo
        # Written in native depth as bands come: a photo is never held in float as a whole.
        pixels = np.empty(photo.pixels.shape, dtype=photo.pixels.dtype)
        finish = not self.relights and (strength < 1.0 or exposure != 0.0)
        if strength > 0.0 or self.relights:
            bands = self._bands(photo, control, progress)
        else:
            bands = as_it_is(photo, progress)
        for top, band in bands:
            step = max(1, _PIECE_PIXELS // photo.width)
            for first in range(0, band.shape[0], step):
                rows = slice(top + first, top + min(first + step, band.shape[0]))
                piece = band[first : first + step]
                if finish:
                    piece = _finish(photo.rgb(rows), piece, strength, exposure)
                if photo.gray:
                    piece = np.repeat(tone.luma(piece)[..., None], 3, axis=2)
                pixels[rows] = from_float(piece, photo.pixels.dtype)
        return photo.with_pixels(pixels)

    @abstractmethod
    def _bands(
        self, photo: Photo, control: Control, progress: Progress
    ) -> Iterator[tuple[int, FloatImage]]:
        """The photo as edited, in bands that cover it once from top to bottom."""


class Enhancer(Editor):
    """Runs one model: photo in, photo out. Threads may share one.

    Args:
        model: A catalog name, the path of a user's ``.onnx`` with its card beside it, or a
            Model.
        runtime: ``auto``, ``onnxruntime`` or ``openvino``.
        device: ``auto``, ``cpu``, ``cuda``, ``coreml`` or ``directml``.
        threads: CPU threads of the network; None lets the runtime choose.
        precision: ``exact`` (float32), or ``fast`` to let OpenVINO compute in bfloat16 where the
            processor does, about twice as fast and a level or two of 255 off. ``auto`` is fast
            for photos of 8 bits and exact for deeper ones.

    Raises:
        ModelError: No such model, its weights were altered, or they do not fit their card.
        DeviceError: The runtime or device asked for is not there.
        UsageError: An option makes no sense.

    Example:
        >>> import numpy as np
        >>> from undark import Enhancer
        >>> enhancer = Enhancer()
        >>> dark = np.full((40, 60, 3), 12, dtype=np.uint8)
        >>> bright = enhancer(dark)
        >>> bright.shape, bright.dtype
        ((40, 60, 3), dtype('uint8'))
    """

    def __init__(
        self,
        model: str | Path | Model = "default",
        *,
        runtime: Runtime = "auto",
        device: Device = "auto",
        threads: int | None = None,
        precision: Precision = "auto",
    ) -> None:
        """Find the model, check its weights and load them."""
        found = model if isinstance(model, Model) else resolve(model)
        self._card = found.card
        if precision == "auto" and self._card.scaling.mode in ("curves", "steps"):
            precision = "exact"  # they decide for the whole photo in no time
        self._open = partial(
            open_session, found.read(), runtime=runtime, device=device, threads=threads
        )
        self._session = self._open(precision=precision)
        self._session.check(self._card)
        chosen = precision != "auto" or self._session.exact
        self._deep: Session | None = self._session if chosen else None
        self._opening = threading.Lock()

    @property
    def card(self) -> Card:
        """What the model is."""
        return self._card

    @property
    def runtime(self) -> str:
        """The library that runs it: ``onnxruntime`` or ``openvino``."""
        return self._session.runtime

    @property
    def device(self) -> str:
        """What it really runs on: ``cpu``, ``cuda``, ``coreml`` or ``directml``."""
        return self._session.device

    @property
    def works_in_steps(self) -> bool:
        """Whether the model retouches in steps, which `steps` tells."""
        return self._card.scaling.mode == "steps"

    @property
    def relights(self) -> bool:
        """Whether the model acts on strength, exposure and denoise itself, by adding light."""
        return self._card.scaling.mode == "relight"

    def describe(self) -> str:
        """Model, runtime and device in a line for a person; how photos of 8 bits are computed."""
        return f"{self._card.name} by {self._session.describe()}"

    def _session_for(self, photo: Photo) -> Session:
        """Bfloat16 resolves 8 bits and no more: deeper photos get a session of their own."""
        if photo.pixels.dtype == np.uint8:
            return self._session
        with self._opening:
            if self._deep is None:
                self._deep = self._open(precision="exact")
            return self._deep

    def steps(self, x: object) -> tuple[Step, ...]:
        """The steps in which the model would retouch `x`; see `enhance` for what that may be.

        Raises:
            UsageError: The model does not work in steps, or `x` is of no type that can be enhanced.
            InputError: A file is missing, damaged or of a kind that undark does not take.
            DeviceError: The runtime failed, or memory ran out.
        """
        if not self.works_in_steps:
            raise UsageError(f"the model {self._card.name} does not work in steps")
        found: list[tuple[Step, ...]] = []

        def look(photo: Photo) -> Photo:
            found.append(plan_steps(self._session_for(photo), photo, self._card))
            return photo

        apply(look, x)
        return found[0]

    def _bands(
        self, photo: Photo, control: Control, progress: Progress
    ) -> Iterator[tuple[int, FloatImage]]:
        scaling, session = self._card.scaling, self._session_for(photo)
        if self.relights:
            yield from run_relighting(session, photo, self._card, control, progress=progress)
            return
        if scaling.mode == "steps":
            steps = plan_steps(session, photo, self._card)
            yield from run_steps(photo, steps, progress=progress)
            return
        if scaling.mode == "curves":
            yield from run_curves(session, photo, self._card, progress=progress)
            return
        size = self._card.glance
        besides: Feeds = {}
        if size is not None:
            besides = {"glance": to_nchw(photo.glance(size.height, size.width))}
        run = run_guided if scaling.mode == "guided" else run_tiles
        yield from run(session, photo, besides, scaling, progress=progress)


class Retoucher(Editor):
    """Repeats given steps on any photo: an edit that was kept. Threads may share one.

    Args:
        steps: What to do, in order; `undark.retouch.read_steps` reads them from a file.

    Example:
        >>> import numpy as np
        >>> from undark.retouch import Step
        >>> dark = np.full((4, 6, 3), 55, dtype=np.uint8)
        >>> Retoucher([Step("exposure", 1.0)])(dark)[0, 0].tolist()
        [78, 78, 78]
    """

    def __init__(self, steps: Sequence[Step]) -> None:
        """Keep the steps."""
        self._steps = tuple(steps)

    def steps(self, x: object) -> tuple[Step, ...]:
        """The given steps, whatever `x` is."""
        del x
        return self._steps

    def _bands(
        self, photo: Photo, control: Control, progress: Progress
    ) -> Iterator[tuple[int, FloatImage]]:
        del control  # acted on afterwards
        return run_steps(photo, self._steps, progress=progress)


def _ignore(_share: float) -> None:
    """Progress that nobody asked for."""


def _finish(
    source: FloatImage, enhanced: FloatImage, strength: float, exposure: float
) -> FloatImage:
    mixed = enhanced
    if strength < 1.0:
        mixed = np.asarray(source + strength * (enhanced - source), dtype=np.float32)
    return mixed if exposure == 0.0 else tone.exposure(mixed, exposure)


_opening = threading.Lock()


@lru_cache(maxsize=4)
def _kept(
    path: Path,
    _sha256: str,
    runtime: Runtime,
    device: Device,
    threads: int | None,
    precision: Precision,
) -> Enhancer:
    """Enhancers of `enhance`, kept by file and hash, so that a model exported anew is loaded."""
    return Enhancer(path, runtime=runtime, device=device, threads=threads, precision=precision)


@overload
def enhance(
    x: str | Path,
    *,
    model: str | Path = ...,
    strength: float = ...,
    exposure: float = ...,
    denoise: float = ...,
    runtime: Runtime = ...,
    device: Device = ...,
    threads: int | None = ...,
    precision: Precision = ...,
) -> Photo: ...
@overload
def enhance(
    x: _T,
    *,
    model: str | Path = ...,
    strength: float = ...,
    exposure: float = ...,
    denoise: float = ...,
    runtime: Runtime = ...,
    device: Device = ...,
    threads: int | None = ...,
    precision: Precision = ...,
) -> _T: ...
def enhance(
    x: Any,
    *,
    model: str | Path = "default",
    strength: float = 1.0,
    exposure: float = 0.0,
    denoise: float = 1.0,
    runtime: Runtime = "auto",
    device: Device = "auto",
    threads: int | None = None,
    precision: Precision = "auto",
) -> Any:
    """Bring a photo to light; see `Enhancer` and `Enhancer.enhance` for all options and errors.

    The last few models are kept ready, so calling this in a loop is no slower than an Enhancer.

    Example:
        >>> import numpy as np
        >>> import undark
        >>> dark = np.full((40, 60, 3), 3000, dtype=np.uint16)
        >>> undark.enhance(dark, strength=0.5).dtype
        dtype('uint16')
    """
    found = resolve(model)
    with _opening:
        enhancer = _kept(
            found.path.resolve(), found.card.sha256, runtime, device, threads, precision
        )
    return enhancer.enhance(x, strength=strength, exposure=exposure, denoise=denoise)
