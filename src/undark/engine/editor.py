"""The Editor: whatever makes one photo of another; and the one that repeats given steps."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, Final, TypeVar, Unpack, overload

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from undark.adjust import CONTROLS, Adjust, Adjustments
from undark.engine.adapters import apply, is_many
from undark.engine.hdr import enhance_rendition
from undark.errors import DeviceError, UnsupportedError, UsageError
from undark.io.formats.base import TooManyPixelsError, check_size, pixel_limit
from undark.io.record import Record
from undark.modes.base import Band, Light
from undark.modes.steps import run_steps
from undark.modes.tiling import unchanged
from undark.photo import FloatImage, Photo, from_float
from undark.pixels import tone
from undark.pixels.colour import luma
from undark.pixels.steps import Step, format_steps

__all__ = ["STEPS", "Editor", "Images", "Named", "Progress", "StepsEditor"]

STEPS: Final = "steps"
"""What records name in a model's place where given steps were repeated."""

Images = TypeVar(
    "Images",
    bytes,
    Photo,
    Image.Image,
    NDArray[Any],
    list[bytes],
    list[Photo],
    list[Image.Image],
    list[NDArray[Any]],
)
"""What comes back as the type that it is."""

Named = TypeVar("Named", str, Path, BinaryIO)
"""What comes back as a Photo."""

Progress = Callable[[float], None]

_PIECE_PIXELS: Final = 1 << 19


class Editor(ABC):
    """Whatever makes one photo of another: what `Enhancer` and `StepsEditor` have in common."""

    @overload
    def enhance(
        self,
        x: Named,
        *,
        adjust: Adjust | None = None,
        max_pixels: int | None = None,
        progress: Progress | None = None,
        **controls: Unpack[Adjustments],
    ) -> Photo: ...
    @overload
    def enhance(
        self,
        x: list[Named],
        *,
        adjust: Adjust | None = None,
        max_pixels: int | None = None,
        progress: Progress | None = None,
        **controls: Unpack[Adjustments],
    ) -> list[Photo]: ...
    @overload
    def enhance(
        self,
        x: Images,
        *,
        adjust: Adjust | None = None,
        max_pixels: int | None = None,
        progress: Progress | None = None,
        **controls: Unpack[Adjustments],
    ) -> Images: ...
    def enhance(
        self,
        x: object,
        *,
        adjust: Adjust | None = None,
        max_pixels: int | None = None,
        progress: Progress | None = None,
        **controls: Unpack[Adjustments],
    ) -> Any:
        """Bring a photo to light.

        Args:
            x: One of

                - a path, or a binary file open for reading: gives a Photo, which
                  `undark.write_photo` writes;
                - bytes of an image file: gives bytes of the same format;
                - a PIL image: gives one of the same mode and `info`. Modes L, LA, RGB, RGBA and
                  I;16 stay; 1 becomes L; P, CMYK, YCbCr, HSV and RGBX become RGB, as Pillow
                  converts them, and a palette with transparency, PA and RGBa become RGBA. Its
                  orientation tag is not applied, so it still holds for the result;
                - an array, H×W or H×W×C, uint8, uint16 or float in [0, 1], where C is 1 (grey),
                  2 (grey, alpha), 3 (RGB) or 4 (RGB, alpha): gives the same shape and type;
                - a batch of arrays, N×H×W×C: likewise;
                - a Photo: gives a Photo;
                - a list of such things: gives a list.
            adjust: What is asked of the result; :class:`undark.adjust.Adjust` says what may be.
            max_pixels: Refuse photos of more pixels, files by their header.
            progress: Called with the fraction done, rising to 1.
            **controls: Fields of `adjust` by name, such as ``strength=0.5``, ``exposure=1`` (EV)
                or ``denoise=0``; they take the place of those in `adjust`. With strength 0 and
                exposure 0 the source comes back bit for bit. A model whose mode acts on a control
                itself (:attr:`Enhancer.controls`) gets its value; otherwise strength blends
                source and result, and exposure is added to the result, its highlights rolling off.

        Returns:
            The same type, size, depth and alpha. Greyscale stays greyscale.

        Raises:
            UsageError: A value is out of range, is none that this model can be asked for, or `x` is
                of no type or shape that can be enhanced, or holds values that are not numbers.
            InputError: A file is missing, damaged or of a kind that undark does not take, or a
                photo has more than `max_pixels`.
            DeviceError: The runtime failed, or memory ran out.
        """
        asked = replace(adjust or Adjust(), **controls)
        self.check(asked)
        whole = progress or _ignore
        many = is_many(x)

        def change(photo: Photo) -> Photo:
            try:
                check_size(photo.width, photo.height)
            except TooManyPixelsError as error:
                raise UnsupportedError(f"the photo {error}", argument=error.argument) from error
            return self.enhance_photo(photo, asked, _ignore if many else whole)

        with _within_memory(), pixel_limit(max_pixels):
            return apply(change, x, whole if many else _ignore)

    __call__ = enhance

    def enhance_photo(
        self,
        photo: Photo,
        adjust: Adjust,
        progress: Progress | None = None,
        *,
        light: Light | None = None,
    ) -> Photo:
        """One photo, brought to light.

        One in PQ, HLG or linear light is brought to light by what an SDR screen shows of it, and
        stays in its transfer; see :mod:`undark.engine.hdr`.

        Args:
            photo: The source; left as it is.
            adjust: What is asked, as :meth:`check` lets pass.
            progress: Called with the fraction done, rising to 1.
            light: What was decided for it already; see :meth:`Enhancer.decide`.

        Returns:
            The result, or `photo` itself where nothing is asked for.

        Raises:
            DeviceError: The runtime failed, or memory ran out.
        """
        report = progress or _ignore
        if adjust.strength == 0.0 and adjust.exposure == 0.0:
            report(1.0)
            return photo
        with _within_memory():
            if photo.cicp is None or not photo.cicp.needs_rendition:
                return self._painted(photo, adjust, report, light)
            return enhance_rendition(
                photo, lambda shown: self._painted(shown, adjust, report, light)
            )

    def check(self, adjust: Adjust) -> None:
        """See that this can be asked.

        Raises:
            UsageError: A control is not neutral that cannot be done here.
        """
        for name in adjust.asked():
            if not (CONTROLS[name].general or name in self.controls):
                raise UsageError(f"{self.name} cannot be asked for {name}", argument=name)

    @property
    @abstractmethod
    def name(self) -> str:
        """What to call it in errors."""

    @property
    def controls(self) -> frozenset[str]:
        """The controls of :class:`undark.adjust.Adjust` that it acts on itself."""
        return frozenset()

    @abstractmethod
    def wanted(self, adjust: Adjust) -> Record:
        """How its results are wanted: a record that leaves open what it was not asked for."""

    @abstractmethod
    def record(self, photo: Photo, adjust: Adjust) -> Record:
        """How it makes its result of this photo; without the source, which the file alone knows."""

    @abstractmethod
    def steps(self, x: object) -> tuple[Step, ...]:
        """The steps in which it would edit `x`; see `enhance` for what that may be, but a list.

        Raises:
            UsageError: It does not work in steps, or `x` is of no type that can be enhanced.
            InputError: A file is missing, damaged or of a kind that undark does not take.
        """

    def _painted(
        self, photo: Photo, adjust: Adjust, progress: Progress, light: Light | None
    ) -> Photo:
        # What the bands have in them already is not done again.
        strength = 1.0 if "strength" in self.controls else adjust.strength
        exposure = 0.0 if "exposure" in self.controls else adjust.exposure
        # Written in native depth as bands come: a photo is never held in float as a whole.
        pixels = np.empty(photo.pixels.shape, dtype=photo.pixels.dtype)
        bands = (
            self._bands(photo, adjust, progress, light)
            if strength > 0.0
            else unchanged(photo, progress)
        )
        for top, band in bands:
            step = max(1, _PIECE_PIXELS // photo.width)
            for first in range(0, band.shape[0], step):
                rows = slice(top + first, top + min(first + step, band.shape[0]))
                piece = band[first : first + step]
                if strength < 1.0:
                    source = photo.rgb(rows)
                    piece = np.asarray(source + strength * (piece - source), dtype=np.float32)
                if exposure != 0.0:
                    piece = tone.exposure(piece, exposure)
                pixels[rows] = from_float(_gray(piece) if photo.gray else piece, pixels.dtype)
        return photo.with_pixels(pixels)

    @abstractmethod
    def _bands(
        self, photo: Photo, adjust: Adjust, progress: Progress, light: Light | None
    ) -> Iterator[Band]:
        """The photo as edited, in bands that cover it once from top to bottom."""


class StepsEditor(Editor):
    """Repeats given steps on any photo: an edit that was kept. Threads may share one.

    Args:
        steps: What to do, in order; `undark.pixels.steps.read_steps` reads them from a file.

    Example:
        >>> import numpy as np
        >>> from undark.pixels.steps import Step, format_steps
        >>> StepsEditor([Step("exposure", 1.0)])(np.full((4, 6, 3), 64, dtype=np.uint8))[0, 0]
        array([90, 90, 90], dtype=uint8)
    """

    def __init__(self, steps: Sequence[Step]) -> None:
        """Keep the steps."""
        self._steps = tuple(steps)

    @property
    def name(self) -> str:
        """What to call it in errors."""
        return "an edit in steps"

    def __repr__(self) -> str:
        """All of its steps."""
        return f"StepsEditor({list(self._steps)!r})"

    def wanted(self, adjust: Adjust) -> Record:
        """How its results are wanted: the steps are the model, and their text its file."""
        text = format_steps(self._steps).encode()
        return Record(model=STEPS, sha256=hashlib.sha256(text).hexdigest(), adjust=adjust)

    def record(self, photo: Photo, adjust: Adjust) -> Record:
        """How it makes its results, the same for every photo."""
        del photo
        return replace(self.wanted(adjust), runtime="own", precision="exact")

    def steps(self, x: object) -> tuple[Step, ...]:
        """The given steps, whatever `x` is."""
        del x
        return self._steps

    def _bands(
        self, photo: Photo, adjust: Adjust, progress: Progress, light: Light | None
    ) -> Iterator[Band]:
        del adjust, light  # acted on afterwards; decided by none
        return run_steps(photo, self._steps, progress)


def _ignore(_fraction: float) -> None:
    """Progress that nobody asked for."""


@contextmanager
def _within_memory() -> Generator[None, None, None]:
    try:
        yield
    except MemoryError as error:
        raise DeviceError(
            "out of memory; close other programs or enhance fewer photos at a time"
        ) from error


def _gray(piece: FloatImage) -> FloatImage:
    return np.repeat(luma(piece)[..., None], 3, axis=2)
