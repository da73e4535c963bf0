"""Opening what a command needs: a model, telling once what runs it, or the training package."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar, Unpack

from undark.adjust import Adjustments
from undark.cli.shell import say

if TYPE_CHECKING:
    from undark.engine.enhancer import Enhancer
    from undark.engine.video import VideoEnhancer

__all__ = ["Engine", "learning", "open_enhancer", "open_video"]

T = TypeVar("T", bound="Enhancer | VideoEnhancer")


class Engine(TypedDict):
    """What is to run a model, as the user asks for it; `undark.Enhancer` checks it."""

    runtime: str
    device: str
    threads: int | None
    precision: str


def learning(name: str) -> Any:
    """What `undark.train` calls `name`, imported now: most of it brings PyTorch.

    Raises:
        MissingExtraError: A package of the extra ``train`` is not installed.
    """
    from undark.errors import MissingExtraError

    # PyTorch's own warnings, which its C++ part writes to stderr past Python, are not for users.
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    try:
        import undark.train as package

        return getattr(package, name)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("undark"):
            raise
        raise MissingExtraError("training and export", "train") from error


def open_enhancer(model: str, engine: Engine) -> Enhancer:
    """The model, loaded; one line on stderr names the runtime and device that it runs on.

    Raises:
        UsageError: The runtime, device or precision is unknown, or they exclude each other.
        ModelError: No such model, or its files do not fit together.
        DeviceError: The runtime or device is not there.
    """
    from undark.engine.enhancer import Enhancer

    return _announced(Enhancer, model, **engine)


def open_video(
    model: str,
    engine: Engine,
    *,
    quality: str = "balanced",
    shared: Enhancer | None = None,
    **controls: Unpack[Adjustments],
) -> VideoEnhancer:
    """The model for videos, loaded; announced and failing as `open_enhancer` is.

    Args:
        model: As the user names it.
        engine: What is to run it.
        quality: How much is done to each frame.
        shared: The same model, where it is open for photos and was announced already.
        **controls: What is asked of videos.
    """
    from undark.engine.video import DEFAULT_MODEL, VideoEnhancer

    asked: Any = {"quality": quality, **controls}
    same = shared is not None and (model != "default" or shared.card.name == DEFAULT_MODEL)
    if shared is not None and same:
        return VideoEnhancer(shared, **asked)
    return _announced(VideoEnhancer, model, **asked, **engine)


def _announced(load: Callable[..., T], model: str, **options: Any) -> T:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        loaded = load(model, **options)
    for warning in caught:
        # One names a GPU that was tried and failed.
        if issubclass(warning.category, RuntimeWarning):
            say(str(warning.message))
    say(loaded.describe())
    return loaded
