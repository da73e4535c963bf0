"""The packages of the extra ``fleet``, imported where they are needed."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from undark.errors import MissingExtraError

__all__ = ["package"]


def package(name: str) -> Any:
    """A package of the extra, whose types are partly unknown.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        return import_module(name)
    except ImportError as error:
        raise MissingExtraError("fleets", "fleet") from error
