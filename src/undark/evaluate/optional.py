"""Reference implementations that come with the extra ``evaluate``."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from undark.errors import MissingExtraError

__all__ = ["optional"]


def optional(module: str, what: str) -> Any:
    """A module of SciPy or scikit-image, whose types are partly unknown.

    Args:
        module: Its full name.
        what: What needs it, as the user would name it.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise MissingExtraError(what, "evaluate") from error
