"""Opening what a command needs: a model, telling once what runs it, or the training room."""

from __future__ import annotations

import warnings
from types import ModuleType
from typing import TYPE_CHECKING, cast

from undark.cli.shell import say

if TYPE_CHECKING:
    from undark.engine.enhancer import Enhancer
    from undark.engine.session import Device, Runtime

__all__ = ["learning", "open_enhancer"]


def learning() -> ModuleType:
    """The training room, imported now: it brings PyTorch, which no other command needs.

    Raises:
        MissingExtraError: A package of the extra ``train`` is not installed.
    """
    from undark.errors import MissingExtraError

    try:
        import undark.train as room
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("undark"):
            raise
        raise MissingExtraError("training and export", "train") from error
    return room


def open_enhancer(model: str, *, runtime: str, device: str, threads: int | None) -> Enhancer:
    """The model, loaded; one line on stderr names the runtime and device that it runs on.

    Raises:
        UsageError: The runtime or device is unknown.
        ModelError: No such model, or its files do not fit together.
        DeviceError: The runtime or device is not there.
    """
    from undark.engine.enhancer import Enhancer

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        enhancer = Enhancer(
            model,
            runtime=cast("Runtime", runtime),
            device=cast("Device", device),
            threads=threads,
        )
    for warning in caught:
        # A GPU that was tried and failed is told so.
        if issubclass(warning.category, RuntimeWarning):
            say(str(warning.message))
    say(enhancer.describe())
    return enhancer
