"""What PyTorch's compiler makes of a step, where a recipe asks for it or it is known to help."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable
from functools import cache
from typing import Any, ParamSpec, TypeVar

import torch

from undark.errors import RecipeError, TrainError
from undark.train.recipe import Fit

__all__ = ["compile_losses", "fused"]

_P = ParamSpec("_P")
_R = TypeVar("_R")

_LONG = 3000
"""Steps from which half a minute of compiling pays."""


def fused(function: Callable[_P, _R], fit: Fit) -> Callable[_P, _R]:
    """Pointwise work, compiled at its first call where ``fit.compile`` is ``auto`` and it pays.

    A short run, and a machine without a C++ compiler, take it as it is. The result is the same but
    for rounding.
    """
    if fit.compile != "auto" or fit.steps < _LONG or not _has_compiler():
        return function
    return _compiled(function)


def compile_losses(method: Any) -> None:
    """Compile all that a step of `method` computes, where its recipe's ``fit.compile`` is true.

    Raises:
        RecipeError: The method does what no compiler takes, or the machine has no C++ compiler.
    """
    if method.recipe.fit.compile is not True:
        return
    if not method.compiles:
        raise RecipeError(f"fit.compile: {method.recipe.method} cannot be compiled; leave it out")
    if not _has_compiler():
        raise RecipeError("fit.compile: PyTorch's compiler needs a C++ compiler (c++), not found")
    method.losses = _compiled(method.losses)


def _has_compiler() -> bool:
    return any(map(shutil.which, ("c++", "g++", "clang++")))


def _compiled(function: Callable[_P, _R]) -> Callable[_P, _R]:
    @cache
    def compiled() -> Callable[_P, _R]:
        # What is random is drawn as without the compiler, so that a resume is exact.
        return torch.compile(function, dynamic=False, options={"fallback_random": True})

    def call(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        from torch._dynamo.exc import TorchDynamoException

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the compiler's own, about itself
            try:
                return compiled()(*args, **kwargs)
            except TorchDynamoException as error:
                reason = " ".join(str(error).split())[:200]
                raise TrainError(
                    f"PyTorch's compiler failed ({reason}); set fit.compile=false"
                ) from error

    return call
