"""Pointwise work fused by PyTorch's compiler, where there is one and a run is long enough."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable
from functools import cache
from typing import ParamSpec, TypeVar

import torch

__all__ = ["fused"]

_P = ParamSpec("_P")
_R = TypeVar("_R")

_LONG = 3000
"""Steps from which half a minute of compiling pays."""


def fused(function: Callable[_P, _R], *, steps: int) -> Callable[_P, _R]:
    """`function`, compiled by ``torch.compile`` at its first call in a run of many `steps`.

    A short run, and a machine without a C++ compiler, take it as it is. The result is the same but
    for rounding.
    """
    if steps < _LONG or not any(map(shutil.which, ("c++", "g++", "clang++"))):
        return function

    @cache
    def compiled() -> Callable[_P, _R]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the compiler's own, about itself
            return torch.compile(function, dynamic=False)

    def call(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        return compiled()(*args, **kwargs)

    return call
