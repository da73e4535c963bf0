"""The Enhancer: one model, kept ready, for photos of any size, depth and type."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from functools import lru_cache, partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self, Unpack, cast, overload

import numpy as np

from undark.adjust import Adjust, Adjustments
from undark.engine.adapters import as_photo
from undark.engine.editor import Editor, Images, Named, Progress
from undark.engine.hdr import rendition
from undark.errors import UsageError
from undark.graph import Arrays, Graph, name_of
from undark.io.record import Record
from undark.models.card import Card
from undark.models.store import Model, resolve
from undark.modes import Band, Light, Mode, mode_of
from undark.photo import FloatImage, Photo
from undark.pixels.steps import Step
from undark.runtime import Device, Precision, Session, open_graph

__all__ = ["Enhancer", "enhance", "wanted"]


def wanted(card: Card, adjust: Adjust, *, runtime: str, precision: str) -> Record:
    """How results of a model are wanted, to be told before it is loaded.

    Args:
        card: The model's.
        adjust: What is asked of the results.
        runtime: As for `Enhancer`; ``auto`` takes what any has made.
        precision: As for `Enhancer`; likewise.
    """
    return Record(
        model=card.name,
        sha256=card.sha256,
        adjust=adjust,
        runtime="" if runtime == "auto" else runtime,
        precision="" if precision == "auto" else precision,
    )


class Enhancer(Editor):
    """Runs one model: photo in, photo out. Threads may share one.

    It can be pickled: what made it is kept, and the model is loaded anew. `close` lets go of the
    model's memory; so does the end of a ``with`` block.

    Args:
        model: A catalog name, the path of a user's ``.onnx`` with its card beside it, or a
            Model.
        graph: What computes in the place of the model's weights: any function that is a
            :class:`undark.graph.Graph`. Needs a `card`.
        card: What `graph` is: its mode, and the sizes that it takes.
        runtime: ``auto``, ``onnxruntime``, ``openvino``, or what another package brings.
        device: ``auto``, ``cpu``, ``cuda``, ``coreml`` or ``directml``.
        threads: CPU threads of the network; None lets the runtime choose, or is one for a network
            that gives curves alone.
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
        graph: Graph | None = None,
        card: Card | None = None,
        runtime: str = "auto",
        device: Device = "auto",
        threads: int | None = None,
        precision: Precision = "auto",
    ) -> None:
        """Find the model, check its weights and load them."""
        if (graph is None) != (card is None):
            raise UsageError("a graph needs a card, and a card a graph")
        found = None
        if card is None:
            found = model if isinstance(model, Model) else resolve(model)
        self._made: dict[str, Any] = {
            "model": found or model,
            "graph": graph,
            "card": card,
            "runtime": runtime,
            "device": device,
            "threads": threads,
            "precision": precision,
        }
        self._opening = threading.Lock()
        self._closed = False
        self._open: partial[Session] | None = None
        self._deep: Graph | None
        if found is None:
            assert card is not None
            assert graph is not None
            self._card, self._mode = card, mode_of(card)
            self._graph = self._deep = graph
            return
        self._card, self._mode = found.card, mode_of(found.card, str(found.path))
        if precision == "auto" and self._mode.exact:
            precision = "exact"
        if self._mode.by_tables:
            # The network is tiny: more threads would only take turns, and in video's way.
            threads = threads or 1
        self._open = partial(
            open_graph, found.read(), runtime=runtime, device=device, threads=threads
        )
        session = self._open(precision=precision)
        self._mode.signature(self._card).check(session.signature, str(found.path))
        self._graph = session
        self._deep = session if precision != "auto" or session.exact else None

    @property
    def card(self) -> Card:
        """What the model is."""
        return self._card

    @property
    def mode(self) -> Mode:
        """The way in which the model runs."""
        return self._mode

    @property
    def name(self) -> str:
        """What to call it in errors."""
        return f"the model {self._card.name}"

    @property
    def controls(self) -> frozenset[str]:
        """The controls of :class:`undark.adjust.Adjust` that the model acts on itself."""
        return self._mode.controls

    @property
    def runtime(self) -> str:
        """The library that runs it: ``onnxruntime``, ``openvino``, ...; ``own`` for a graph."""
        return self._graph.runtime if isinstance(self._graph, Session) else "own"

    @property
    def device(self) -> str:
        """What it really runs on: ``cpu``, ``cuda``, ``coreml`` or ``directml``."""
        return self._graph.device if isinstance(self._graph, Session) else "own"

    @property
    def works_in_steps(self) -> bool:
        """Whether the model edits in steps, which `steps` tells."""
        return self._mode.in_steps

    @property
    def relights(self) -> bool:
        """Whether the model acts on strength, exposure and denoise itself, by adding light."""
        return "strength" in self.controls

    def describe(self) -> str:
        """Model, runtime and device in a line for a person; how photos of 8 bits are computed."""
        return f"{self._card.name} by {name_of(self._graph)}"

    def __repr__(self) -> str:
        """Model, runtime, device and threads."""
        parts = [
            f"{self._card.name!r}",
            f"runtime={self.runtime!r}",
            f"device={self.device!r}",
            f"threads={self._made['threads']}",
            *(["closed"] if self._closed else []),
        ]
        return f"Enhancer({', '.join(parts)})"

    def __reduce__(self) -> tuple[partial[Enhancer], tuple[()]]:
        """Pickle what made it: the model is loaded anew."""
        return partial(type(self), **self._made), ()

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Let go of the model; after this nothing can be enhanced. May be called again."""
        with self._opening:
            self._closed = True
            self._graph = self._deep = _Closed(name_of(self._graph))
            self._open = None  # the file's bytes

    def wanted(self, adjust: Adjust) -> Record:
        """How its results are wanted: by any runtime, where none was asked for."""
        made = self._made
        return wanted(self._card, adjust, runtime=made["runtime"], precision=made["precision"])

    def record(self, photo: Photo, adjust: Adjust) -> Record:
        """How it makes its result of this photo; deep ones may be computed more exactly."""
        graph = self._graph_for(photo)
        exact = graph.exact if isinstance(graph, Session) else True
        return Record(
            model=self._card.name,
            sha256=self._card.sha256,
            adjust=adjust,
            runtime=self.runtime,
            precision="exact" if exact else "fast",
        )

    def steps(self, x: object) -> tuple[Step, ...]:
        """The steps in which the model would edit `x`; see `enhance` for what that may be.

        Raises:
            UsageError: The model does not work in steps, or `x` is of no type that can be enhanced.
            InputError: A file is missing, damaged or of a kind that undark does not take.
            DeviceError: The runtime failed, or memory ran out.
        """
        if not self.works_in_steps:
            raise UsageError(f"{self.name} does not work in steps")
        photo = rendition(as_photo(x)[0])
        return self._mode.steps(self._graph_for(photo), photo)

    def decide(self, glance: FloatImage, adjust: Adjust) -> Light | None:
        """The light for what looks like `glance`; None where the model's mode decides none.

        Args:
            glance: h×w×3 float32 RGB in [0, 1], of the size that the card names.
            adjust: What is asked for.

        Raises:
            DeviceError: The runtime failed, or memory ran out.
        """
        return self._mode.decide(self._graph, glance, adjust)

    def _bands(
        self, photo: Photo, adjust: Adjust, progress: Progress, light: Light | None
    ) -> Iterator[Band]:
        # A light that was decided before is a video's: no frame is worth twice the time.
        graph = self._graph_for(photo) if light is None else self._graph
        return self._mode.bands(graph, photo, adjust, progress, light=light)

    def _graph_for(self, photo: Photo) -> Graph:
        """Bfloat16 resolves 8 bits and no more: deeper photos get a session of their own."""
        if photo.pixels.dtype == np.uint8:
            return self._graph
        with self._opening:
            if self._deep is None:
                assert self._open is not None  # not where it is closed: then there is a graph
                self._deep = self._open(precision="exact")
            return self._deep


class _Closed:
    """The graph of an Enhancer that was closed."""

    def __init__(self, name: str) -> None:
        self._name = name

    def describe(self) -> str:
        return self._name

    def __call__(self, inputs: Arrays, outputs: Sequence[str]) -> Arrays:
        del inputs, outputs
        raise UsageError("the enhancer is closed; create another")


_opening = threading.Lock()


@lru_cache(maxsize=4)
def _kept(path: Path, _sha256: str, **options: Any) -> Enhancer:
    """Enhancers of `enhance`, kept by file and hash, so that a model exported anew is loaded."""
    return Enhancer(path, **options)


@overload
def enhance(
    x: Named,
    *,
    model: str | Path = ...,
    adjust: Adjust | None = ...,
    runtime: str = ...,
    device: Device = ...,
    threads: int | None = ...,
    precision: Precision = ...,
    max_pixels: int | None = ...,
    **controls: Unpack[Adjustments],
) -> Photo: ...
@overload
def enhance(
    x: list[Named],
    *,
    model: str | Path = ...,
    adjust: Adjust | None = ...,
    runtime: str = ...,
    device: Device = ...,
    threads: int | None = ...,
    precision: Precision = ...,
    max_pixels: int | None = ...,
    **controls: Unpack[Adjustments],
) -> list[Photo]: ...
@overload
def enhance(
    x: Images,
    *,
    model: str | Path = ...,
    adjust: Adjust | None = ...,
    runtime: str = ...,
    device: Device = ...,
    threads: int | None = ...,
    precision: Precision = ...,
    max_pixels: int | None = ...,
    **controls: Unpack[Adjustments],
) -> Images: ...
def enhance(
    x: Any,
    *,
    model: str | Path = "default",
    adjust: Adjust | None = None,
    runtime: str = "auto",
    device: Device = "auto",
    threads: int | None = None,
    precision: Precision = "auto",
    max_pixels: int | None = None,
    **controls: Unpack[Adjustments],
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
            found.path.resolve(),
            found.card.sha256,
            runtime=runtime,
            device=device,
            threads=threads,
            precision=precision,
        )
    return cast(Any, enhancer).enhance(x, adjust=adjust, max_pixels=max_pixels, **controls)
