"""Pointwise work fused by PyTorch's compiler, where there is one and a run is long enough."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import torch

__all__ = ["fused"]

_P = ParamSpec("_P")
_R = TypeVar("_R")

_LONG = 3000
"""Steps from which half a minute of compiling pays."""


def fused(function: Callable[_P, _R], *, steps: int) -> Callable[_P, _R]:
    """`function` compiled by ``torch.compile`` for a run of so many `steps`, else as it is.

    On a processor the compiler needs a C++ compiler at hand. The result is the same but for
    rounding.
    """
    if steps < _LONG or not any(map(shutil.which, ("c++", "g++", "clang++"))):
        return function
    return torch.compile(function, dynamic=False)
